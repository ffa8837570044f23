//! Mounts: shares where they are used, devices and exports where they are served, and units that wait for both.
//!
//! In: the shares a node mounts or serves, the services on it. Out: on k3s nodes a `.mount` and `.automount` unit a share,
//! elsewhere one block in /etc/fstab (docs/decisions says why); credentials by reference; gates. Windows, WSL2 and
//! macOS mount in other ways and get nothing here.

mod entry;
mod fstab;
mod gate;
mod native;
mod server;
#[cfg(test)]
mod tests;

use desired::resource::{Owner, Resource, ResourceId, SecretPart, Want};
use desired::{AbsPath, Mode};

use self::entry::Entry;
use super::RenderError;
use super::packages::{self, Need};
use crate::model::{Model, Node, Pins, Share, ShareKind};

/// Where the node's binary is installed.
pub(crate) const BOOTSTRAP: &str = "/usr/local/bin/bootstrap";
/// Credentials of SMB shares, a file a share (FIELD M11, S8).
const CREDENTIALS: &str = "/etc/samba/credentials";
/// systemd's folder for units of the machine's administrator.
const UNITS: &str = "/etc/systemd/system";

/// What `node` mounts, serves and holds back until it is mounted.
///
/// # Errors
/// If a path or option has no form in fstab or a unit file.
pub fn resources(model: &Model, node: &Node, _pins: &Pins) -> Result<Vec<Resource>, RenderError> {
    if !node.os.family.is_linux() {
        return Ok(Vec::new());
    }
    let entries = model
        .mounts_of(&node.name)
        .map(|(share, mount_point)| Entry::of_share(model, node, share, mount_point))
        .collect::<Result<Vec<_>, _>>()?;
    let mut all = Vec::new();
    let needs = needs(model, node);
    all.extend(packages::resource(node, &needs));
    for (share, _) in model.mounts_of(&node.name) {
        all.extend(credentials(share)?);
    }
    let served = server::devices(model, node);
    if node.k3s.is_some() {
        all.extend(native::units(node, &entries)?);
        all.extend(fstab::block(node, &[], &served)?);
    } else {
        all.extend(fstab::block(node, &entries, &served)?);
    }
    all.extend(server::resources(model, node)?);
    all.extend(gate::resources(model, node, &entries)?);
    Ok(all)
}

/// What must be installed for that.
fn needs(model: &Model, node: &Node) -> Vec<Need> {
    let mut needs: Vec<Need> = model
        .mounts_of(&node.name)
        .map(|(share, _)| match share.kind {
            ShareKind::Smb => Need::CifsClient,
            ShareKind::Nfs => Need::NfsClient,
        })
        .collect();
    if server::serves(model, node).any(|share| share.kind == ShareKind::Nfs) {
        needs.push(Need::NfsServer);
    }
    needs.sort_unstable();
    needs.dedup();
    needs
}

/// What must be there before `entry` can be mounted: the mount helper, and the credentials its options name.
fn earlier(node: &Node, entry: &Entry) -> Result<Vec<ResourceId>, RenderError> {
    let mut earlier = Vec::new();
    let need = if entry.filesystem == "cifs" { Need::CifsClient } else { Need::NfsClient };
    earlier.extend(packages::id(node, &[need]));
    if let Some(path) = entry.options.iter().find_map(|option| option.strip_prefix("credentials=")) {
        let credentials = Want::SecretFile {
            path: self::path(path)?,
            mode: Mode::PRIVATE,
            owner: Owner::root(),
            parts: Vec::new(),
        };
        earlier.push(credentials.id());
    }
    Ok(earlier)
}

/// The credentials file of `share`.
fn credentials_path(share: &Share) -> Result<AbsPath, RenderError> {
    path(CREDENTIALS)?.join(&share.name).map_err(RenderError::invalid("a credentials file"))
}

/// `username=`, `password=`, `domain=` and nothing else; the password comes in on the node.
fn credentials(share: &Share) -> Result<Vec<Resource>, RenderError> {
    let (ShareKind::Smb, Some(user), Some(password)) = (share.kind, &share.user, &share.password) else {
        return Ok(Vec::new());
    };
    let folder = Resource::new(Want::Directory {
        path: path(CREDENTIALS)?,
        mode: mode("0700")?,
        owner: Owner::root(),
    });
    let mut parts = vec![
        SecretPart::Text(format!("username={user}\npassword=")),
        SecretPart::Secret(password.clone()),
        SecretPart::Text("\n".to_owned()),
    ];
    if let Some(workgroup) = &share.workgroup {
        parts.push(SecretPart::Text(format!("domain={workgroup}\n")));
    }
    let file = Resource::new(Want::SecretFile {
        path: credentials_path(share)?,
        mode: Mode::PRIVATE,
        owner: Owner::root(),
        parts,
    })
    .after(&folder.id);
    Ok(vec![folder, file])
}

/// A file of ours, `root:root` and 0644.
fn file(path: AbsPath, content: String) -> Resource {
    Resource::new(Want::File { path, mode: Mode::PUBLIC, owner: Owner::root(), content })
}

/// A unit file of that name.
fn unit_file(name: &str, content: String) -> Result<Resource, RenderError> {
    let path = path(UNITS)?.join(name).map_err(RenderError::invalid("a unit file"))?;
    Ok(file(path, content))
}

fn path(text: &str) -> Result<AbsPath, RenderError> {
    text.parse().map_err(RenderError::invalid("a path of the mounts family"))
}

fn mode(text: &str) -> Result<Mode, RenderError> {
    text.parse().map_err(RenderError::invalid("a mode of the mounts family"))
}
