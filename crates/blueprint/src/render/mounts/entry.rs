//! One mount of a share on a client, before it is written as an fstab line or as units.
//!
//! In: a share, a client, the node. Out: source, place, type and options, each as the kernel's helper wants it.

use std::net::Ipv4Addr;

use desired::{AbsPath, Invalid};
use ipnet::Ipv4Net;

use super::credentials_path;
use crate::model::{Model, Node, Share, ShareKind};
use crate::render::RenderError;

/// The range meshes take their addresses from, RFC 6598.
const MESH_RANGE: (Ipv4Addr, u8) = (Ipv4Addr::new(100, 64, 0, 0), 10);

/// One mount of a share.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The share's name.
    pub share: String,
    /// What is mounted: `//address/name` or `address:/path`.
    pub source: String,
    /// Where.
    pub mount_point: AbsPath,
    /// The type the mount helper is chosen by.
    pub filesystem: &'static str,
    /// Types the kernel may show it under.
    pub seen_as: &'static str,
    /// Options of the file system; systemd's own are added by who writes them.
    pub options: Vec<String>,
    /// The server's address is in the mesh (FIELD M10).
    pub waits_for_mesh: bool,
    /// Seconds a mount may take.
    pub mount_timeout_secs: u32,
    /// Seconds unused after which it is unmounted.
    pub idle_timeout_secs: Option<u32>,
}

impl Entry {
    /// How `client` mounts `share`.
    ///
    /// # Errors
    /// If the mount point is no absolute path.
    pub fn of_share(
        model: &Model,
        node: &Node,
        share: &Share,
        mount_point: &str,
    ) -> Result<Self, RenderError> {
        let where_used = || RenderError::invalid(format!("share {} on {}", share.name, node.name));
        let mount_point = mount_point.parse().map_err(where_used())?;
        let address = model.server_address(share).ok_or_else(|| Invalid {
            what: "server of a share",
            value: share.name.clone(),
            why: "it has no address on the network that clients use".to_owned(),
        });
        let address = address.map_err(where_used())?;
        let (source, filesystem, seen_as) = match share.kind {
            ShareKind::Smb => (format!("//{address}/{}", share.export_name), "cifs", "cifs,smb3"),
            ShareKind::Nfs => (format!("{address}:{}", share.path), "nfs", "nfs,nfs4"),
        };
        Ok(Self {
            share: share.name.clone(),
            source,
            mount_point,
            filesystem,
            seen_as,
            options: options(model, node, share)?,
            waits_for_mesh: is_mesh(address),
            mount_timeout_secs: share.mount_timeout_secs,
            idle_timeout_secs: share.idle_timeout_secs,
        })
    }
}

/// The options of the file system itself. Programs of others' machines gain no rights here (`nosuid,nodev`); a
/// writable share waits for its server instead of losing writes (FIELD M15).
fn options(model: &Model, node: &Node, share: &Share) -> Result<Vec<String>, RenderError> {
    let mut options = vec![if share.read_only { "ro" } else { "rw" }.to_owned()];
    options.push(format!("vers={}", share.protocol_version));
    options.push(if share.soft { "soft" } else { "hard" }.to_owned());
    options.extend(["nosuid".to_owned(), "nodev".to_owned()]);
    if share.kind == ShareKind::Smb {
        if share.user.is_some() && share.password.is_some() {
            options.push(format!("credentials={}", credentials_path(share)?));
        } else {
            options.push("guest".to_owned());
        }
        // SMB servers show their own owners; here everything is the person's (mount.cifs(8) takes names)
        options.push(format!("uid={}", model.admin_user));
        options.push(format!("gid={}", model.admin_user));
    }
    if node.os.selinux {
        // network file systems carry no labels that `:Z` could set (FIELD D11)
        options.push("context=system_u:object_r:container_file_t:s0".to_owned());
    }
    for option in &share.options {
        if !options.contains(option) {
            options.push(option.clone());
        }
    }
    Ok(options)
}

fn is_mesh(address: Ipv4Addr) -> bool {
    Ipv4Net::new(MESH_RANGE.0, MESH_RANGE.1).is_ok_and(|range| range.contains(&address))
}
