//! `check`: every finding of every cluster, or one line a cluster when there is nothing to say.
//!
//! In: the profiles folder. Out: pictures on stderr and a table on stdout, or one JSON object; exit 4 on any error.

use crate::common::Common;
use crate::exit::{Code, Outcome};
use crate::load::{self, Cluster, Loaded};
use crate::picture;
use anyhow::Context as _;
use blueprint::finding::Finding;
use clap::Args;
use std::io::Write as _;

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Clusters to check; all if left out
    #[arg(value_name = "CLUSTER")]
    pub clusters: Vec<String>,
}

/// Loads, reports, and answers with 4 if there is an error.
pub fn run(common: &Common, arguments: &Arguments) -> Outcome {
    let folder = load::profiles_folder(common)?;
    let loaded = load::load(&folder, &arguments.clusters)?;
    if common.json {
        let mut stdout = std::io::stdout().lock();
        serde_json::to_writer_pretty(&mut stdout, &json(&loaded)).map_err(anyhow::Error::from)?;
        writeln!(stdout).context("write to stdout")?;
    } else {
        loaded.report(common)?;
        let mut stdout = anstream::stdout().lock();
        write!(stdout, "{}", table(&loaded)).context("write to stdout")?;
    }
    Ok(if loaded.has_errors() { Code::InvalidProfile } else { Code::Done })
}

fn warnings_of<'a>(loaded: &'a Loaded, cluster: &'a Cluster) -> impl Iterator<Item = &'a Finding> {
    loaded.findings.iter().filter(|finding| {
        !finding.is_error() && finding.file.split('/').next() == Some(cluster.name.as_str())
    })
}

fn table(loaded: &Loaded) -> String {
    let width = loaded.clusters.iter().map(|cluster| cluster.name.len()).max().unwrap_or(0);
    loaded
        .clusters
        .iter()
        .filter_map(|cluster| {
            let model = cluster.model.as_ref()?;
            Some(format!(
                "{:width$}  {:>5} nodes  {:>3} shares  {:>3} services  {:>3} warnings\n",
                cluster.name,
                model.nodes.len(),
                model.shares.len(),
                model.services.len(),
                warnings_of(loaded, cluster).count(),
            ))
        })
        .collect()
}

fn json(loaded: &Loaded) -> serde_json::Value {
    let clusters: Vec<_> = loaded
        .clusters
        .iter()
        .map(|cluster| {
            let model = cluster.model.as_ref();
            serde_json::json!({
                "name": cluster.name,
                "valid": model.is_some(),
                "nodes": model.map(|model| model.nodes.len()),
                "shares": model.map(|model| model.shares.len()),
                "services": model.map(|model| model.services.len()),
                "warnings": warnings_of(loaded, cluster).count(),
            })
        })
        .collect();
    serde_json::json!({
        "format": 1,
        "verb": "check",
        "clusters": clusters,
        "findings": picture::json(&loaded.findings, &loaded.texts),
    })
}
