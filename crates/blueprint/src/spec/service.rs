//! Services: what runs on the cluster.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{At, Named};

/// Something that runs on the cluster.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ServiceSpec {
    /// What starts it.
    pub kind: At<ServiceKind>,
    /// One sentence on what it does.
    #[serde(default)]
    pub description: Option<At<String>>,
    /// Nodes, groups or roles it runs on.
    #[serde(default)]
    pub nodes: Vec<At<String>>,
    /// Container images by container name, each with a version (`gitea = "gitea/gitea:1.24.6-rootless"`).
    #[serde(default)]
    pub images: Named<At<String>>,
    /// The container of `images` that ports, volumes, environment, secrets and whatever else this table says of one
    /// container are for; if left out, the only one, else the one called as the service.
    #[serde(default)]
    pub main: Option<At<String>>,
    /// The other containers by name, where they need more than an image.
    #[serde(default)]
    pub containers: Named<ContainerSpec>,
    /// Published ports as Compose writes them (`3300:3000`).
    #[serde(default)]
    pub ports: Vec<At<String>>,
    /// Public names it answers to.
    #[serde(default)]
    pub domains: Vec<At<String>>,
    /// Folders on the node it keeps data in.
    #[serde(default)]
    pub volumes: Vec<At<String>>,
    /// Its folder in the secret store (`/gitea`).
    #[serde(default)]
    pub secrets_path: Option<At<String>>,
    /// A file on its nodes that its deployer alone can read, with the values instead of the secret store.
    #[serde(default)]
    pub secrets_file: Option<At<String>>,
    /// Names of the secrets it needs; values are put in when it is deployed.
    #[serde(default)]
    pub secrets: Vec<At<String>>,
    /// Plain settings, never secrets; `${NAME}` stands for the value of the secret of that name.
    #[serde(default)]
    pub environment: Named<At<String>>,
    /// The program and its arguments that say whether it is well (`["pg_isready", "--username", "gitea"]`).
    #[serde(default)]
    pub health_check: Vec<At<String>>,
    /// Arguments instead of those of its image.
    #[serde(default)]
    pub command: Vec<At<String>>,
    /// User and group it runs as (`1000:1000`); that of its image if left out.
    #[serde(default)]
    pub user: Option<At<String>>,
    /// Networks of `[docker.networks]` it is in, besides the service's own.
    #[serde(default)]
    pub networks: Vec<At<String>>,
    /// It uses the node's own network; its ports are then open without being published.
    #[serde(default)]
    pub host_network: bool,
    /// Settings that are no environment variables, by the name its own documentation gives them (chart values, retention).
    #[serde(default)]
    pub settings: Named<At<String>>,
    /// Volumes that Kubernetes makes for it, by name: where it sees them, storage class, access mode, size, and `each` if every
    /// replica has one of its own (`transcode = "/transcode longhorn ReadWriteMany 50Gi"`).
    #[serde(default)]
    pub claims: Named<At<String>>,
    /// How many of it run; one if left out.
    #[serde(default)]
    pub replicas: Option<At<u32>>,
    /// Nodes it is moved to when they are up, in order; the others of `nodes` stand by.
    #[serde(default)]
    pub prefers: Vec<At<String>>,
    /// When it runs, as five cron fields (`*/5 * * * *`), if it is not always on.
    #[serde(default)]
    pub schedule: Option<At<String>>,
    /// Shares that must be mounted where it runs.
    #[serde(default)]
    pub needs_shares: Vec<At<String>>,
    /// Keys of taints it tolerates.
    #[serde(default)]
    pub tolerates: Vec<At<String>>,
    /// It needs a GPU; its main container is given that of the node.
    #[serde(default)]
    pub gpu: bool,
    /// It keeps a database in its volumes (FIELD M12).
    #[serde(default)]
    pub database: bool,
    /// CPU it asks for (`250m`).
    #[serde(default)]
    pub cpu_request: Option<At<String>>,
    /// Memory it asks for (`256Mi`).
    #[serde(default)]
    pub memory_request: Option<At<String>>,
    /// Memory it is held to (`512Mi`).
    #[serde(default)]
    pub memory_limit: Option<At<String>>,
    /// CPU it is held to (`1500m`).
    #[serde(default)]
    pub cpu_limit: Option<At<String>>,
}

/// A container beside the main one.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ContainerSpec {
    /// Published ports as Compose writes them (`11434:11434`).
    #[serde(default)]
    pub ports: Vec<At<String>>,
    /// Folders on the node it keeps data in.
    #[serde(default)]
    pub volumes: Vec<At<String>>,
    /// Names of the secrets it is given under their own names.
    #[serde(default)]
    pub secrets: Vec<At<String>>,
    /// Plain settings; `${NAME}` stands for the value of a secret of the service.
    #[serde(default)]
    pub environment: Named<At<String>>,
    /// The program and its arguments that say whether it is well.
    #[serde(default)]
    pub health_check: Vec<At<String>>,
    /// Arguments instead of those of its image.
    #[serde(default)]
    pub command: Vec<At<String>>,
    /// User and group it runs as; that of its image if left out.
    #[serde(default)]
    pub user: Option<At<String>>,
    /// Networks of `[docker.networks]` it is in, besides the service's own.
    #[serde(default)]
    pub networks: Vec<At<String>>,
    /// It uses the GPU of nodes that have one.
    #[serde(default)]
    pub gpu: bool,
    /// Memory it is held to (`512Mi`).
    #[serde(default)]
    pub memory_limit: Option<At<String>>,
    /// CPU it is held to (`1500m`).
    #[serde(default)]
    pub cpu_limit: Option<At<String>>,
}

impl ServiceSpec {
    /// The name of the main container: the one that is named so, the only one, or the one called as the service.
    #[must_use]
    pub fn main_container(&self, service: &str) -> Option<&str> {
        let mut images = self.images.keys().map(|name| name.value.as_str());
        match (&self.main, self.images.len()) {
            (Some(main), _) => images.find(|image| *image == main.value),
            (None, 1) => images.next(),
            (None, _) => images.find(|image| *image == service),
        }
    }
    /// Published ports of all containers.
    pub fn all_ports(&self) -> impl Iterator<Item = &At<String>> {
        self.ports.iter().chain(self.containers.values().flat_map(|container| &container.ports))
    }
    /// Folders of all containers.
    pub fn all_volumes(&self) -> impl Iterator<Item = &At<String>> {
        self.volumes.iter().chain(self.containers.values().flat_map(|container| &container.volumes))
    }
    /// Names of the secrets of all containers.
    pub fn all_secrets(&self) -> impl Iterator<Item = &At<String>> {
        self.secrets.iter().chain(self.containers.values().flat_map(|container| &container.secrets))
    }
    /// Settings of all containers.
    pub fn all_settings(&self) -> impl Iterator<Item = (&At<String>, &At<String>)> {
        self.environment.iter().chain(self.containers.values().flat_map(|container| &container.environment))
    }
}

/// What starts a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceKind {
    /// Docker Compose, from `services/<name>/compose.yaml` or, without it, from what this table says.
    Compose,
    /// A package of the operating system.
    Package,
    /// Manifests or a chart in Kubernetes.
    Kubernetes,
}
