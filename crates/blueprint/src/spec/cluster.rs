//! What a cluster says of itself: header, networks, versions, k3s, registries, images.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{At, CardSpec, GroupSpec, Named, NodeSpec, RoleSpec, ServiceSpec, ShareSpec};

/// One cluster: a folder under `profiles/` with this `cluster.toml`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(title = "Rootstock cluster")]
pub struct ClusterSpec {
    /// The version of this format; write 1.
    pub schema_version: At<u32>,
    /// What the cluster is.
    pub cluster: ClusterHeader,
    /// The networks its nodes are on.
    pub network: NetworkSpec,
    /// Pinned versions of everything third-party, by artifact name (`k3s = "v1.36.4+k3s1"`).
    #[serde(default)]
    pub versions: Named<At<String>>,
    /// Settings of k3s that all servers share.
    #[serde(default)]
    pub k3s: Option<K3sSpec>,
    /// Settings of the Docker daemon on every node that has it.
    #[serde(default)]
    pub docker: DockerSpec,
    /// What the cards of all nodes are made with.
    #[serde(default)]
    pub card: CardSpec,
    /// Container registries by host (`"ghcr.io"`), for k3s, Docker and pushes alike.
    #[serde(default)]
    pub registries: Named<RegistrySpec>,
    /// Where downloads are tried before the vendor: prefixes that are rewritten.
    #[serde(default)]
    pub mirrors: Vec<MirrorSpec>,
    /// Choices about single artifacts, by name.
    #[serde(default)]
    pub artifacts: Named<ArtifactSpec>,
    /// Package files that bundles carry, by a name of your choice, for nodes that reach no archive; a node installs of
    /// them what its packages need.
    #[serde(default)]
    pub package_files: Named<PackageFileSpec>,
    /// What the cluster's own OCI images say of themselves.
    #[serde(default)]
    pub images: ImagesSpec,
    /// Roles of this cluster alone; shared ones are in `profiles/roles/`.
    #[serde(default)]
    pub roles: Named<RoleSpec>,
    /// Nodes, each by its host name.
    #[serde(default)]
    pub nodes: Named<NodeSpec>,
    /// Many nodes in one table, with names and addresses in step.
    #[serde(default)]
    pub groups: Named<GroupSpec>,
    /// Folders that one machine serves and others mount.
    #[serde(default)]
    pub shares: Named<ShareSpec>,
    /// What runs on the cluster.
    #[serde(default)]
    pub services: Named<ServiceSpec>,
}

/// What the cluster is.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ClusterHeader {
    /// Its name, the same as its folder's.
    pub name: At<String>,
    /// One sentence on what it is for.
    #[serde(default)]
    pub description: Option<At<String>>,
    /// The DNS domain its services are published under (`ism.la`).
    #[serde(default)]
    pub domain: Option<At<String>>,
    /// The suffix of names inside the mesh or LAN (`colab` for `gitea.colab`).
    #[serde(default)]
    pub internal_domain: Option<At<String>>,
    /// IANA time zone of all nodes; `Etc/UTC` if left out.
    #[serde(default)]
    pub timezone: Option<At<String>>,
    /// Whether sources and mirrors of downloads may be plain `http:`; the digest is then all that protects them.
    #[serde(default)]
    pub allow_http: bool,
    /// The person's account on every node; chezmoi, mise and compose run as it.
    pub admin_user: At<String>,
    /// What starts containers: k3s, or Docker Compose on each node by itself.
    pub orchestrator: At<Orchestrator>,
    /// Where the chezmoi repository is cloned from, for `chezmoi init --apply`.
    #[serde(default)]
    pub dotfiles: Option<At<String>>,
}

/// What starts containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Orchestrator {
    /// Kubernetes by k3s.
    K3s,
    /// Docker Compose on each node; nothing schedules across nodes.
    Compose,
}

/// The networks.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NetworkSpec {
    /// The LAN in CIDR notation (`192.168.1.0/24`); every node address lies in it.
    pub lan: At<String>,
    /// The LAN's router.
    #[serde(default)]
    pub gateway: Option<At<String>>,
    /// Name servers, in order.
    #[serde(default)]
    pub dns: Vec<At<String>>,
    /// An overlay that all nodes join.
    #[serde(default)]
    pub mesh: Option<MeshSpec>,
}

/// An overlay network with stable addresses.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MeshSpec {
    /// Who coordinates it.
    pub kind: At<MeshKind>,
    /// Its range, inside 100.64.0.0/10 (RFC 6598).
    pub cidr: At<String>,
    /// The node that runs the coordinator.
    #[serde(default)]
    pub server: Option<At<String>>,
    /// The coordinator's URL that clients log in to.
    #[serde(default)]
    pub login_url: Option<At<String>>,
    /// The key a node joins with, by reference.
    #[serde(default)]
    pub auth_key: Option<At<String>>,
    /// Let the mesh rewrite resolv.conf; off on cluster nodes unless wanted (FIELD K35).
    #[serde(default)]
    pub accept_dns: bool,
}

/// Who coordinates a mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MeshKind {
    /// Self-hosted.
    Headscale,
    /// The vendor's own.
    Tailscale,
}

/// Settings of k3s that all servers share, so that joining servers cannot differ (FIELD K27).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct K3sSpec {
    /// Range of pod addresses; k3s's own default is 10.42.0.0/16.
    #[serde(default)]
    pub cluster_cidr: Option<At<String>>,
    /// Range of service addresses; k3s's own default is 10.43.0.0/16.
    #[serde(default)]
    pub service_cidr: Option<At<String>>,
    /// Packaged components that are switched off (`traefik`, `servicelb`…).
    #[serde(default)]
    pub disable: Vec<At<String>>,
    /// How pods on different nodes reach each other.
    #[serde(default)]
    pub flannel_backend: Option<At<Flannel>>,
    /// Further names and addresses in the API server's certificate.
    #[serde(default)]
    pub tls_san: Vec<At<String>>,
    /// The secret of the first server, by reference; short, because the CA does not exist yet (FIELD K12).
    pub server_token: At<String>,
    /// What agents join with, by reference: a bootstrap token with a time to live, never the server's (FIELD K13, K14).
    pub agent_token: At<String>,
    /// Encrypt Secrets in the datastore.
    #[serde(default)]
    pub secrets_encryption: bool,
    /// Where k3s keeps its data; `/var/lib/rancher/k3s` if left out.
    #[serde(default)]
    pub data_dir: Option<At<String>>,
}

/// Flannel's backends as k3s names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Flannel {
    /// Encapsulated in UDP 8472; the default.
    Vxlan,
    /// Routes between nodes of one layer-2 network.
    HostGw,
    /// Encrypted, UDP 51820.
    WireguardNative,
    /// Another CNI is installed.
    None,
}

/// Settings of the Docker daemon.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DockerSpec {
    /// The size at which a container's log is rotated (`10m`).
    #[serde(default)]
    pub log_max_size: Option<At<String>>,
    /// How many rotated logs are kept.
    #[serde(default)]
    pub log_max_file: Option<At<u32>>,
    /// Bridge networks that services of several Compose files share, with their ranges (FIELD D3).
    #[serde(default)]
    pub networks: Named<At<String>>,
}

/// A container registry.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RegistrySpec {
    /// Endpoints tried in order instead of the registry itself, each with its scheme (FIELD K28).
    #[serde(default)]
    pub mirrors: Vec<At<String>>,
    /// Speak plain HTTP to it.
    #[serde(default)]
    pub http: bool,
    /// User name, if it wants one.
    #[serde(default)]
    pub user: Option<At<String>>,
    /// Password, by reference.
    #[serde(default)]
    pub password: Option<At<String>>,
}

/// Choices about one artifact.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ArtifactSpec {
    /// A file of yours instead of every source (`file:../k3s-{arch}`); `{arch}` and `{version}` are filled in.
    #[serde(default)]
    pub local: Option<At<String>>,
    /// Bundles may do without it while no source can be reached to pin it.
    #[serde(default)]
    pub optional: bool,
}

/// A Debian package that bundles carry.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PackageFileSpec {
    /// Its version, as its file name has it (`2025b-4+deb13u1`).
    pub version: At<String>,
    /// Where it is: `file:` and a path from this folder, or an address; `{arch}` and `{version}` are filled in.
    pub source: At<String>,
    /// The system it is for (`debian-13`); all with apt if left out.
    #[serde(default)]
    pub os: Option<At<String>>,
}

/// A download prefix and what it is tried as first.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MirrorSpec {
    /// The vendor's prefix (`https://github.com/`).
    pub from: At<String>,
    /// The prefix tried before it.
    pub to: At<String>,
}

/// What the cluster's own images say of themselves.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ImagesSpec {
    /// The repository prefix images are named and pushed under (`ghcr.io/example`).
    #[serde(default)]
    pub repository: Option<At<String>>,
    /// `org.opencontainers.image.vendor`.
    #[serde(default)]
    pub vendor: Option<At<String>>,
    /// `org.opencontainers.image.source`.
    #[serde(default)]
    pub source: Option<At<String>>,
    /// Further labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}
