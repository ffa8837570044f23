//! Services, resolved.

use std::collections::{BTreeMap, BTreeSet};

use desired::{AbsPath, NodeName};

use crate::spec::{ServiceKind, Variant};

/// Something that runs on the cluster.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// What starts it.
    pub kind: ServiceKind,
    /// Its `compose.yaml`, where the profile has one.
    pub compose: Option<String>,
    /// One sentence on what it does.
    pub description: String,
    /// Nodes it runs on.
    pub nodes: BTreeSet<NodeName>,
    /// Images by container name.
    pub images: BTreeMap<String, String>,
    /// Published ports, `host:container`.
    pub ports: Vec<String>,
    /// Public names it answers to.
    pub domains: Vec<String>,
    /// Folders it keeps data in.
    pub volumes: Vec<Volume>,
    /// Its folder in the secret store.
    pub secrets_path: Option<AbsPath>,
    /// Names of the secrets it needs.
    pub secrets: Vec<String>,
    /// Containers beside the main one; what is said of the service is said of that.
    pub containers: BTreeMap<String, Container>,
    /// What each variable is for.
    pub help: BTreeMap<String, String>,
    /// Other forms that it is written in.
    pub variants: BTreeSet<Variant>,
    /// The Helm chart it is installed from.
    pub chart: Option<Chart>,
    /// Plain settings.
    pub environment: BTreeMap<String, String>,
    /// Settings that are no environment variables.
    pub settings: BTreeMap<String, String>,
    /// How many of it run.
    pub replicas: u32,
    /// Nodes it is moved to when they are up, in order.
    pub prefers: Vec<NodeName>,
    /// When it runs, as five cron fields, if it is not always on.
    pub schedule: Option<String>,
    /// Names of shares it needs.
    pub needs_shares: BTreeSet<String>,
    /// Keys of taints it tolerates.
    pub tolerates: BTreeSet<String>,
    /// It needs a GPU.
    pub gpu: bool,
    /// It keeps a database in its volumes.
    pub database: bool,
    /// CPU it asks for.
    pub cpu_request: Option<String>,
    /// Memory it asks for.
    pub memory_request: Option<String>,
    /// Memory it is held to.
    pub memory_limit: Option<String>,
}

impl Service {
    /// Names of the secrets of all containers.
    pub fn all_secrets(&self) -> impl Iterator<Item = &String> {
        self.secrets.iter().chain(self.containers.values().flat_map(|container| &container.secrets))
    }
    /// Folders of all containers.
    pub fn all_volumes(&self) -> impl Iterator<Item = &Volume> {
        self.volumes.iter().chain(self.containers.values().flat_map(|container| &container.volumes))
    }
    /// Whether `node` is one that runs it: of several that stand by for one another the first that is preferred.
    #[must_use]
    pub fn runs_on(&self, node: &NodeName) -> bool {
        self.nodes.contains(node) && self.prefers.first().is_none_or(|first| first == node)
    }
}

/// A container beside the main one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Container {
    /// Published ports, `host:container`.
    pub ports: Vec<String>,
    /// Folders it keeps data in.
    pub volumes: Vec<Volume>,
    /// Names of the secrets it is given.
    pub secrets: Vec<String>,
    /// Plain settings.
    pub environment: BTreeMap<String, String>,
    /// Memory it is held to.
    pub memory_limit: Option<String>,
}

/// A Helm chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    /// Its name.
    pub name: String,
    /// Where it is published; nothing for what k3s brings along.
    pub published: Option<Published>,
    /// The namespace its objects are in.
    pub namespace: String,
}

/// Where a chart is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The repository's address.
    pub repository: String,
    /// The chart's version.
    pub version: String,
}

/// A folder on the node, and where the container sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// On the node.
    pub source: AbsPath,
    /// In the container.
    pub target: AbsPath,
    /// Only for reading.
    pub read_only: bool,
}
