//! `bootstrap verify`: reads a bundle as a folder or a tar.gz, writes nothing, says whose it is.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::exit::{Code, Outcome, answer};
use crate::place;

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The bundle, a folder or a tar.gz [default: the folder this program lies in]
    bundle: Option<PathBuf>,
    /// The public key that must have signed the bundle, a file of minisign [default: /etc/rootstock/key.pub, if it is there]
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
}

/// Verifies.
pub fn run(arguments: &Arguments) -> Outcome {
    let place = arguments.bundle.clone().map_or_else(place::own_folder, Ok)?;
    let (root, _) = place::open(Path::new("/"), None)?;
    let key = place::key(arguments.public_key.as_deref(), &root)?;
    let bundle = place::bundle(&place, key.as_ref())?;
    let manifest = &bundle.manifest;
    let nodes: Vec<&str> = manifest.nodes.iter().map(desired::NodeName::as_str).collect();
    let deferred: Vec<&str> = manifest.deferred.iter().map(|deferred| deferred.path.as_str()).collect();
    if arguments.json {
        let value = serde_json::json!({
            "format": 1, "cluster": manifest.cluster, "arch": manifest.arch, "digest": bundle.digest,
            "tool-version": manifest.tool_version, "files": manifest.files.len(), "nodes": nodes,
            "deferred": deferred, "signed": key.is_some(),
        });
        answer(&format!("{value:#}\n"))?;
        return Ok(Code::Done);
    }
    let signed = if key.is_some() { "signed, " } else { "" };
    let mut text = format!(
        "verified: {signed}{} files of cluster {} for {}, manifest {}\nnodes: {}\n",
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
