//! The table of what the documents ask against the trials that there are.

use anyhow::{Context as _, ensure};
use std::collections::BTreeSet;
use tests::ring::{Ring, Trial};

/// The trial, which is told what all trials are called.
pub fn trial(names: BTreeSet<String>) -> Trial {
    Trial::new(Ring::Golden, "coverage::every_trial_that_is_named_is_there", move |_| named(&names))
}

fn named(names: &BTreeSet<String>) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(tests::repository().join("tests/coverage.toml"))?;
    let table: toml::Table = text.parse()?;
    let rows = table["row"].as_array().context("the table has rows")?;
    ensure!(!rows.is_empty(), "the table has no row");
    let mut wrong = Vec::new();
    for row in rows {
        let of = |key: &str| row.get(key).and_then(toml::Value::as_str).unwrap_or_default();
        let place = format!("{} {}", of("document"), of("section"));
        let trials = row["trials"].as_array().with_context(|| format!("{place}: no trials"))?;
        let unknown = trials.iter().filter_map(toml::Value::as_str).filter(|name| !names.contains(*name));
        wrong.extend(unknown.map(|name| format!("{place}: there is no trial {name}")));
        let cells = ["spec", "family", "consumer"];
        let is_whole = !trials.is_empty() && cells.iter().all(|key| !of(key).is_empty());
        if !is_whole && of("not-yet").is_empty() {
            wrong.push(format!("{place}: a cell is empty and `not-yet` does not say why"));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
