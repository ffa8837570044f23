//! Shares, resolved.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use desired::{AbsPath, NodeName, SecretReference, UnitName};
use ipnet::Ipv4Net;

use crate::spec::{ShareKind, Via};

/// A folder that one machine serves and others mount.
#[derive(Debug, Clone)]
pub struct Share {
    /// Its name.
    pub name: String,
    /// The protocol.
    pub kind: ShareKind,
    /// Who serves it.
    pub server: ShareServer,
    /// The folder on the server.
    pub path: AbsPath,
    /// The name clients ask for (SMB).
    pub export_name: String,
    /// Which address of the server clients use.
    pub via: Via,
    /// Who mounts it, and where: an absolute path on Linux and macOS, a drive letter with colon on Windows.
    pub clients: BTreeMap<NodeName, String>,
    /// Protocol version.
    pub protocol_version: String,
    /// Clients may only read.
    pub read_only: bool,
    /// Give up instead of waiting for the server.
    pub soft: bool,
    /// User name at the server.
    pub user: Option<String>,
    /// Password.
    pub password: Option<SecretReference>,
    /// Workgroup.
    pub workgroup: Option<String>,
    /// The device under the folder on the server.
    pub device: Option<AbsPath>,
    /// The file system on that device.
    pub filesystem: Option<String>,
    /// Folders that exist below it.
    pub directories: Vec<String>,
    /// Network that may mount it.
    pub export_to: Ipv4Net,
    /// `fsid` of the export.
    pub fsid: Option<u32>,
    /// User and group that every client's requests count as.
    pub squash_to: Option<u32>,
    /// Further mount options.
    pub options: Vec<String>,
    /// Units on clients that must not start without it.
    pub gates: Vec<UnitName>,
    /// Seconds a mount may take.
    pub mount_timeout_secs: u32,
    /// Seconds unused after which it is unmounted.
    pub idle_timeout_secs: Option<u32>,
}

/// Who serves a share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShareServer {
    /// A node of the cluster.
    Node(NodeName),
    /// A machine outside it.
    External(Ipv4Addr),
}
