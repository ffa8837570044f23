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
