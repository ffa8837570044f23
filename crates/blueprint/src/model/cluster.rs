//! The cluster's networks, k3s settings, registries, mirrors and image labels, resolved.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use desired::{AbsPath, NodeName, SecretReference};
use ipnet::Ipv4Net;

use super::Node;
use crate::spec::{Flannel, MeshKind};

/// The networks.
#[derive(Debug, Clone)]
pub struct Network {
    /// The LAN.
    pub lan: Ipv4Net,
    /// Its router.
    pub gateway: Option<Ipv4Addr>,
    /// Name servers, in order.
    pub dns: Vec<Ipv4Addr>,
    /// The overlay, if there is one.
    pub mesh: Option<Mesh>,
}

/// An overlay network with stable addresses.
#[derive(Debug, Clone)]
pub struct Mesh {
    /// Who coordinates it.
    pub kind: MeshKind,
    /// Its range, inside 100.64.0.0/10.
    pub cidr: Ipv4Net,
    /// The node that runs the coordinator.
    pub server: Option<NodeName>,
    /// The URL clients log in to.
    pub login_url: Option<String>,
    /// The key nodes join with.
    pub auth_key: Option<SecretReference>,
    /// Let the mesh rewrite resolv.conf.
    pub accept_dns: bool,
}

/// Settings of k3s that all servers share.
#[derive(Debug, Clone)]
pub struct K3s {
    /// Its version, `v1.36.4+k3s1`.
    pub version: String,
    /// Range of pod addresses.
    pub cluster_cidr: Ipv4Net,
    /// Range of service addresses.
    pub service_cidr: Ipv4Net,
    /// Packaged components that are switched off, sorted.
    pub disable: Vec<String>,
    /// How pods on different nodes reach each other.
    pub flannel_backend: Flannel,
    /// Further names and addresses in the API server's certificate.
    pub tls_san: Vec<String>,
    /// The secret of the servers.
    pub server_token: SecretReference,
    /// What agents join with.
    pub agent_token: SecretReference,
    /// Encrypt Secrets in the datastore.
    pub secrets_encryption: bool,
    /// Where k3s keeps its data.
    pub data_dir: AbsPath,
}

/// Settings of the Docker daemon on every node that has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Docker {
    /// The size at which a container's log is rotated; `10m` if the spec leaves it open (document 003, Phase 2).
    pub log_max_size: String,
    /// How many rotated logs are kept; 3 if the spec leaves it open.
    pub log_max_file: u32,
    /// Bridge networks that services of several Compose files share, with their ranges.
    pub networks: BTreeMap<String, Ipv4Net>,
}

impl Default for Docker {
    fn default() -> Self {
        Self { log_max_size: "10m".to_owned(), log_max_file: 3, networks: BTreeMap::new() }
    }
}

/// A container registry.
#[derive(Debug, Clone)]
pub struct Registry {
    /// Endpoints tried in order instead of it, each a URL.
    pub mirrors: Vec<String>,
    /// Speak plain HTTP to it.
    pub http: bool,
    /// User name.
    pub user: Option<String>,
    /// Password.
    pub password: Option<SecretReference>,
}

/// A download prefix and what it is tried as first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// The vendor's prefix.
    pub from: String,
    /// The prefix tried before it.
    pub to: String,
}

/// What the cluster's own images say of themselves.
#[derive(Debug, Clone, Default)]
pub struct Images {
    /// The repository prefix images are named and pushed under.
    pub repository: Option<String>,
    /// `org.opencontainers.image.vendor`.
    pub vendor: Option<String>,
    /// `org.opencontainers.image.source`.
    pub source: Option<String>,
    /// Further labels.
    pub labels: BTreeMap<String, String>,
}

/// A Debian package that bundles carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageFile {
    /// Its version.
    pub version: String,
    /// Where it is; `{arch}` and `{version}` are not filled in yet.
    pub source: PackageSource,
    /// The only system it is for, as family and release with a `-` between.
    pub os: Option<String>,
}

/// Where a package file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PackageSource {
    /// A path, relative to the profile's folder unless absolute.
    Local(String),
    /// An address.
    Web(String),
}

impl PackageFile {
    /// Whether `node` installs from it.
    #[must_use]
    pub fn is_for(&self, node: &Node) -> bool {
        node.os.family.has_apt() && self.os.as_ref().is_none_or(|os| *os == node.os.name())
    }
}

/// Choices about one artifact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArtifactChoice {
    /// A file instead of every source.
    pub local: Option<String>,
    /// Bundles may do without it while it can't be pinned.
    pub optional: bool,
}
