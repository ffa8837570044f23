//! `bootstrap plan`: verifies the bundle, finds out which node this is, observes, compares, shows.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use desired::NodeName;

use crate::exit::{Code, Failure, Outcome, answer};
use crate::place::{self, Subject};

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The bundle, a folder or a tar.gz [default: the folder this program lies in, else what the last join left]
    #[arg(long)]
    bundle: Option<PathBuf>,
    /// The public key that must have signed the bundle, a file of minisign [default: /etc/rootstock/key.pub, if it is there]
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
    /// Which node this is [default: the one of this host name, hardware address or serial number]
    #[arg(long)]
    node: Option<NodeName>,
    /// The folder that holds the node's file system; the system around a container is entered
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
    let (root, bundle) = place::open(&arguments.root, arguments.bundle.as_deref())?;
    let (named, key) = (arguments.bundle.is_some(), arguments.public_key.as_deref());
    let subject = place::subject(&bundle, named, key, arguments.node.as_ref(), &root)?;
    let Subject { cluster, node, why, resources, .. } = &subject;
    let plan = place::plan(&root, node, resources, &place::history(&root)?)?;
    if arguments.json {
        let document = plan.document(cluster, node);
        let text = serde_json::to_string_pretty(&document).context("write the plan as JSON");
        answer(&format!("{}\n", text.map_err(|error| Failure::new(Code::Unexpected, error))?))?;
    } else {
        answer(&format!("node {node} of cluster {cluster}, {why}\n{}", plan.to_text()))?;
    }
    Ok(if arguments.detailed_exitcode && !plan.is_empty() { Code::Pending } else { Code::Done })
}
