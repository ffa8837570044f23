//! How Kubernetes runs a service, resolved.

use desired::AbsPath;

/// What a service's settings and claims say of its objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kubernetes {
    /// The chart that brings it, if one does.
    pub chart: Option<Chart>,
    /// What keeps its pods.
    pub workload: Workload,
    /// The folder of apps it belongs to, which is their namespace too.
    pub category: String,
    /// Volumes that are made for it.
    pub claims: Vec<Claim>,
    /// How mounts below its host folders travel.
    pub propagation: Option<Propagation>,
    /// Its container may do what the host's root may.
    pub privileged: bool,
    /// Variables with the addresses of other services are put in.
    pub service_links: bool,
    /// Its port is asked whether it is ready.
    pub probes: bool,
    /// Services whose pods it keeps away from, where it can.
    pub apart_from: Vec<String>,
}

/// A chart in a Helm repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    /// Its name.
    pub name: String,
    /// The repository's address.
    pub repository: String,
    /// Its version.
    pub version: String,
    /// The namespace it is installed in.
    pub namespace: String,
    /// Where its definitions come from, if they are installed before it.
    pub crds: Option<Crds>,
}

/// Custom resource definitions in a Git repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crds {
    /// The repository's address.
    pub repository: String,
    /// The tag.
    pub tag: String,
    /// Their folder, from the repository's root.
    pub path: String,
}

/// What keeps pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// Pods that are alike.
    Deployment,
    /// Pods with a name and volumes of their own.
    StatefulSet,
}

/// A volume that is made for a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Its name; with [`AccessMode::ReadWriteMany`] all services of a category mean the same volume by it.
    pub name: String,
    /// Where the container sees it.
    pub path: AbsPath,
    /// Its storage class.
    pub class: String,
    /// Who may use it at once.
    pub mode: AccessMode,
    /// Its size as a Kubernetes quantity.
    pub size: String,
    /// Each replica has one of its own.
    pub each: bool,
}

/// Who may use a volume at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessMode {
    /// Pods of one node.
    ReadWriteOnce,
    /// Pods of all nodes.
    ReadWriteMany,
}

impl AccessMode {
    /// The word Kubernetes uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadWriteOnce => "ReadWriteOnce",
            Self::ReadWriteMany => "ReadWriteMany",
        }
    }
}

/// Where mounts below a host folder are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// Those of the host in the container.
    HostToContainer,
    /// Those of the container on the host too, which takes a privileged one.
    Bidirectional,
}

impl Propagation {
    /// The word Kubernetes uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HostToContainer => "HostToContainer",
            Self::Bidirectional => "Bidirectional",
        }
    }
}
