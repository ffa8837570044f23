//! What trials need, what may be done to get it, and what is said where it can't be had.

use std::path::PathBuf;

/// Something a trial can't do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// `shellcheck`, besides `sh -n`.
    Shellcheck,
    /// `systemd-analyze verify`.
    SystemdAnalyze,
    /// `findmnt --verify`.
    Findmnt,
    /// The program `dockerd`, for `--validate`; nothing is started.
    Dockerd,
    /// `skopeo`, an independent reader of OCI layouts and registries.
    Skopeo,
    /// `crane`, another one.
    Crane,
    /// What makes and checks disk images: sfdisk, mkfs.vfat, mtools, e2fsprogs.
    DiskTools,
    /// Files that play block devices, which takes root and a kernel that has them.
    LoopDevices,
    /// The disk that this machine runs from, by its name.
    RootDisk,
    /// The same, and its bytes can be read.
    ReadableRootDisk,
    /// The package lists of Debian 13, for questions; nothing is installed from them.
    DebianLists,
    /// The real cloud-init, from Debian's package, to judge files; it is not installed, or it would seize this machine.
    CloudInit,
    /// The real mise, from npm.
    Mise,
    /// The real chezmoi, built from its Go module.
    Chezmoi,
    /// The real helm, kustomize and kubectl-validate, built from their Go modules, and charts from theirs.
    Kubernetes,
    /// The programs `docker` and `docker compose`, for what they do without a daemon.
    DockerCli,
    /// The generator of Podman that reads Quadlet's units, unpacked from Debian's package.
    Quadlet,
    /// The programs of OpenSSH's client.
    Ssh,
    /// A running engine of our own, with buildx and the containerd image store.
    Engine,
    /// A running registry on loopback.
    Registry,
    /// The kernel runs programs of the other architecture, also inside containers.
    OtherArch,
    /// Containers of Debian 13 with systemd, as machines; name [`Need::Engine`] too.
    Node,
    /// The same of Debian 12.
    OlderNode,
    /// The real k3s, built from its Go module.
    K3s,
    /// The same for the other architecture; name [`Need::K3s`] too.
    OtherK3s,
    /// Virtual machines with a kernel of their own.
    Guest,
    /// The same of the other architecture; name [`Need::OtherArch`] too.
    OtherGuest,
    /// A root of the other architecture; name [`Need::OtherArch`] too.
    ForeignRoot,
    /// A vendor's image of this machine's architecture; name [`Need::DiskTools`] too.
    Base,
    /// The same of the other architecture; name [`Need::OtherArch`] too.
    OtherBase,
    /// A whole machine of this machine's architecture, emulated.
    Machine,
    /// The same of the other architecture.
    OtherMachine,
    /// Docker's Compose as a plug-in; name [`Need::Engine`] too.
    Compose,
    /// The real dnf and zypper, and what makes archives for them.
    Rpm,
    /// The real headscale, tailscale and tailscaled, built from their Go modules.
    Mesh,
}

/// Why a need can't be met here, and what would meet it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What is not there or did not work.
    pub why: String,
    /// One line to type, or what to change.
    pub fix: String,
}

impl Missing {
    /// A missing thing in two sentences.
    pub fn new(why: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { why: why.into(), fix: fix.into() }
    }
}

impl std::fmt::Display for Missing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}; cure: {}", self.why, self.fix)
    }
}

/// What the run that wants a lab allows it to do.
#[derive(Debug, Clone)]
pub struct Permission {
    /// Packages may be installed and downloaded.
    pub install: bool,
    /// Where caches, private package lists and tools lie.
    pub folder: PathBuf,
}

impl Permission {
    /// From the environment: `ROOTSTOCK_LAB` moves the folder, `ROOTSTOCK_LAB_INSTALL=1` allows installing; `cargo
    /// xtask test` sets it, a bare `cargo test` leaves the machine as it is.
    #[must_use]
    pub fn from_environment() -> Self {
        let folder =
            std::env::var_os("ROOTSTOCK_LAB").map_or_else(|| crate::repository().join(".lab"), PathBuf::from);
        Self { install: std::env::var_os("ROOTSTOCK_LAB_INSTALL").is_some_and(|value| value == "1"), folder }
    }
}
