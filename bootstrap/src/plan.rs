//! `bootstrap plan`: verifies the bundle, finds out which node this is, observes, compares, shows.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use desired::NodeName;

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
    let root = place::root(&arguments.root)?;
    let (node, _) = place::node(arguments.node.as_ref(), &root, &bundle)?;
    let plan = place::plan(&root, &node, &bundle.nodes[&node], &place::history(&root)?)?;
    if arguments.json {
        let document = plan.document(&bundle.manifest.cluster, &node);
        let text = serde_json::to_string_pretty(&document).context("write the plan as JSON");
        answer(&format!("{}\n", text.map_err(|error| Failure::new(Code::Unexpected, error))?))?;
    } else {
        answer(&format!("node {node} of cluster {}\n{}", bundle.manifest.cluster, plan.to_text()))?;
    }
    Ok(if arguments.detailed_exitcode && !plan.is_empty() { Code::Pending } else { Code::Done })
}
