//! `bootstrap plan`: verifies the bundle, finds out which node this is, observes, compares, shows.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use clap::Args;
use desired::NodeName;
use desired::plan::Plan;
use host::bundle::Bundle;
use host::observe;
use host::root::Root;

use crate::exit::{Code, Failure, Outcome, answer};
use crate::place;

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The bundle, a folder or a tar.gz [default: the folder this program lies in]
    #[arg(long)]
    bundle: Option<PathBuf>,
    /// Which node this is [default: the one of this host name]
    #[arg(long)]
    node: Option<NodeName>,
    /// The folder that holds the node's file system
    #[arg(long, default_value = "/")]
    root: PathBuf,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
    /// End with 3 when something is to be done or not known
    #[arg(long)]
    detailed_exitcode: bool,
}

/// Plans.
pub fn run(arguments: &Arguments) -> Outcome {
    let bundle = place::bundle(arguments.bundle.as_deref())?;
    let root = Root::open(&arguments.root)
        .with_context(|| format!("open the root {}", arguments.root.display()))
        .map_err(|error| Failure::new(Code::Missing, error))?;
    let node = which_node(arguments.node.clone(), &root, &bundle)?;
    let resources = &bundle.nodes[&node];
    let observed = observe::all(&root, resources);
    let plan = Plan::make(resources, &observed)
        .with_context(|| format!("the resources of {node} have no order"))
        .map_err(|error| Failure::new(Code::VerificationFailed, error))?;
    if arguments.json {
        let document = plan.document(&bundle.manifest.cluster, &node);
        let text = serde_json::to_string_pretty(&document).context("write the plan as JSON");
        answer(&format!("{}\n", text.map_err(|error| Failure::new(Code::Unexpected, error))?))?;
    } else {
        answer(&format!("node {node} of cluster {}\n{}", bundle.manifest.cluster, plan.to_text()))?;
    }
    Ok(if arguments.detailed_exitcode && !plan.is_empty() { Code::Pending } else { Code::Done })
}

/// The node that was named, or the one of this host name; never a guess.
fn which_node(named: Option<NodeName>, root: &Root, bundle: &Bundle) -> Result<NodeName, Failure> {
    let known: Vec<&str> = bundle.nodes.keys().map(NodeName::as_str).collect();
    let refuse = |why: String| {
        let names = known.join(", ");
        Err(Failure::new(Code::Refused, anyhow!("{why}; name the node with --node, one of: {names}")))
    };
    if let Some(node) = named {
        let is_known = bundle.nodes.contains_key(&node);
        return if is_known { Ok(node) } else { refuse(format!("this bundle has no node {node}")) };
    }
    let Some(hostname) = observe::hostname(root) else {
        return refuse("which node this is can't be told: it has no host name".to_owned());
    };
    match bundle.nodes.keys().find(|node| node.as_str().eq_ignore_ascii_case(&hostname)) {
        Some(node) => Ok(node.clone()),
        None => refuse(format!(
            "which node this is can't be told: its host name is `{}`",
            hostname.escape_debug()
        )),
    }
}
