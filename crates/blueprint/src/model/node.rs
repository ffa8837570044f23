//! Nodes, resolved: roles merged, addresses and names typed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use desired::identity::Identity;
use desired::{Arch, NodeName};

use super::{Capability, Card};
use crate::spec::{Board, MediumKind, OsFamily, PageSize, Power};

/// One machine.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its host name.
    pub name: NodeName,
    /// Processor architecture.
    pub arch: Arch,
    /// Operating system.
    pub os: Os,
    /// The board, if it boots from a card.
    pub board: Option<Board>,
    /// LAN address.
    pub address: Ipv4Addr,
    /// Mesh address.
    pub mesh_address: Option<Ipv4Addr>,
    /// The LAN interface, where it has several.
    pub interface: Option<String>,
    /// By what the machine is recognised, besides its host name.
    pub identity: Identity,
    /// Roles in the order they were merged.
    pub roles: Vec<String>,
    /// The group it was expanded from.
    pub group: Option<String>,
    /// What it does.
    pub capabilities: BTreeSet<Capability>,
    /// Its part in k3s.
    pub k3s: Option<K3sRole>,
    /// Kubernetes labels.
    pub labels: BTreeMap<String, String>,
    /// Kubernetes taints.
    pub taints: BTreeSet<Taint>,
    /// What the kubelet keeps back.
    pub kubelet: Kubelet,
    /// Further packages by name.
    pub packages: BTreeSet<String>,
    /// Kernel modules loaded at boot.
    pub kernel_modules: BTreeSet<String>,
    /// Kernel settings.
    pub sysctl: BTreeMap<String, String>,
    /// When it is on.
    pub power: Power,
    /// What `/` lies on.
    pub root_medium: Option<MediumKind>,
    /// Kernel page size, where the board leaves a choice.
    pub page_size: Option<PageSize>,
    /// Disks that are never written, by id.
    pub protected_disks: BTreeSet<String>,
    /// The card or disk flashed for it, by id.
    pub flash_target: Option<String>,
    /// What its card is made with, if it boots from one.
    pub card: Option<Card>,
}

impl Node {
    /// Whether it does `capability`.
    #[must_use]
    pub fn can(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }
}

/// An operating system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Os {
    /// Its family.
    pub family: OsFamily,
    /// Its release as its maker writes it.
    pub release: String,
    /// The distribution inside WSL2.
    pub wsl: Option<String>,
    /// SELinux enforces.
    pub selinux: bool,
}

impl Os {
    /// Family and release, `debian-13`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}-{}", self.family.as_str(), self.release)
    }
}

impl OsFamily {
    /// Whether it is a Linux distribution that can take a bundle.
    #[must_use]
    pub const fn is_linux(self) -> bool {
        !matches!(self, Self::Windows | Self::Macos)
    }
    /// Whether its packages are Debian's kind.
    #[must_use]
    pub const fn has_apt(self) -> bool {
        matches!(self, Self::Debian | Self::RaspberryPiOs | Self::Ubuntu)
    }
    /// The name a spec uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debian => "debian",
            Self::RaspberryPiOs => "raspberry-pi-os",
            Self::Ubuntu => "ubuntu",
            Self::Fedora => "fedora",
            Self::OpenSuse => "opensuse",
            Self::Windows => "windows",
            Self::Macos => "macos",
        }
    }
}

/// A node's part in k3s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum K3sRole {
    /// The server the cluster begins with.
    FirstServer,
    /// A further server.
    Server,
    /// A worker.
    Agent,
}

impl K3sRole {
    /// Whether it runs the control plane.
    #[must_use]
    pub const fn is_server(self) -> bool {
        !matches!(self, Self::Agent)
    }
}

/// What the kubelet keeps back, as kubelet arguments write it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kubelet {
    /// For the operating system.
    pub system_reserved: Option<String>,
    /// For Kubernetes itself.
    pub kube_reserved: Option<String>,
    /// When pods are evicted.
    pub eviction_hard: Option<String>,
    /// At most so many pods.
    pub max_pods: Option<u32>,
}

/// A taint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Taint {
    /// Its key.
    pub key: String,
    /// Its value; may be empty.
    pub value: String,
    /// What it does to pods.
    pub effect: TaintEffect,
}

impl std::fmt::Display for Taint {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.value.is_empty() {
            write!(formatter, "{}:{}", self.key, self.effect.as_str())
        } else {
            write!(formatter, "{}={}:{}", self.key, self.value, self.effect.as_str())
        }
    }
}

/// What a taint does to pods that do not tolerate it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TaintEffect {
    /// New ones are not placed.
    NoSchedule,
    /// New ones are placed elsewhere if possible.
    PreferNoSchedule,
    /// Running ones are evicted too.
    NoExecute,
}

impl TaintEffect {
    /// The word Kubernetes uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoSchedule => "NoSchedule",
            Self::PreferNoSchedule => "PreferNoSchedule",
            Self::NoExecute => "NoExecute",
        }
    }
}
