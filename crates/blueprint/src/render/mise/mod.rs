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

/// The mise binary, on Linux nodes that have the capability and where the lock has a pin.
///
/// # Errors
/// None at present; the signature is that of every family.
pub fn resources(_model: &Model, node: &Node, pins: &Pins) -> Result<Vec<Resource>, RenderError> {
    if !node.os.family.is_linux() || !node.can(Capability::Mise) {
        return Ok(Vec::new());
    }
    pins.get("mise", node.arch).into_iter().map(|pin| program("mise", pin)).collect()
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

/// The configuration of `node`; for a machine nobody knows, the tools alone.
///
/// # Errors
/// If a name in a task has no form in a shell command.
pub(super) fn config(model: &Model, node: Option<&Node>) -> Result<String, RenderError> {
    let version = |name: &str| {
        model.versions.get(name).map(|version| version.strip_prefix('v').unwrap_or(version).to_owned())
    };
    let config = Config {
        min_version: version("mise"),
        tools: TOOLS.into_iter().filter_map(|tool| Some((tool, version(tool)?))).collect(),
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
