//! Services, resolved.

use std::collections::{BTreeMap, BTreeSet};

use desired::{AbsPath, ByteSize, NodeName};

use super::Kubernetes;
use crate::spec::ServiceKind;

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
    /// The name of its main container, where that is clear.
    pub main: Option<String>,
    /// Its containers by name, what the service's own table says given to the main one.
    pub containers: BTreeMap<String, Container>,
    /// Published ports, `host:container`, of all containers.
    pub ports: Vec<String>,
    /// Public names it answers to.
    pub domains: Vec<String>,
    /// Folders it keeps data in, of all containers.
    pub volumes: Vec<Volume>,
    /// Its folder in the secret store.
    pub secrets_path: Option<AbsPath>,
    /// A file on its nodes with the values instead.
    pub secrets_file: Option<AbsPath>,
    /// Names of the secrets it needs, of all containers.
    pub secrets: Vec<String>,
    /// Plain settings as they were written.
    pub environment: BTreeMap<String, String>,
    /// Settings that are no environment variables.
    pub settings: BTreeMap<String, String>,
    /// How Kubernetes runs it, where that is what starts it.
    pub kubernetes: Option<Kubernetes>,
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
    /// Whether `node` is one that runs it: of several that stand by for one another the first that is preferred.
    #[must_use]
    pub fn runs_on(&self, node: &NodeName) -> bool {
        self.nodes.contains(node) && self.prefers.first().is_none_or(|first| first == node)
    }
}

impl Service {
    /// Whether one of its images is called so, whatever registry it comes from.
    #[must_use]
    pub fn runs(&self, image: &str) -> bool {
        self.images.values().any(|full| {
            let name = full.rsplit('/').next().unwrap_or_default();
            name.split([':', '@']).next() == Some(image)
        })
    }
    /// The host side of the port it publishes first, which is what its domains lead to.
    #[must_use]
    pub fn first_port(&self) -> Option<u16> {
        let port = self.ports.first()?;
        let (ports, _) = port.split_once('/').unwrap_or((port, ""));
        ports.rsplit(':').nth(1)?.parse().ok()
    }
}

/// A container of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Container {
    /// Its image, with a version or a digest.
    pub image: String,
    /// Published ports, `host:container`.
    pub ports: Vec<String>,
    /// Folders it keeps data in.
    pub volumes: Vec<Volume>,
    /// Its variables, those that hold a secret included.
    pub environment: BTreeMap<String, Setting>,
    /// The program and its arguments that say whether it is well; empty where its image says.
    pub health_check: Vec<String>,
    /// Arguments instead of those of its image.
    pub command: Vec<String>,
    /// User and group it runs as.
    pub user: Option<String>,
    /// Networks it is in, besides the service's own.
    pub networks: BTreeSet<String>,
    /// It uses the node's own network.
    pub host_network: bool,
    /// It uses the GPU of nodes that have one.
    pub gpu: bool,
    /// Memory it is held to.
    pub memory_limit: Option<ByteSize>,
    /// CPU it is held to, in thousandths of a core.
    pub cpu_limit_millis: Option<u64>,
}

/// The value of a variable: texts and secrets in a row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Setting(pub Vec<SettingPart>);

/// A part of a variable's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingPart {
    /// As it stands.
    Text(String),
    /// The value of the secret of this name.
    Secret(String),
}

impl Setting {
    /// Reads `${NAME}` as a secret and everything else as text.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, name, after)) = reference(rest) {
            parts.extend((!before.is_empty()).then(|| SettingPart::Text(before.to_owned())));
            parts.push(SettingPart::Secret(name.to_owned()));
            rest = after;
        }
        parts.extend((!rest.is_empty()).then(|| SettingPart::Text(rest.to_owned())));
        Self(parts)
    }
    /// The value of a secret alone.
    #[must_use]
    pub fn secret(name: &str) -> Self {
        Self(vec![SettingPart::Secret(name.to_owned())])
    }
    /// Names of the secrets in it.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            SettingPart::Secret(name) => Some(name.as_str()),
            SettingPart::Text(_) => None,
        })
    }
}

/// What stands before the first `${NAME}`, the name, and what stands behind.
fn reference(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("${")?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_texts_and_secrets() {
        use SettingPart::{Secret, Text};
        let url = Setting::read("postgres://me:${DB_PASSWORD}@db/${DB}");
        assert_eq!(url.secrets().collect::<Vec<_>>(), ["DB_PASSWORD", "DB"]);
        let end = Setting::read("${DB}$5 ${");
        assert_eq!(end.0, [Secret("DB".to_owned()), Text("$5 ${".to_owned())]);
        assert_eq!(Setting::read(""), Setting::default());
    }
}
