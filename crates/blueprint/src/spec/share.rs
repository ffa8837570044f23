//! Shares: folders that one machine serves and others mount.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{At, Named};

/// A folder that one machine serves and others mount.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ShareSpec {
    /// The protocol.
    pub kind: At<ShareKind>,
    /// The node that serves it. Leave out for a machine outside the cluster and write `server-address`.
    #[serde(default)]
    pub server: Option<At<String>>,
    /// Address of a server outside the cluster (a NAS).
    #[serde(default)]
    pub server_address: Option<At<String>>,
    /// The folder on the server.
    pub path: At<String>,
    /// The name clients ask for; the share's own name if left out (SMB only).
    #[serde(default)]
    pub export_name: Option<At<String>>,
    /// Which address of the server clients use; the LAN if left out (FIELD M10).
    #[serde(default)]
    pub via: Option<At<Via>>,
    /// Nodes, groups or roles that mount it.
    #[serde(default)]
    pub clients: Vec<At<String>>,
    /// Where they mount it.
    #[serde(default)]
    pub mount_point: Option<At<String>>,
    /// Where single nodes mount it instead (`writer = 'Z:'`).
    #[serde(default)]
    pub mount_points: Named<At<String>>,
    /// Protocol version (`3.1.1` for SMB, `4.2` for NFS).
    #[serde(default)]
    pub protocol_version: Option<At<String>>,
    /// Clients may only read.
    #[serde(default)]
    pub read_only: Option<At<bool>>,
    /// Give up instead of waiting for the server; only for read-only shares (FIELD M15).
    #[serde(default)]
    pub soft: bool,
    /// User name at the server (SMB).
    #[serde(default)]
    pub user: Option<At<String>>,
    /// Password, by reference (SMB).
    #[serde(default)]
    pub password: Option<At<String>>,
    /// Workgroup (SMB).
    #[serde(default)]
    pub workgroup: Option<At<String>>,
    /// The device under the folder on the server, by UUID or id, never by a name that can move.
    #[serde(default)]
    pub device: Option<At<String>>,
    /// The file system on that device.
    #[serde(default)]
    pub filesystem: Option<At<String>>,
    /// Folders that exist below it.
    #[serde(default)]
    pub directories: Vec<At<String>>,
    /// Network that may mount it (NFS); the LAN if left out.
    #[serde(default)]
    pub export_to: Option<At<String>>,
    /// `fsid` of the export, needed for FUSE (NFS; FIELD M13).
    #[serde(default)]
    pub fsid: Option<At<u32>>,
    /// The number of the user and group that every client's requests count as (NFS); if left out, only root's count as
    /// nobody's.
    #[serde(default)]
    pub squash_to: Option<At<u32>>,
    /// Further mount options.
    #[serde(default)]
    pub options: Vec<At<String>>,
    /// Units on clients that must not start without it (`docker.service`; FIELD M7).
    #[serde(default)]
    pub gates: Vec<At<String>>,
    /// Seconds a mount may take before it fails; 30 if left out.
    #[serde(default)]
    pub mount_timeout_secs: Option<At<u32>>,
    /// Seconds unused after which it is unmounted; never if left out.
    #[serde(default)]
    pub idle_timeout_secs: Option<At<u32>>,
}

/// The protocol of a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ShareKind {
    /// SMB, by Samba.
    Smb,
    /// NFS, by the kernel.
    Nfs,
}

/// Which address of a server is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    /// Its LAN address.
    Lan,
    /// Its mesh address; mounts then wait for the mesh daemon.
    Mesh,
}
