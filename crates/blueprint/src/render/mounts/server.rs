//! The server's side: the device under a share, its folders, and NFS exports.
//!
//! In: shares that the node serves. Out: device entries for fstab, folders of the admin user, one exports file of ours
//! (FIELD M14) with its server. Samba's own configuration is not written here.

use desired::AbsPath;
use desired::resource::{Owner, Resource, ResourceId, Want};

use super::{file, mode, path};
use crate::escape::{Inexpressible, exports, fstab, systemd};
use crate::model::{Model, Node, Share, ShareKind, ShareServer};
use crate::render::RenderError;
use crate::render::packages::{self, Need};

/// A device under a share.
#[derive(Debug, Clone)]
pub struct Device {
    /// The share's name.
    pub share: String,
    /// The device as fstab names it (`UUID=…`), never by a name that can move.
    pub source: String,
    /// The folder that is served.
    pub mount_point: AbsPath,
    /// The file system's type.
    pub filesystem: String,
}

impl Device {
    /// The options: a disk that is missing must not keep the machine from booting, what needs it is gated.
    pub fn options(&self) -> Vec<String> {
        ["defaults", "nofail", "nosuid", "nodev", "x-systemd.device-timeout=30s"].map(str::to_owned).into()
    }
    /// Its line in fstab, with those options as written there.
    pub fn line(&self, options: &str) -> Result<String, Inexpressible> {
        // only the ext family has a checker that wants to run before mounting
        let pass = if self.filesystem.starts_with("ext") { 2 } else { 0 };
        let [source, place, kind] = [&self.source, self.mount_point.as_str(), &self.filesystem];
        Ok(format!(
            "{} {} {} {options} 0 {pass}\n",
            fstab::field(source)?,
            fstab::field(place)?,
            fstab::field(kind)?
        ))
    }
}

/// Shares that `node` serves.
pub fn serves<'a>(model: &'a Model, node: &'a Node) -> impl Iterator<Item = &'a Share> {
    model
        .shares
        .values()
        .filter(move |share| matches!(&share.server, ShareServer::Node(name) if *name == node.name))
}

/// Devices under shares that `node` serves.
pub fn devices(model: &Model, node: &Node) -> Vec<Device> {
    serves(model, node)
        .filter_map(|share| {
            let device = share.device.as_ref()?;
            Some(Device {
                share: share.name.clone(),
                source: tag(device),
                mount_point: share.path.clone(),
                filesystem: share.filesystem.clone().unwrap_or_else(|| "auto".to_owned()),
            })
        })
        .collect()
}

/// `/dev/disk/by-uuid/X` as `UUID=X`, and so on; other names stay paths.
fn tag(device: &AbsPath) -> String {
    for (folder, tag) in [("by-uuid", "UUID"), ("by-label", "LABEL"), ("by-partuuid", "PARTUUID")] {
        if let Some(name) = device.as_str().strip_prefix(&format!("/dev/disk/{folder}/")) {
            return format!("{tag}={name}");
        }
    }
    device.to_string()
}

/// Folders and exports of the shares that `node` serves.
///
/// # Errors
/// If a path has no form in exports or no unit name.
pub fn resources(model: &Model, node: &Node) -> Result<Vec<Resource>, RenderError> {
    let mut all = Vec::new();
    for share in serves(model, node) {
        all.extend(folders(model, share)?);
    }
    all.extend(nfs(model, node)?);
    Ok(all)
}

/// The served folder and those below it, the admin user's; on a device only once that is mounted, or they would fill the
/// bare folder under it (FIELD M7).
fn folders(model: &Model, share: &Share) -> Result<Vec<Resource>, RenderError> {
    if is_fuse(share) {
        // whoever makes the FUSE mount owns what is there
        return Ok(Vec::new());
    }
    let invalid = || RenderError::invalid(format!("the folders of share {}", share.name));
    let mounted = match &share.device {
        Some(_) => Some(mount_unit(share)?),
        None => None,
    };
    let owner = Owner { user: model.admin_user.clone(), group: model.admin_user.clone() };
    let mut paths = vec![share.path.clone()];
    for name in &share.directories {
        paths.push(share.path.join(name).map_err(invalid())?);
    }
    paths
        .into_iter()
        .map(|path| {
            let folder = Resource::new(Want::Directory { path, mode: mode("0755")?, owner: owner.clone() });
            Ok(match &mounted {
                Some(unit) => folder.after(unit),
                None => folder,
            })
        })
        .collect()
}

/// Somebody else's mount: no device of ours, and an `fsid`, which only such exports need (FIELD M13).
fn is_fuse(share: &Share) -> bool {
    share.device.is_none() && share.fsid.is_some()
}

/// The state of the unit systemd makes of the device's line.
fn mount_unit(share: &Share) -> Result<ResourceId, RenderError> {
    let unfit = RenderError::inexpressible(format!("the mount unit of share {}", share.name));
    let name = systemd::path_unit(&share.path, "mount").map_err(unfit)?;
    Ok(Want::Unit { name, enabled: true, active: true, waits: false, restart_on: [].into() }.id())
}

/// The exports file and the server that reads it; nothing where no NFS share is served.
fn nfs(model: &Model, node: &Node) -> Result<Vec<Resource>, RenderError> {
    let mut lines = String::new();
    for share in serves(model, node).filter(|share| share.kind == ShareKind::Nfs) {
        lines.push_str(&export(share)?);
    }
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    let folder = Resource::new(Want::Directory {
        path: path("/etc/exports.d")?,
        mode: mode("0755")?,
        owner: Owner::root(),
    });
    let content = format!(
        "# Written by rootstock, the only writer of this file; other exports are left alone.\n{lines}"
    );
    let exports = file(path("/etc/exports.d/rootstock.exports")?, content).after(&folder.id);
    let name = "nfs-server.service".parse().map_err(RenderError::invalid("the NFS server's unit"))?;
    let mut unit = Resource::new(Want::Unit {
        name,
        enabled: true,
        active: true,
        waits: false,
        restart_on: [exports.id.clone()].into(),
    });
    if let Some(packages) = packages::id(node, &[Need::NfsServer]) {
        unit = unit.after(&packages);
    }
    Ok(vec![folder, exports, unit])
}

/// One export: only the network that the spec names, and root of a client is nobody here (FIELD X27), or everybody is the
/// one user whose the folders are: else no driver of volumes, which works as root, makes a folder in them.
fn export(share: &Share) -> Result<String, RenderError> {
    let unfit = RenderError::inexpressible(format!("the export of share {}", share.name));
    let path = exports::path(share.path.as_str()).map_err(unfit)?;
    let access = if share.read_only { "ro" } else { "rw" };
    let squash = match share.squash_to {
        Some(number) => format!("all_squash,anonuid={number},anongid={number}"),
        None => "root_squash".to_owned(),
    };
    let mut options = format!("{access},sync,no_subtree_check,{squash}");
    if share.device.is_some() || is_fuse(share) {
        // a bare folder is not served in the place of a disk or mount that is missing
        options.push_str(",mountpoint");
    }
    if let Some(fsid) = share.fsid {
        // FUSE has no identity that lasts; the kernel's server needs one (FIELD M13)
        options.push_str(&format!(",fsid={fsid}"));
    }
    Ok(format!("{path} {}({options})\n", share.export_to))
}
