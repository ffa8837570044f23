//! Capabilities: what a machine does, and which operating systems can.

use desired::Invalid;

use crate::spec::OsFamily;

/// What a machine does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// Docker Engine and the Compose plugin, rootful.
    Docker,
    /// Docker Desktop on Windows or macOS.
    DockerDesktop,
    /// Podman.
    Podman,
    /// Containers of the admin user without root; not for cluster nodes.
    RootlessDocker,
    /// Docker Swarm, the fallback of document 000.
    Swarm,
    /// Serves SMB shares.
    SmbServer,
    /// Serves NFS shares.
    NfsServer,
    /// Joins the mesh.
    Mesh,
    /// Runs the mesh's coordinator.
    MeshServer,
    /// Configuration of the admin user by chezmoi.
    Chezmoi,
    /// Tools and tasks by mise.
    Mise,
    /// Secrets by the Infisical command.
    Infisical,
    /// A GPU of NVIDIA's for containers.
    NvidiaGpu,
    /// Longhorn keeps replicas here.
    LonghornStorage,
    /// Cockpit's web interface.
    Cockpit,
    /// FUSE mounts of containers propagate to the host (document 001).
    FusePropagation,
    /// Mirrored backup volume.
    Raid1Backup,
}

impl Capability {
    /// All, in the order of the guide's table.
    pub const ALL: [Self; 17] = [
        Self::Docker,
        Self::DockerDesktop,
        Self::Podman,
        Self::RootlessDocker,
        Self::Swarm,
        Self::SmbServer,
        Self::NfsServer,
        Self::Mesh,
        Self::MeshServer,
        Self::Chezmoi,
        Self::Mise,
        Self::Infisical,
        Self::NvidiaGpu,
        Self::LonghornStorage,
        Self::Cockpit,
        Self::FusePropagation,
        Self::Raid1Backup,
    ];

    /// The name a spec uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::DockerDesktop => "docker-desktop",
            Self::Podman => "podman",
            Self::RootlessDocker => "rootless-docker",
            Self::Swarm => "swarm",
            Self::SmbServer => "smb-server",
            Self::NfsServer => "nfs-server",
            Self::Mesh => "mesh",
            Self::MeshServer => "mesh-server",
            Self::Chezmoi => "chezmoi",
            Self::Mise => "mise",
            Self::Infisical => "infisical",
            Self::NvidiaGpu => "nvidia-gpu",
            Self::LonghornStorage => "longhorn-storage",
            Self::Cockpit => "cockpit",
            Self::FusePropagation => "fuse-propagation",
            Self::Raid1Backup => "raid1-backup",
        }
    }

    /// Whether an operating system of `family` can do it.
    #[must_use]
    pub const fn runs_on(self, family: OsFamily) -> bool {
        match self {
            Self::Mesh | Self::Chezmoi | Self::Mise | Self::Infisical => true,
            Self::DockerDesktop => matches!(family, OsFamily::Windows | OsFamily::Macos),
            Self::NvidiaGpu => !matches!(family, OsFamily::Macos),
            _ => family.is_linux(),
        }
    }

    /// Capabilities that cannot stand beside it on one node.
    #[must_use]
    pub const fn excludes(self) -> &'static [Self] {
        match self {
            Self::Docker => &[Self::DockerDesktop],
            Self::DockerDesktop => &[Self::Docker, Self::RootlessDocker],
            Self::RootlessDocker => &[Self::Swarm, Self::DockerDesktop],
            Self::Swarm => &[Self::RootlessDocker],
            _ => &[],
        }
    }
}

impl std::fmt::Display for Capability {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl std::str::FromStr for Capability {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|capability| capability.as_str() == text).ok_or_else(|| Invalid {
            what: "capability",
            value: text.to_owned(),
            why: "it is not in the guide's table of capabilities".to_owned(),
        })
    }
}
