//! Gates: units that must not start before what they write to is mounted (FIELD M5–M8).
//!
//! In: what a node mounts and serves, its services. Out: a drop-in a unit with literal paths, and one service that keeps
//! trying, because a unit whose mount failed never ran and so is not restarted. Units of a person's own manager can't
//! wait for a system mount this way (FIELD M6); who writes those uses `bootstrap wait-mount`.

use std::collections::{BTreeMap, BTreeSet};

use desired::resource::{Owner, Resource, Want};
use desired::{AbsPath, UnitName};
use serde::Serialize;

use super::entry::Entry;
use super::{BOOTSTRAP, UNITS, file, mode, path, server, unit_file};
use crate::model::{Capability, K3sRole, Model, Node, Service, ServiceKind, Share, ShareKind};
use crate::render::{RenderError, template};

/// 30 times 5 seconds, as document 000 has it.
const WAIT_SECS: u32 = 150;
/// Longer than the wait, or systemd would cut it short at its default of 90 seconds (PEERS 7.3, 14).
const START_MARGIN_SECS: u32 = 30;

/// Something mounted that units wait for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Mounted {
    path: AbsPath,
    /// File system types, separated by commas; an autofs in front of the real one is none of them (FIELD M8).
    types: String,
}

#[derive(Serialize)]
struct GateContext<'a> {
    mounts: &'a BTreeSet<Mounted>,
    is_service: bool,
}

#[derive(Serialize)]
struct WaitContext<'a> {
    units: Vec<&'a str>,
    mounts: BTreeSet<&'a Mounted>,
    bootstrap: &'static str,
    wait_secs: u32,
    start_secs: u32,
}

/// The drop-ins of `node` and the service that keeps trying.
///
/// # Errors
/// If a path has no form in a unit file.
pub fn resources(model: &Model, node: &Node, entries: &[Entry]) -> Result<Vec<Resource>, RenderError> {
    let gates = gates(model, node, entries)?;
    if gates.is_empty() {
        return Ok(Vec::new());
    }
    let mut all = Vec::new();
    for (unit, mounts) in &gates {
        all.extend(drop_in(unit, mounts)?);
    }
    let mounts: BTreeSet<&Mounted> = gates.values().flatten().collect();
    let secs = WAIT_SECS * u32::try_from(mounts.len()).unwrap_or(1) + START_MARGIN_SECS;
    let context = WaitContext {
        units: gates.keys().map(UnitName::as_str).collect(),
        mounts,
        bootstrap: BOOTSTRAP,
        wait_secs: WAIT_SECS,
        start_secs: secs,
    };
    let text = template::render("mounts/rootstock-mounts.service", &context)?;
    let waiter = unit_file("rootstock-mounts.service", text)?;
    let name = "rootstock-mounts.service".parse().map_err(RenderError::invalid("a unit"))?;
    let unit =
        Want::Unit { name, enabled: true, active: true, waits: true, restart_on: [waiter.id.clone()].into() };
    all.push(waiter);
    all.push(Resource::new(unit));
    Ok(all)
}

fn drop_in(unit: &UnitName, mounts: &BTreeSet<Mounted>) -> Result<[Resource; 2], RenderError> {
    let invalid = || RenderError::invalid(format!("the drop-in of {unit}"));
    let folder = path(UNITS)?.join(&format!("{unit}.d")).map_err(invalid())?;
    let place = folder.join("10-rootstock-mounts.conf").map_err(invalid())?;
    let context = GateContext { mounts, is_service: unit.as_str().ends_with(".service") };
    let folder = Resource::new(Want::Directory { path: folder, mode: mode("0755")?, owner: Owner::root() });
    let conf = file(place, template::render("mounts/gate.conf", &context)?).after(&folder.id);
    Ok([folder, conf])
}

/// What each unit waits for.
fn gates(
    model: &Model,
    node: &Node,
    entries: &[Entry],
) -> Result<BTreeMap<UnitName, BTreeSet<Mounted>>, RenderError> {
    let mut gates: BTreeMap<UnitName, BTreeSet<Mounted>> = BTreeMap::new();
    for (entry, (share, _)) in entries.iter().zip(model.mounts_of(&node.name)) {
        let mounted = Mounted { path: entry.mount_point.clone(), types: entry.seen_as.to_owned() };
        for unit in share.gates.iter().filter_map(|unit| here(unit, node)) {
            gates.entry(unit).or_default().insert(mounted.clone());
        }
        if let Some(unit) = engine(model, node, share, &entry.mount_point)? {
            gates.entry(unit).or_default().insert(mounted);
        }
    }
    for share in server::serves(model, node).filter(|share| share.device.is_some()) {
        let types = share.filesystem.clone().unwrap_or_else(|| "noautofs".to_owned());
        let mounted = Mounted { path: share.path.clone(), types };
        let daemon = match share.kind {
            ShareKind::Smb => "smbd.service",
            ShareKind::Nfs => "nfs-server.service",
        };
        let units = engine(model, node, share, &share.path)?.into_iter().chain([unit(daemon)?]);
        for unit in units {
            gates.entry(unit).or_default().insert(mounted.clone());
        }
    }
    Ok(gates)
}

/// Docker on `node`, if one of its Compose services needs `share`, found at `place`, or keeps data there. (What Kubernetes
/// mounts is its own business; a node is held back for a share only where the spec says so in `gates`.)
fn engine(
    model: &Model,
    node: &Node,
    share: &Share,
    place: &AbsPath,
) -> Result<Option<UnitName>, RenderError> {
    let uses = |service: &Service| {
        service.kind == ServiceKind::Compose
            && (service.needs_shares.contains(&share.name)
                || service.all_volumes().any(|volume| place.contains(&volume.source)))
    };
    if node.can(Capability::Docker) && model.services_on(&node.name).any(uses) {
        Ok(Some(unit("docker.service")?))
    } else {
        Ok(None)
    }
}

/// The unit a spec names, as it is called on `node`, if it is there: k3s has another unit on agents than on servers.
fn here(unit: &UnitName, node: &Node) -> Option<UnitName> {
    match unit.as_str() {
        "k3s.service" | "k3s-agent.service" => k3s_unit(node),
        "docker.service" if !node.can(Capability::Docker) => None,
        _ => Some(unit.clone()),
    }
}

fn k3s_unit(node: &Node) -> Option<UnitName> {
    let name = match node.k3s? {
        K3sRole::FirstServer | K3sRole::Server => "k3s.service",
        K3sRole::Agent => "k3s-agent.service",
    };
    name.parse().ok()
}

fn unit(name: &str) -> Result<UnitName, RenderError> {
    name.parse().map_err(RenderError::invalid("a gated unit"))
}
