//! `lock`: which exact third-party files each cluster's bundles hold.
//!
//! In: the profiles and their `lock.toml`. Out: `lock.toml` with every pin that can be made, and a table or JSON of them.
//! A lock that is complete is not touched.

use std::io::Write as _;

use anyhow::Context as _;
use blueprint::lock::{Entry, Rules, Update};
use clap::Args;
use desired::ArtifactName;
use host::report::{Report, Style};

use crate::artifacts::{self, Permission};
use crate::common::Common;
use crate::exit::{Code, Outcome};
use crate::load;

/// Arguments of `lock`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Clusters to lock; all if left out
    #[arg(value_name = "CLUSTER")]
    pub clusters: Vec<String>,
    /// Make the pins of these artifacts anew; of all if none is named
    #[arg(long, value_name = "ARTIFACT", num_args = 0.., value_delimiter = ',')]
    pub update: Option<Vec<ArtifactName>>,
}

/// Locks the clusters one after the other; all of them share the cache.
pub fn run(common: &Common, arguments: &Arguments) -> Outcome {
    let loaded = load::load_valid(common, &arguments.clusters)?;
    let report = Report::new(if common.json { Style::Json } else { Style::Auto });
    let update = match arguments.update.clone() {
        None => Update::Nothing,
        Some(names) if names.is_empty() => Update::Everything,
        Some(names) => Update::Only(names),
    };
    let mut permission = Permission { update, locked: common.locked, rules: Rules::default() };
    let mut clusters = Vec::new();
    for (folder, model) in &loaded {
        permission.rules = artifacts::rules(model);
        let fetcher = artifacts::fetcher(model, folder, common.offline, false, &report)?;
        clusters
            .push((model.name.to_string(), artifacts::lock_on_disk(model, folder, &permission, &fetcher)?));
    }
    let text = if common.json { json(&clusters) } else { table(&clusters) };
    anstream::stdout().lock().write_all(text.as_bytes()).context("write to stdout")?;
    Ok(Code::Done)
}

type Clusters = [(String, artifacts::Outcome)];

fn entries(outcome: &artifacts::Outcome) -> impl Iterator<Item = &Entry> {
    outcome.locked.entries().iter().chain(outcome.locked.left_out())
}

fn json(clusters: &Clusters) -> String {
    let clusters: serde_json::Map<_, _> = clusters
        .iter()
        .map(|(name, outcome)| {
            let artifacts: Vec<_> = entries(outcome)
                .map(|entry| {
                    serde_json::json!({
                        "name": entry.name, "version": entry.version, "arch": entry.arch, "size": entry.size,
                        "digest": entry.digest, "pinned-by": entry.pinned_by.as_ref().map(ToString::to_string),
                        "sources": entry.sources.iter().map(|source| source.url.to_string()).collect::<Vec<_>>(),
                    })
                })
                .collect();
            (name.clone(), serde_json::json!({ "changed": outcome.changed, "artifacts": artifacts }))
        })
        .collect();
    format!("{:#}\n", serde_json::json!({ "version": 1, "clusters": clusters }))
}

/// Each cluster with what became of its lock, then its artifacts in columns.
fn table(clusters: &Clusters) -> String {
    let mut text = String::new();
    for (name, outcome) in clusters {
        let state = if outcome.changed { "written" } else { "unchanged" };
        text.push_str(&format!("{name}: profiles/{name}/lock.toml {state}\n"));
        let rows: Vec<_> = entries(outcome).map(artifacts::row).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<_> = (0..6).map(width).collect();
        for row in &rows {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            text.push_str(&format!("  {}\n", cells.collect::<Vec<_>>().join("  ").trim_end()));
        }
    }
    text
}
