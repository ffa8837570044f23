//! `bootstrap plan`: verifies the bundle, finds out which node this is, observes, compares, shows.

use anyhow::Context as _;
use clap::Args;

use crate::exit::{Code, Failure, Outcome, answer};
use crate::place::{self, Subject};
use crate::target::Target;

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
    /// End with 3 when something is to be done or not known
    #[arg(long)]
    detailed_exitcode: bool,
}

/// Plans.
pub fn run(arguments: &Arguments) -> Outcome {
    let (root, bundle) = arguments.target.open()?;
    let subject = arguments.target.subject(&bundle, &root)?;
    let Subject { cluster, node, why, resources, .. } = &subject;
    let plan = place::plan(&root, &subject, resources, &place::history(&root)?)?;
    if arguments.json {
        let document = plan.document(cluster, node);
        let text = serde_json::to_string_pretty(&document).context("write the plan as JSON");
        answer(&format!("{}\n", text.map_err(|error| Failure::new(Code::Unexpected, error))?))?;
    } else {
        answer(&format!("node {node} of cluster {cluster}, {why}\n{}", plan.to_text()))?;
    }
    Ok(if arguments.detailed_exitcode && !plan.is_empty() { Code::Pending } else { Code::Done })
}
