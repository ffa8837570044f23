//! k3s: configuration, program, unit and node metadata for servers and agents, and scripts that do it by hand.
//!
//! In: a node with a part in k3s. Out: `config.yaml`, `registries.yaml`, the token by reference, the kubelet's
//! reserves, our own unit, labels and taints; in the cluster tree what a server applies after nodes registered.
//! No token is ever on a command line or in a unit (FIELD K33, S4, S5).

mod config;
mod join;
mod kubelet;
mod labels;
mod metadata;
mod registries;
mod sleep;
mod unit;

use std::collections::BTreeSet;

use desired::resource::{Owner, Resource, SecretPart, Want};
use desired::{AbsPath, Mode};
pub use join::extras;
pub use metadata::tree;

use super::packages::{self, Need};
use super::{RenderError, pin};
use crate::model::{Board, K3s, K3sRole, Model, Node, Pin, Pins};

/// Where k3s reads its settings, and whatever is added to them in `config.yaml.d` by a person.
const CONFIG: &str = "/etc/rancher/k3s/config.yaml";
/// Where k3s reads registries.
const REGISTRIES: &str = "/etc/rancher/k3s/registries.yaml";
/// Where the token is read from.
const TOKEN: &str = "/etc/rancher/k3s/token";
/// The program.
const PROGRAM: &str = "/usr/local/bin/k3s";

/// What a k3s node is given; nothing where it has no part in k3s.
///
/// # Errors
/// If k3s is not pinned at the profile's version, or a value has no form in its file.
pub fn resources(model: &Model, node: &Node, pins: &Pins) -> Result<Vec<Resource>, RenderError> {
    let (Some(k3s), Some(role)) = (&model.k3s, node.k3s) else {
        return Ok(Vec::new());
    };
    let mut files = vec![program(k3s, node, pins)?];
    files.extend(images(k3s, node, pins)?);
    files.push(private(CONFIG, config::document(model, k3s, node, role)?)?);
    files.extend(registries::resource(model)?);
    files.push(token(k3s, role)?);
    files.extend(kubelet::resource(k3s, node)?);
    files.push(unit::file(role)?);
    // What k3s reads at its start; its images it picks up by itself.
    let restart_on: BTreeSet<_> = files
        .iter()
        .map(|resource| resource.id.clone())
        .filter(|id| !id.as_str().contains("/agent/images/"))
        .collect();
    let mut all = Vec::with_capacity(files.len() + 3);
    if matches!(node.board, Some(Board::Rpi4 | Board::Rpi5)) {
        all.extend(packages::resource(node, &[Need::ExtraModules]));
    }
    all.extend(files);
    let unit = Want::Unit { name: unit::name(role)?, enabled: true, active: true, waits: false, restart_on };
    // Without the memory cgroup k3s only fails again and again (FIELD K1).
    let line = super::host::memory_cgroup(node)?;
    all.push(line.into_iter().fold(Resource::new(unit), |unit, line| unit.after(&line.id)));
    all.extend(metadata::resource(node));
    all.extend(sleep::resources(k3s, node, role)?);
    Ok(all)
}

/// The program, at the version the profile names.
fn program(k3s: &K3s, node: &Node, pins: &Pins) -> Result<Resource, RenderError> {
    let pin = pinned(k3s, "k3s", node, pins)?;
    artifact(PROGRAM.parse().map_err(RenderError::invalid(PROGRAM))?, "k3s", pin)
}

/// The images a node without the internet starts from, where they are pinned; their version must be k3s's own
/// (FIELD K25).
fn images(k3s: &K3s, node: &Node, pins: &Pins) -> Result<Option<Resource>, RenderError> {
    const ARTIFACT: &str = "k3s-airgap-images";
    if pins.get(ARTIFACT, node.arch).is_none() {
        return Ok(None);
    }
    let pin = pinned(k3s, ARTIFACT, node, pins)?;
    let path = format!("{}/agent/images/{ARTIFACT}-{}.tar.zst", k3s.data_dir, node.arch);
    artifact(path.parse().map_err(RenderError::invalid(path.clone()))?, ARTIFACT, pin).map(Some)
}

/// The pin of a k3s artifact, if it is of the version the profile names.
fn pinned<'a>(k3s: &K3s, artifact: &str, node: &Node, pins: &'a Pins) -> Result<&'a Pin, RenderError> {
    let pin = pin(pins, artifact, node)?;
    if pin.version == k3s.version {
        return Ok(pin);
    }
    Err(RenderError::StalePin {
        artifact: artifact.parse().map_err(RenderError::invalid(artifact))?,
        pinned: pin.version.clone(),
        wanted: k3s.version.clone(),
        node: node.name.clone(),
    })
}

fn artifact(path: AbsPath, name: &str, pin: &Pin) -> Result<Resource, RenderError> {
    Ok(Resource::new(Want::Artifact {
        path,
        mode: pin.mode,
        artifact: name.parse().map_err(RenderError::invalid(name))?,
        file: pin.file.clone(),
        version: Some(pin.version.clone()),
        pinned: pin.pinned.clone(),
    }))
}

/// The token by reference: the cluster's secret on servers, what only joins on agents (FIELD K13).
fn token(k3s: &K3s, role: K3sRole) -> Result<Resource, RenderError> {
    let reference = if role.is_server() { &k3s.server_token } else { &k3s.agent_token };
    Ok(Resource::new(Want::SecretFile {
        path: TOKEN.parse().map_err(RenderError::invalid(TOKEN))?,
        mode: Mode::PRIVATE,
        owner: Owner::root(),
        parts: vec![SecretPart::Secret(reference.clone()), SecretPart::Text("\n".to_owned())],
    }))
}

/// A file for root alone.
fn private(path: &str, content: String) -> Result<Resource, RenderError> {
    Ok(Resource::new(Want::File {
        path: path.parse().map_err(RenderError::invalid(path))?,
        mode: Mode::PRIVATE,
        owner: Owner::root(),
        content,
    }))
}

#[cfg(test)]
mod tests;
