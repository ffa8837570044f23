//! `bootstrap verify`: reads a bundle as a folder or a tar.gz, writes nothing, says whose it is.

use std::path::PathBuf;

use clap::Args;

use crate::exit::{Code, Outcome, answer};
use crate::place;

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The bundle, a folder or a tar.gz [default: the folder this program lies in]
    bundle: Option<PathBuf>,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
}

/// Verifies.
pub fn run(arguments: &Arguments) -> Outcome {
    let place = arguments.bundle.clone().map_or_else(place::own_folder, Ok)?;
    let bundle = place::bundle(&place)?;
    let manifest = &bundle.manifest;
    let nodes: Vec<&str> = manifest.nodes.iter().map(desired::NodeName::as_str).collect();
    let deferred: Vec<&str> = manifest.deferred.iter().map(|deferred| deferred.path.as_str()).collect();
    if arguments.json {
        let value = serde_json::json!({
            "format": 1, "cluster": manifest.cluster, "arch": manifest.arch, "digest": bundle.digest,
            "tool-version": manifest.tool_version, "files": manifest.files.len(), "nodes": nodes,
            "deferred": deferred,
        });
        answer(&format!("{value:#}\n"))?;
        return Ok(Code::Done);
    }
    let mut text = format!(
        "verified: {} files of cluster {} for {}, manifest {}\nnodes: {}\n",
        manifest.files.len(),
        manifest.cluster,
        manifest.arch,
        bundle.digest.short(),
        nodes.join(" "),
    );
    if !deferred.is_empty() {
        text.push_str(&format!("fetched by the node itself: {}\n", deferred.join(" ")));
    }
    answer(&text)?;
    Ok(Code::Done)
}
