//! The real mise over a folder of ours.
//!
//! It gets a home of its own, trusts that folder and nothing else, and stays offline.

use crate::lab::Lab;
use crate::programs::scratch;
use anyhow::Context as _;
use std::path::Path;

/// The names of the tasks that mise lists in `folder`, sorted. A remark of mise about the files is an error.
///
/// # Errors
/// With mise's own message.
pub fn tasks(lab: &Lab, folder: &Path) -> anyhow::Result<Vec<String>> {
    let answer = ask(lab, folder, &["tasks", "ls", "--json"])?;
    let tasks = answer.as_array().context("mise lists tasks as an array")?;
    let mut names = Vec::new();
    for task in tasks {
        names.push(task["name"].as_str().context("every task has a name")?.to_owned());
    }
    names.sort();
    Ok(names)
}

/// The tools and versions that mise reads in `folder`: a map from tool to its requests.
///
/// # Errors
/// With mise's own message.
pub fn tools(lab: &Lab, folder: &Path) -> anyhow::Result<serde_json::Value> {
    ask(lab, folder, &["ls", "--current", "--json"])
}

fn ask(lab: &Lab, folder: &Path, question: &[&str]) -> anyhow::Result<serde_json::Value> {
    let home = scratch()?;
    let call = lab.tool("mise").args(question.iter().copied()).folder(folder).env("HOME", home.path());
    let call = call
        .env("MISE_TRUSTED_CONFIG_PATHS", folder)
        .env("MISE_CEILING_PATHS", folder.parent().unwrap_or(folder));
    let call = ["CONFIG", "DATA", "CACHE", "STATE"]
        .iter()
        .fold(call, |call, kind| call.env(format!("MISE_{kind}_DIR"), home.path().join(kind.to_lowercase())));
    let output = call.env("MISE_OFFLINE", "1").env("MISE_YES", "0").run().context("mise")?;
    let remarks = output.stderr_tail.trim();
    anyhow::ensure!(remarks.is_empty(), "mise remarks on {}:\n{remarks}", folder.display());
    serde_json::from_slice(&output.stdout).context("read mise's answer")
}
