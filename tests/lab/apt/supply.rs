//! What the rings need that comes as a package, and from which suite of which distribution.

use crate::lab::Need;
use host::process::find_program;
use std::path::Path;

/// One program, the need it belongs to, and the packages that bring it.
#[derive(Debug)]
pub struct Supply {
    /// Who needs it.
    pub need: Need,
    /// What is looked for on `PATH`.
    pub program: &'static str,
    /// A plug-in of that program that must be there too; plug-ins are on no `PATH`.
    plugin: Option<&'static str>,
    /// A file that must be there too, for what is no program.
    file: Option<&'static str>,
    debian: &'static [Package],
    ubuntu: &'static [&'static str],
}

/// A Debian package; where Debian 12's own is too old or absent, the suite that has it.
#[derive(Debug)]
struct Package {
    name: &'static str,
    on_bookworm: Option<&'static str>,
    /// The suite on any other release, for what only unstable has.
    elsewhere: Option<&'static str>,
}

const fn package(name: &'static str) -> Package {
    Package { name, on_bookworm: None, elsewhere: None }
}

const fn newer(name: &'static str, suite: &'static str) -> Package {
    Package { name, on_bookworm: Some(suite), elsewhere: None }
}

const fn unstable(name: &'static str) -> Package {
    Package { name, on_bookworm: Some("sid"), elsewhere: Some("sid") }
}

const fn supply(
    need: Need,
    program: &'static str,
    debian: &'static [Package],
    ubuntu: &'static [&'static str],
) -> Supply {
    Supply { need, program, plugin: None, file: None, debian, ubuntu }
}

/// Where the Docker client looks for plug-ins of the machine.
const PLUGINS: [&str; 4] = [
    "/usr/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/local/lib/docker/cli-plugins",
];
const DOCKER: &[Package] =
    &[newer("docker.io", "trixie"), newer("containerd", "trixie"), package("iptables")];

/// On Debian 12 all of it from one suite, as its parts want one version.
const QEMU: &[Package] = &[
    newer("qemu-system-x86", "bookworm-backports"),
    newer("qemu-system-common", "bookworm-backports"),
    newer("qemu-system-data", "bookworm-backports"),
    newer("seabios", "bookworm-backports"),
];

/// The other architecture's, of the same suite.
const OTHER_QEMU: &[Package] = &[newer("qemu-system-arm", "bookworm-backports")];

/// What builds k3s; asked for only where it is not built yet.
pub const K3S_BUILD: &[Supply] = &[
    supply(Need::K3s, "nice", &[package("coreutils")], &["coreutils"]),
    supply(Need::K3s, "gcc", &[package("gcc"), package("libc6-dev")], &["gcc", "libc6-dev"]),
    supply(Need::K3s, "pkg-config", &[package("pkg-config")], &["pkg-config"]),
    Supply {
        file: Some("/usr/include/seccomp.h"),
        ..supply(Need::K3s, "pkg-config", &[package("libseccomp-dev")], &["libseccomp-dev"])
    },
];
/// What builds it for arm64 besides: its SQLite is C. The vendor's seccomp is left out, which wants arm64's library.
pub const K3S_CROSS_BUILD: &[Supply] = &[supply(
    Need::OtherK3s,
    "aarch64-linux-gnu-gcc",
    &[package("gcc-aarch64-linux-gnu"), package("libc6-dev-arm64-cross")],
    &["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"],
)];
/// What makes the root of a node; asked for only where it is not made yet.
pub const NODE_ROOT: &[Supply] =
    &[supply(Need::Node, "mmdebstrap", &[package("mmdebstrap")], &["mmdebstrap"])];

/// What it asks whether this machine runs programs of the other architecture.
pub const FOREIGN_ROOT: &[Supply] =
    &[supply(Need::ForeignRoot, "arch-test", &[package("arch-test")], &["arch-test"])];

/// Everything that comes as a package.
pub const SUPPLIES: &[Supply] = &[
    supply(Need::Shellcheck, "shellcheck", &[package("shellcheck")], &["shellcheck"]),
    supply(Need::SystemdAnalyze, "systemd-analyze", &[package("systemd")], &["systemd"]),
    supply(Need::Findmnt, "findmnt", &[package("util-linux")], &["util-linux"]),
    supply(Need::Dockerd, "dockerd", DOCKER, &["docker.io"]),
    supply(Need::Skopeo, "skopeo", &[package("skopeo")], &["skopeo"]),
    supply(Need::Crane, "crane", &[unstable("crane")], &["crane"]),
    supply(Need::Engine, "dockerd", DOCKER, &["docker.io"]),
    supply(Need::Engine, "docker", &[newer("docker-cli", "trixie")], &["docker.io"]),
    Supply {
        plugin: Some("docker-buildx"),
        ..supply(Need::Engine, "docker", &[newer("docker-buildx", "trixie")], &["docker-buildx"])
    },
    Supply {
        plugin: Some("docker-compose"),
        ..supply(Need::Compose, "docker", &[newer("docker-compose", "trixie")], &["docker-compose-v2"])
    },
    supply(Need::DockerCli, "docker", &[newer("docker-cli", "trixie")], &["docker.io"]),
    Supply {
        plugin: Some("docker-compose"),
        ..supply(Need::DockerCli, "docker", &[newer("docker-compose", "trixie")], &["docker-compose-v2"])
    },
    supply(Need::Rpm, "dnf", &[package("dnf")], &["dnf"]),
    supply(Need::Rpm, "zypper", &[package("zypper")], &["zypper"]),
    supply(Need::Rpm, "rpmbuild", &[package("rpm")], &["rpm"]),
    supply(Need::Rpm, "createrepo_c", &[package("createrepo-c")], &["createrepo-c"]),
    supply(Need::Registry, "docker-registry", &[package("docker-registry")], &["docker-registry"]),
    supply(Need::DiskTools, "sfdisk", &[package("fdisk")], &["fdisk"]),
    supply(Need::DiskTools, "mkfs.vfat", &[package("dosfstools")], &["dosfstools"]),
    supply(Need::DiskTools, "mcopy", &[package("mtools")], &["mtools"]),
    supply(Need::DiskTools, "mke2fs", &[package("e2fsprogs")], &["e2fsprogs"]),
    supply(Need::Ssh, "ssh", &[package("openssh-client")], &["openssh-client"]),
    supply(Need::Guest, "qemu-system-x86_64", QEMU, &["qemu-system-x86"]),
    supply(Need::Guest, "qemu-img", &[newer("qemu-utils", "bookworm-backports")], &["qemu-utils"]),
    supply(Need::Guest, "mke2fs", &[package("e2fsprogs")], &["e2fsprogs"]),
    supply(Need::Guest, "ssh", &[package("openssh-client")], &["openssh-client"]),
    supply(Need::OtherGuest, "qemu-system-aarch64", OTHER_QEMU, &["qemu-system-arm"]),
    supply(Need::OtherGuest, "qemu-img", &[newer("qemu-utils", "bookworm-backports")], &["qemu-utils"]),
    supply(Need::OtherGuest, "mke2fs", &[package("e2fsprogs")], &["e2fsprogs"]),
    supply(Need::OtherGuest, "ssh", &[package("openssh-client")], &["openssh-client"]),
    supply(Need::Machine, "qemu-system-x86_64", QEMU, &["qemu-system-x86"]),
    supply(Need::Machine, "ssh", &[package("openssh-client")], &["openssh-client"]),
    supply(Need::Machine, "nc", &[package("netcat-openbsd")], &["netcat"]),
    supply(Need::OtherMachine, "qemu-system-aarch64", OTHER_QEMU, &["qemu-system-arm"]),
    supply(Need::OtherMachine, "ssh", &[package("openssh-client")], &["openssh-client"]),
    supply(
        Need::OtherArch,
        crate::lab::binfmt::QEMU,
        &[newer("qemu-user", "bookworm-backports"), newer("qemu-user-binfmt", "bookworm-backports")],
        &["qemu-user", "qemu-user-binfmt"],
    ),
];

impl Supply {
    /// Whether the program and what goes with it are there.
    #[must_use]
    pub fn is_there(&self) -> bool {
        let plugged = |name| PLUGINS.iter().any(|folder| Path::new(folder).join(name).exists());
        let is_file = |path| Path::new(path).exists();
        find_program(self.program).is_some()
            && self.plugin.is_none_or(plugged)
            && self.file.is_none_or(is_file)
    }

    pub(super) fn packages(&self, distribution: &Distribution) -> Vec<String> {
        let named = |package: &Package, suite: Option<&str>| match suite {
            Some(suite) => format!("{}/{suite}", package.name),
            None => package.name.to_owned(),
        };
        match distribution {
            Distribution::Debian { codename } if codename == "bookworm" => {
                self.debian.iter().map(|package| named(package, package.on_bookworm)).collect()
            }
            Distribution::Debian { .. } => {
                self.debian.iter().map(|package| named(package, package.elsewhere)).collect()
            }
            Distribution::Ubuntu => self.ubuntu.iter().map(|&name| name.to_owned()).collect(),
        }
    }
}

/// The families this module knows packages of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Distribution {
    Debian { codename: String },
    Ubuntu,
}

impl Distribution {
    pub(super) fn from_os_release(text: &str) -> Option<Self> {
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
            Some(line.trim_matches('"').to_owned())
        };
        match value("ID")?.as_str() {
            "debian" => {
                Some(Self::Debian { codename: value("VERSION_CODENAME").unwrap_or_else(|| "sid".to_owned()) })
            }
            "ubuntu" => Some(Self::Ubuntu),
            _ => None,
        }
    }

    /// The suites of the private list; none means the machine's own lists are enough.
    pub(super) fn suites(&self) -> Vec<&str> {
        match self {
            Self::Debian { codename } if codename == "bookworm" => {
                vec!["bookworm", "bookworm-backports", "trixie", "sid"]
            }
            Self::Debian { codename } if codename == "sid" => vec!["sid"],
            Self::Debian { codename } => vec![codename, "sid"],
            Self::Ubuntu => Vec::new(),
        }
    }
}
