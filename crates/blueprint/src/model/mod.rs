//! The model: a cluster that makes sense, every name, address and path typed, every role merged in.
//!
//! In: only `resolve` makes one, and only from a spec without errors. Out: what lock and render read.
//! Groups are expanded, references point at things that exist, defaults are filled in.

mod capability;
mod card;
mod cluster;
mod node;
mod pins;
mod service;
mod share;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

pub use capability::Capability;
pub use card::{Addressing, Card, PublicKey, SshKey, Wifi};
pub use cluster::{
    ArtifactChoice, Docker, Images, K3s, Mesh, Mirror, Network, PackageFile, PackageSource, Registry,
};
use desired::{ArtifactName, ClusterName, NodeName, SecretReference};
pub use node::{K3sRole, Kubelet, Node, Os, Taint, TaintEffect};
pub use pins::{Pin, Pins};
pub use service::{Chart, Container, Published, Service, Volume};
pub use share::{Share, ShareServer};

pub use crate::spec::{
    Board, Flannel, MediumKind, MeshKind, Orchestrator, OsFamily, PageSize, Power, ServiceKind, ShareKind,
    Variant, Via,
};

/// A cluster, resolved and valid.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Model {
    /// Its name, the same as its folder's.
    pub name: ClusterName,
    /// One sentence on what it is for.
    pub description: String,
    /// The DNS domain its services are published under.
    pub domain: Option<String>,
    /// The suffix of names inside the mesh or LAN.
    pub internal_domain: Option<String>,
    /// IANA time zone of all nodes.
    pub timezone: String,
    /// Whether downloads may come by plain `http:`.
    pub allow_http: bool,
    /// The person's account on every node.
    pub admin_user: String,
    /// What starts containers.
    pub orchestrator: Orchestrator,
    /// Where the chezmoi repository is cloned from.
    pub dotfiles: Option<String>,
    /// The networks.
    pub network: Network,
    /// Pinned versions by artifact.
    pub versions: BTreeMap<ArtifactName, String>,
    /// k3s, if the cluster has it.
    pub k3s: Option<K3s>,
    /// Settings of the Docker daemon on every node that has it.
    pub docker: Docker,
    /// Registries by host.
    pub registries: BTreeMap<String, Registry>,
    /// Prefix rewrites of downloads, in order.
    pub mirrors: Vec<Mirror>,
    /// Choices about single artifacts.
    pub artifacts: BTreeMap<ArtifactName, ArtifactChoice>,
    /// Package files that bundles carry, by the artifact they are in the lock.
    pub package_files: BTreeMap<ArtifactName, PackageFile>,
    /// What the cluster's own images say of themselves.
    pub images: Images,
    /// Nodes by name, groups expanded.
    pub nodes: BTreeMap<NodeName, Node>,
    /// Shares by name.
    pub shares: BTreeMap<String, Share>,
    /// Services by name.
    pub services: BTreeMap<String, Service>,
}

impl Model {
    /// The first k3s server, if the cluster has k3s.
    #[must_use]
    pub fn first_server(&self) -> Option<&Node> {
        self.nodes.values().find(|node| node.k3s == Some(K3sRole::FirstServer))
    }

    /// Nodes that run Linux themselves and so take a bundle.
    pub fn linux_nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values().filter(|node| node.os.family.is_linux())
    }

    /// The address clients of `share` use for its server.
    #[must_use]
    pub fn server_address(&self, share: &Share) -> Option<Ipv4Addr> {
        match &share.server {
            ShareServer::External(address) => Some(*address),
            ShareServer::Node(name) => {
                let node = self.nodes.get(name)?;
                match share.via {
                    Via::Lan => Some(node.address),
                    Via::Mesh => node.mesh_address,
                }
            }
        }
    }

    /// Shares that `node` mounts, with where.
    pub fn mounts_of<'a>(&'a self, node: &'a NodeName) -> impl Iterator<Item = (&'a Share, &'a str)> {
        self.shares.values().filter_map(move |share| Some((share, share.clients.get(node)?.as_str())))
    }

    /// Every secret the cluster names, by reference: what no output may hold the value of.
    #[must_use]
    pub fn secret_references(&self) -> BTreeSet<SecretReference> {
        let k3s = self.k3s.iter().flat_map(|k3s| [&k3s.server_token, &k3s.agent_token]);
        let mesh = self.network.mesh.iter().filter_map(|mesh| mesh.auth_key.as_ref());
        let registries = self.registries.values().filter_map(|registry| registry.password.as_ref());
        let shares = self.shares.values().filter_map(|share| share.password.as_ref());
        // A service's secrets are put in from the environment of whoever deploys it.
        let services = self.services.values().flat_map(Service::all_secrets);
        let named = services.map(|name| SecretReference::Environment(name.clone()));
        let cards = self.nodes.values().filter_map(|node| node.card.as_ref()).flat_map(|card| {
            card.password_hash.iter().chain(card.wifi.iter().filter_map(|wifi| wifi.psk.as_ref()))
        });
        k3s.chain(mesh).chain(registries).chain(shares).chain(cards).cloned().chain(named).collect()
    }

    /// Services placed on `node`.
    pub fn services_on<'a>(&'a self, node: &'a NodeName) -> impl Iterator<Item = &'a Service> {
        self.services.values().filter(move |service| service.nodes.contains(node))
    }
}
