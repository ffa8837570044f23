//! The real chezmoi over a source tree of ours, as each machine in turn.
//!
//! Every call has an empty home, no configuration of ours, no terminal, and templates that use a key nobody set fail
//! (FIELD C1, C3). Scripts are rendered and shown, never run.

use crate::lab::Lab;
use crate::programs::scratch;
use anyhow::Context as _;
use host::process::{Invocation, find_program};
use std::path::Path;
use tempfile::TempDir;

/// The facts templates pick by, as chezmoi itself names them.
#[derive(Debug, Clone, Copy)]
pub struct Machine<'a> {
    /// `.chezmoi.hostname`
    pub hostname: &'a str,
    /// `.chezmoi.os`: linux, darwin or windows.
    pub os: &'a str,
    /// `.chezmoi.arch`: amd64 or arm64.
    pub arch: &'a str,
}

/// What one template text renders to on that machine.
///
/// # Errors
/// With chezmoi's own message.
pub fn execute_template(
    lab: &Lab,
    source: &Path,
    machine: Machine<'_>,
    template: &str,
) -> anyhow::Result<String> {
    let home = scratch()?;
    let (call, _facts) = call(lab, source, home.path(), machine)?;
    let call = call.args(["execute-template", template]);
    Ok(call.run().context("chezmoi execute-template")?.text())
}

/// A home with every file (and no script) applied as on that machine, and nothing left to apply.
///
/// # Errors
/// With chezmoi's own message.
pub fn apply(lab: &Lab, source: &Path, machine: Machine<'_>) -> anyhow::Result<TempDir> {
    let home = scratch()?;
    let (call, _facts) = call(lab, source, home.path(), machine)?;
    let call = call.args(["apply", "--force", "--exclude=scripts,externals"]);
    call.run().context("chezmoi apply")?;
    let (call, _facts) = self::call(lab, source, home.path(), machine)?;
    let call = call.args(["verify", "--exclude=scripts,externals"]);
    call.run().context("chezmoi verify, right after apply")?;
    Ok(home)
}

/// A home with the configuration that `chezmoi init` makes of the source's own template, nobody there to answer.
///
/// # Errors
/// With chezmoi's own message.
pub fn init(lab: &Lab, source: &Path, machine: Machine<'_>) -> anyhow::Result<TempDir> {
    let home = scratch()?;
    let (call, _facts) = call(lab, source, home.path(), machine)?;
    let path = home.path().join(".config/chezmoi/chezmoi.toml");
    call.args(["init", "--config-path"]).arg(path).run().context("chezmoi init")?;
    Ok(home)
}

/// The whole target state of that machine as JSON, rendered scripts included: a map from path to entry, each with
/// `type` and, for files and scripts, `contents`.
///
/// # Errors
/// With chezmoi's own message.
pub fn dump(lab: &Lab, source: &Path, machine: Machine<'_>) -> anyhow::Result<serde_json::Value> {
    let home = scratch()?;
    let (call, _facts) = call(lab, source, home.path(), machine)?;
    let call = call.args(["dump", "--format=json", "--exclude=externals"]);
    let output = call.run().context("chezmoi dump")?;
    serde_json::from_slice(&output.stdout).context("read chezmoi's answer")
}

/// The call and the folder of its configuration, which holds the machine's facts and nothing else. Facts come in as
/// configured data, which chezmoi merges over what it finds out by itself.
fn call(
    lab: &Lab,
    source: &Path,
    home: &Path,
    machine: Machine<'_>,
) -> anyhow::Result<(Invocation, TempDir)> {
    let Machine { hostname, os, arch } = machine;
    let facts = serde_json::json!({ "hostname": hostname, "fqdnHostname": hostname, "os": os, "arch": arch });
    let configuration = scratch()?;
    let path = configuration.path().join("chezmoi.json");
    std::fs::write(&path, serde_json::json!({ "data": { "chezmoi": facts } }).to_string())?;
    // A session of its own has no terminal to fall back to.
    let call = match find_program("setsid") {
        Some(setsid) => Invocation::new(setsid).arg("--wait").arg(lab.path("chezmoi")),
        None => lab.tool("chezmoi"),
    };
    let call = call.args(["--no-tty", "--no-pager", "--color=false", "--progress=false"]);
    let call = call.arg("--source").arg(source).arg("--destination").arg(home).arg("--config").arg(path);
    let state = configuration.path().join("state.boltdb");
    let call =
        call.arg("--persistent-state").arg(state).arg("--cache").arg(configuration.path().join("cache"));
    Ok((call.env("HOME", home).env("XDG_CONFIG_HOME", home.join(".config")).folder(home), configuration))
}
