//! What was seen of a machine, for [`super::judge`]: plain data, nothing decided.
//!
//! In: what `host::preflight` read. Out: the same as values; what could not be seen says why.

use std::collections::{BTreeMap, BTreeSet};

use super::token::TokenFact;
use crate::observed::Answer;
use crate::types::Digest;

/// All facts about one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// What the programs of this system are for, as Debian names it (`amd64`, `armhf`).
    pub userland: Answer<String>,
    /// The memory cgroup.
    pub cgroup: Answer<Cgroup>,
    /// Bytes of a memory page.
    pub page_size: Answer<u64>,
    /// The clock.
    pub clock: Answer<Clock>,
    /// The static host name.
    pub hostname: Answer<Option<String>>,
    /// Interfaces that a default route leads over.
    pub default_routes: Answer<BTreeSet<String>>,
    /// Addresses of global scope, by interface.
    pub addresses: Answer<BTreeMap<String, BTreeSet<String>>>,
    /// Whether a connection to the server comes about, or why not.
    pub server: Answer<Result<(), String>>,
    /// SHA-256 of the certificates the server shows to whoever asks.
    pub server_certificates: Answer<Digest>,
    /// The token's kind.
    pub token: Answer<TokenFact>,
    /// Whether the server lets somebody join with it; not asked of a node that has a certificate of its own.
    pub token_accepted: Answer<bool>,
    /// Who listens where.
    pub listeners: Answer<Vec<Listener>>,
    /// What `iptables --version` says; none where it is not there.
    pub iptables: Answer<Option<String>>,
    /// Whether the kernel has vxlan.
    pub vxlan: Answer<bool>,
    /// What the k3s that is here says of its version; none where there is none.
    pub k3s_version: Answer<Option<String>>,
    /// Traces of Kubernetes.
    pub kubernetes: Kubernetes,
    /// Swap.
    pub swap: Answer<Swap>,
    /// Room on each file system that will be written to.
    pub space: Answer<Vec<Space>>,
    /// The block device below the folder k3s keeps its data in (`mmcblk0`).
    pub data_device: Answer<String>,
}

/// What the kernel says of its memory cgroup.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cgroup {
    /// `cgroup.controllers` of version 2; none where that is not mounted.
    pub controllers: Option<String>,
    /// The column `enabled` of the row `memory` of `/proc/cgroups`; absent since 6.12 although it works (FIELD K1).
    pub enabled: Option<bool>,
    /// The command line the kernel was started with.
    pub command_line: String,
    /// The file that line comes from on a Pi, and its text.
    pub file: Option<(String, String)>,
}

/// The clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// Seconds since 1970.
    pub now: u64,
    /// Whether it is kept by a time server, where that is known.
    pub is_synchronised: Option<bool>,
}

/// A socket that waits for others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// `tcp` or `udp`.
    pub protocol: &'static str,
    /// The port.
    pub port: u16,
    /// The program that holds it; none where that can't be seen, `kernel` for the kernel itself.
    pub holder: Option<String>,
}

/// Traces of Kubernetes on a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kubernetes {
    /// Paths of other distributions that are there.
    pub foreign: Vec<String>,
    /// Units of k3s that are there.
    pub units: Vec<String>,
    /// The server the present settings of k3s name.
    pub server: Option<String>,
    /// Those settings are of our making.
    pub is_ours: bool,
    /// This server has a certificate authority already, so the cluster was made before.
    pub has_authority: bool,
}

/// Swap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swap {
    /// Devices and files in use.
    pub active: Vec<String>,
    /// Generators that are there.
    pub generators: Vec<String>,
    /// Lines of fstab that make swap.
    pub fstab: usize,
}

/// Room on one file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Space {
    /// A folder on it that will be written to.
    pub folder: String,
    /// Bytes that may be written.
    pub available: u64,
    /// Bytes that will be.
    pub wanted: u64,
}
