//! Nodes that use Longhorn's volumes, and nodes whose containers mount file systems for the host.
//!
//! In: the service that is Longhorn's chart, and capabilities. Out: the initiator with a name of the node's own, a multipathd that
//! keeps its hands off (FIELD L1-L4), and mounts that travel between host and containers (document 001, DFS Sharing).

use desired::resource::{Owner, Resource, Want};
use desired::{AbsPath, Mode, UnitName};

use super::RenderError;
use super::packages::{self, Need};
use crate::model::{Capability, Model, Node, Pins};

/// The unit that lets mounts travel.
const SHARED_MOUNTS: &str = "rootstock-shared-mounts.service";

/// Volumes are shown as /dev/sd*, and multipathd would take them: `already mounted or mount point busy` (FIELD L4).
const BLACKLIST: &str =
    "# Longhorn's volumes are no paths of a SAN.\nblacklist {\n    devnode \"^sd[a-z0-9]+\"\n}\n";

/// What every node of either kind is given.
///
/// # Errors
/// If a path or name computed here is none.
pub fn resources(model: &Model, node: &Node, _pins: &Pins) -> Result<Vec<Resource>, RenderError> {
    let mut all = Vec::new();
    if !node.os.family.is_linux() {
        return Ok(all);
    }
    if uses_volumes(model, node) {
        all.extend(initiator(model, node)?);
    }
    if node.can(Capability::FusePropagation) {
        all.extend(shared_mounts()?);
    }
    Ok(all)
}

/// Also where no replicas are kept: each node attaches the volumes of its own pods (FIELD X21).
fn uses_volumes(model: &Model, node: &Node) -> bool {
    model.services.values().any(|service| {
        let chart = service.kubernetes.as_ref().and_then(|kubernetes| kubernetes.chart.as_ref());
        chart.is_some_and(|chart| chart.name == "longhorn") && service.nodes.contains(&node.name)
    })
}

fn initiator(model: &Model, node: &Node) -> Result<Vec<Resource>, RenderError> {
    let mut all: Vec<Resource> =
        packages::resource(node, &[Need::Iscsi, Need::NfsClient]).into_iter().collect();
    let packages = packages::id(node, &[Need::Iscsi]);
    // Two nodes with one name log each other out (FIELD L3). The package makes up a name once and images copy it; a name made
    // of the node's is never that of another. The form is RFC 3720's, the authority nobody's.
    let name = format!("InitiatorName=iqn.2026-01.example.rootstock:{}.{}\n", model.name, node.name);
    let mut name = file("/etc/iscsi/initiatorname.iscsi", Mode::PRIVATE, name)?;
    let folder = Resource::new(Want::Directory {
        path: path("/etc/multipath/conf.d")?,
        mode: "0755".parse().map_err(RenderError::invalid("0755"))?,
        owner: Owner::root(),
    });
    let above = Resource::new(Want::Directory {
        path: path("/etc/multipath")?,
        mode: "0755".parse().map_err(RenderError::invalid("0755"))?,
        owner: Owner::root(),
    });
    let folder = folder.after(&above.id);
    let blacklist = file("/etc/multipath/conf.d/50-rootstock.conf", Mode::PUBLIC, BLACKLIST.to_owned())?;
    let blacklist = blacklist.after(&folder.id);
    let mut unit = unit("iscsid.service", &name)?;
    if let Some(packages) = &packages {
        // The package writes the file first, and would ask whether to keep ours.
        name = name.after(packages);
        unit = unit.after(packages);
    }
    all.extend([name, above, folder, blacklist, unit]);
    Ok(all)
}

/// systemd shares the mounts of `/` by itself; a node where something took that back is put right at every start.
fn shared_mounts() -> Result<Vec<Resource>, RenderError> {
    const UNIT: &str = "# Written by rootstock. Mounts of the host are seen in containers, and theirs on the host, where a pod asks for it.\n\
         [Unit]\nDescription=Let mounts travel between host and containers\nBefore=k3s.service k3s-agent.service\n\n\
         [Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/bin/mount --make-rshared /\n\n\
         [Install]\nWantedBy=multi-user.target\n";
    let unit_file = file(&format!("/etc/systemd/system/{SHARED_MOUNTS}"), Mode::PUBLIC, UNIT.to_owned())?;
    let unit = unit(SHARED_MOUNTS, &unit_file)?;
    Ok(vec![unit_file, unit])
}

/// A running unit that starts anew when a file changes.
fn unit(name: &str, file: &Resource) -> Result<Resource, RenderError> {
    let name: UnitName = name.parse().map_err(RenderError::invalid("a unit of a storage node"))?;
    let restart_on = [file.id.clone()].into();
    Ok(Resource::new(Want::Unit { name, enabled: true, active: true, waits: false, restart_on }))
}

fn file(at: &str, mode: Mode, content: String) -> Result<Resource, RenderError> {
    Ok(Resource::new(Want::File { path: path(at)?, mode, owner: Owner::root(), content }))
}

fn path(text: &str) -> Result<AbsPath, RenderError> {
    text.parse().map_err(RenderError::invalid("a path of a storage node"))
}
