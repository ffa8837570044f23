//! mise: pinned tools, and one task that deploys each Compose service.
//!
//! In: versions and services of the model, the pin of mise. Out: the binary on nodes that have the capability, and a
//! configuration a node, written by the TOML serializer (FIELD C10). chezmoi puts it into the person's home; the copies
//! under `mise/<node>/` are for reading.

mod task;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use desired::resource::{Resource, Want};
use desired::{FileSet, Mode};
use serde::Serialize;

use self::task::Task;
use super::RenderError;
use crate::escape::toml;
use crate::model::{Capability, Model, Node, Pin, Pins};

/// Artifacts that mise can install under the same name. mise's `docker-compose` is no plugin (FIELD C14) and not here.
const TOOLS: [&str; 2] = ["chezmoi", "infisical"];

/// A configuration file of mise.
#[derive(Debug, Serialize)]
struct Config {
    #[serde(skip_serializing_if = "Option::is_none")]
    min_version: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tools: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tasks: BTreeMap<String, Task>,
}

/// The mise binary and the tools it installs, on Linux nodes that have the capability and where the lock has a pin.
///
/// # Errors
/// None at present; the signature is that of every family.
pub fn resources(model: &Model, node: &Node, pins: &Pins) -> Result<Vec<Resource>, RenderError> {
    if !node.os.family.is_linux() || !node.can(Capability::Mise) {
        return Ok(Vec::new());
    }
    let Some(pin) = pins.get("mise", node.arch) else { return Ok(Vec::new()) };
    let mut all = vec![program("mise", pin)?];
    let tools: BTreeMap<String, String> =
        tools(model).into_iter().map(|(name, version)| (name.to_owned(), version)).collect();
    if !tools.is_empty() {
        all.push(Resource::new(Want::Mise { user: model.admin_user.clone(), tools }));
    }
    Ok(all)
}

/// A pinned program under /usr/local/bin.
///
/// # Errors
/// If `name` is no artifact's name.
pub(super) fn program(name: &str, pin: &Pin) -> Result<Resource, RenderError> {
    let invalid = || RenderError::invalid(format!("the program {name}"));
    Ok(Resource::new(Want::Artifact {
        path: format!("/usr/local/bin/{name}").parse().map_err(invalid())?,
        mode: Mode::EXECUTABLE,
        artifact: name.parse().map_err(invalid())?,
        file: pin.file.clone(),
        version: None,
        pinned: pin.pinned.clone(),
    }))
}

/// `mise/<node>/mise.toml` for every node that has the capability.
///
/// # Errors
/// If a name in a task has no form in a shell command.
pub fn tree(model: &Model, _pins: &Pins) -> Result<FileSet, RenderError> {
    let mut files = FileSet::new();
    for node in model.nodes.values().filter(|node| node.can(Capability::Mise)) {
        let path = format!("mise/{}/mise.toml", node.name);
        files
            .insert(&path, Mode::PUBLIC, config(model, Some(node))?)
            .map_err(RenderError::invalid("the mise tree"))?;
    }
    Ok(files)
}

/// The version the cluster names, as mise writes it.
fn version(model: &Model, name: &str) -> Option<String> {
    model.versions.get(name).map(|version| version.strip_prefix('v').unwrap_or(version).to_owned())
}

/// The tools that mise installs.
fn tools(model: &Model) -> BTreeMap<&'static str, String> {
    TOOLS.into_iter().filter_map(|tool| Some((tool, version(model, tool)?))).collect()
}

/// The configuration of `node`; for a machine nobody knows, the tools alone.
///
/// # Errors
/// If a name in a task has no form in a shell command.
pub(super) fn config(model: &Model, node: Option<&Node>) -> Result<String, RenderError> {
    let config = Config {
        min_version: version(model, "mise"),
        tools: tools(model),
        tasks: match node {
            Some(node) => task::tasks(model, node)?,
            None => BTreeMap::new(),
        },
    };
    let document = toml::document(&config).map_err(RenderError::inexpressible("a mise configuration"))?;
    Ok(format!(
        "# Written by rootstock for cluster {}; it overwrites changes made here.\n{document}",
        model.name
    ))
}
