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
    /// Names of the secrets it needs; values are put in when it is deployed.
    #[serde(default)]
    pub secrets: Vec<At<String>>,
    /// Plain settings, never secrets.
    #[serde(default)]
    pub environment: Named<At<String>>,
    /// Further containers beside the main one, which is called as the service, by their names in `images`.
    #[serde(default)]
    pub containers: Named<ContainerSpec>,
    /// What each variable is for, as its `.env.example` says.
    #[serde(default)]
    pub help: Named<At<String>>,
    /// Other forms that the same description is written in, besides Compose (`quadlet`, `swarm`, `kustomize`).
    #[serde(default)]
    pub variants: Vec<At<Variant>>,
    /// The Helm chart it is installed from (Kubernetes).
    #[serde(default)]
    pub chart: Option<ChartSpec>,
    /// Settings that are no environment variables, by the name its own documentation gives them (chart values, retention).
    #[serde(default)]
    pub settings: Named<At<String>>,
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
    /// It needs a GPU.
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
}

/// A container beside the main one.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ContainerSpec {
    /// Published ports as Compose writes them (`8085:8085`).
    #[serde(default)]
    pub ports: Vec<At<String>>,
    /// Folders on the node it keeps data in.
    #[serde(default)]
    pub volumes: Vec<At<String>>,
    /// Names of the secrets it is given under their own names.
    #[serde(default)]
    pub secrets: Vec<At<String>>,
    /// Plain settings.
    #[serde(default)]
    pub environment: Named<At<String>>,
    /// Memory it is held to (`512Mi`).
    #[serde(default)]
    pub memory_limit: Option<At<String>>,
}

/// A form that a Compose service is written in besides Compose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Variant {
    /// Podman's units, and units of the system that wait for mounts.
    Quadlet,
    /// A stack for `docker stack deploy`.
    Swarm,
    /// A tree for `kubectl apply -k`.
    Kustomize,
}

impl ServiceSpec {
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

/// A Helm chart, installed by k3s's own controller.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ChartSpec {
    /// Its name; the service's if left out.
    #[serde(default)]
    pub name: Option<At<String>>,
    /// Where it is published; left out for what k3s brings along (`traefik`), which is then only given settings.
    #[serde(default)]
    pub repository: Option<At<String>>,
    /// Its version; not for what k3s brings along.
    #[serde(default)]
    pub version: Option<At<String>>,
    /// The namespace its objects are in; `kube-system` if left out.
    #[serde(default)]
    pub namespace: Option<At<String>>,
}

/// What starts a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceKind {
    /// Docker Compose, from `services/<name>/compose.yaml`.
    Compose,
    /// A package of the operating system.
    Package,
    /// Manifests or a chart in Kubernetes.
    Kubernetes,
}
