//! Docker's own Compose over a file of ours; no engine is asked.

use crate::lab::Lab;
use crate::programs::{answering, said, scratch};
use anyhow::Context as _;
use serde_json::Value;
use std::path::Path;

/// What Compose makes of the file in `folder`, every variable that its `.env.example` lists having the value `put-in`.
///
/// # Errors
/// With Compose's own message; also if it starts without one of these variables, or remarks on anything.
pub fn config(lab: &Lab, folder: &Path) -> anyhow::Result<Value> {
    let example = std::fs::read_to_string(folder.join(".env.example")).unwrap_or_default();
    let names: Vec<&str> = example
        .lines()
        .filter_map(|line| line.strip_suffix('='))
        .filter(|line| !line.starts_with('#'))
        .collect();
    let home = scratch()?;
    let call = |left_out: Option<&str>| {
        let call = lab.tool("docker").args(["compose", "--project-directory"]).arg(folder);
        let call = call.arg("--file").arg(folder.join("compose.yaml"));
        let call = call.args(["config", "--format", "json"]).env("HOME", home.path());
        let names = names.iter().filter(|name| Some(**name) != left_out);
        answering(names.fold(call, |call, name| call.env(*name, "put-in")))
    };
    for name in &names {
        let output = call(Some(name)).run()?;
        anyhow::ensure!(
            output.code != 0 && said(&output).contains(name),
            "{}: Compose does not miss {name}:\n{}",
            folder.display(),
            said(&output)
        );
    }
    let output = call(None).run()?;
    anyhow::ensure!(
        output.code == 0 && output.stderr_tail.trim().is_empty(),
        "Compose on {}:\n{}",
        folder.display(),
        said(&output)
    );
    serde_json::from_slice(&output.stdout).context("read Compose's answer")
}
