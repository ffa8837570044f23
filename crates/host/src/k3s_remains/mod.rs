//! What k3s leaves behind when it is stopped: containers, mounts, network, rules, files.
//!
//! In: a [`Ground`], what was not there before k3s first started here; `leave` hands it over once the unit is stopped. Out:
//! all of it gone that k3s made since. What was there before is never touched, nor are rules, links or processes that
//! do not carry k3s's own names (the list is that of the vendor's `k3s-killall.sh`).

mod files;
mod network;
mod programs;
mod rules;

use std::collections::BTreeSet;

use desired::preflight::needs::{CONFIG, scalars};
use desired::{AbsPath, UnitName};

use crate::journal::{Ground, History};
use crate::perform::PerformError;
use crate::root::Root;

/// Where k3s keeps its data unless its settings say otherwise.
const DATA: &str = "/var/lib/rancher/k3s";
/// Its other places: its own, and those of the kubelet, of CNI and of containerd as k3s starts them.
const PLACES: [&str; 12] = [
    "/etc/rancher/node",
    "/etc/rancher/k3s/k3s.yaml",
    "/run/flannel",
    "/run/k3s",
    "/run/nri",
    "/run/containerd",
    "/usr/libexec/kubernetes",
    "/var/lib/cni",
    "/var/lib/kubelet",
    "/var/log/containers",
    "/var/log/pods",
    "/run/xtables.lock",
];

/// Whether this unit starts k3s.
#[must_use]
pub(crate) fn is_of_k3s(unit: &UnitName) -> bool {
    matches!(unit.as_str(), "k3s.service" | "k3s-agent.service")
}

/// Where the k3s that is set up here keeps its data.
#[must_use]
pub(crate) fn data_folder(root: &Root) -> String {
    let settings = root.read_text(CONFIG).ok().flatten().unwrap_or_default();
    scalars(&settings).remove("data-dir").unwrap_or_else(|| DATA.to_owned())
}

/// What is not there yet; what this tool itself has made counts as not there.
#[must_use]
pub(crate) fn ground(root: &Root, history: &History) -> Ground {
    let data = data_folder(root);
    let made: BTreeSet<AbsPath> =
        history.backwards().into_iter().flat_map(|(_, story)| story.folders.clone()).collect();
    let parts = ["agent", "data", "server", "storage"].map(|part| format!("{data}/{part}"));
    let places = PLACES.iter().map(|place| (*place).to_owned()).chain([data]).chain(parts);
    let mut ground = Ground::default();
    for place in places.filter_map(|place| place.parse::<AbsPath>().ok()) {
        match root.see(place.as_str()) {
            Ok(Some(_)) if made.contains(&place) => ground.absent.push(place),
            Ok(Some(_)) if root.list(place.as_str()).is_empty() => ground.empty.push(place),
            Ok(None) => ground.absent.push(place),
            _ => {}
        }
    }
    if root.is_live() {
        ground.links = network::absent();
    }
    ground
}

/// Removes what k3s made since. `kept` are places that others give back; they and their folders stay. Gives what could not
/// be removed, a clause each.
///
/// # Errors
/// If a file can't be removed.
pub(crate) fn clear(
    root: &Root,
    ground: &Ground,
    kept: &BTreeSet<AbsPath>,
) -> Result<Vec<String>, PerformError> {
    if !root.is_live() {
        // k3s never ran there.
        return Ok(Vec::new());
    }
    programs::end_containers();
    let places: Vec<&AbsPath> = ground.absent.iter().chain(&ground.empty).collect();
    let stays = files::unmount(&places);
    network::remove(&ground.links);
    rules::remove();
    programs::remove_control_groups();
    for place in &ground.absent {
        files::remove(place, true, kept)?;
    }
    for place in &ground.empty {
        files::remove(place, false, kept)?;
    }
    Ok(stays)
}
