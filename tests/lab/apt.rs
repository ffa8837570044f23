//! Debian's and Ubuntu's packages, from private package lists, in one call.
//!
//! In: the supplies that are not on `PATH`. Out: installed, or the one line to type. The machine's own apt
//! configuration is read (mirror, proxy) and never changed; on Debian 12 newer suites are named package by package,
//! so nothing that was there before is upgraded. No service is started by an installation.

use super::{Missing, Need, Permission};
use host::process::{Invocation, find_program};
use std::path::{Path, PathBuf};
use std::time::Duration;

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
/// Debian's own keys, from the package debian-archive-keyring.
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const DOCKER: &[Package] =
    &[newer("docker.io", "trixie"), newer("containerd", "trixie"), package("iptables")];

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
/// What makes the root of a node; asked for only where it is not made yet.
pub const NODE_ROOT: &[Supply] =
    &[supply(Need::Node, "mmdebstrap", &[package("mmdebstrap")], &["mmdebstrap"])];

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
    supply(Need::Registry, "docker-registry", &[package("docker-registry")], &["docker-registry"]),
    supply(Need::Ssh, "ssh", &[package("openssh-client")], &["openssh-client"]),
    supply(
        Need::OtherArch,
        super::binfmt::QEMU,
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

    fn packages(&self, distribution: &Distribution) -> Vec<String> {
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
enum Distribution {
    Debian { codename: String },
    Ubuntu,
}

impl Distribution {
    fn from_os_release(text: &str) -> Option<Self> {
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
    fn suites(&self) -> Vec<&str> {
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

/// Installs those of these supplies that are not there.
///
/// # Errors
/// As [`install`], or if one is still not there.
pub fn install_absent(
    permission: &Permission,
    supplies: &[Supply],
    talk: &mut dyn FnMut(&str),
) -> Result<(), Missing> {
    let absent = || supplies.iter().filter(|supply| !supply.is_there()).collect::<Vec<_>>();
    if absent().is_empty() {
        return Ok(());
    }
    install(permission, &absent(), talk)?;
    match absent().first() {
        None => Ok(()),
        Some(supply) => {
            Err(Missing::new(format!("{} is installed, yet not found", supply.program), "look at PATH"))
        }
    }
}

/// One line of apt's sources for the main part of a suite of Debian, from the mirror this machine uses.
///
/// # Errors
/// If Debian's keys are not here.
pub fn source(suite: &str) -> Result<String, Missing> {
    if !Path::new(KEYS).exists() {
        return Err(Missing::new(
            "Debian's keys are not here",
            "sudo apt-get install -y debian-archive-keyring",
        ));
    }
    Ok(line(&own_mirror(), suite))
}

fn line(mirror: &str, suite: &str) -> String {
    format!("deb [signed-by={KEYS}] {mirror} {suite} main")
}

fn own_mirror() -> String {
    mirror(&own_sources()).unwrap_or_else(|| "http://deb.debian.org/debian".to_owned())
}

/// Installs the packages of all these supplies in one call, or says what a person has to type.
///
/// # Errors
/// If this is no Debian or Ubuntu, installing is not allowed, we are not root, or apt failed.
pub fn install(
    permission: &Permission,
    absent: &[&Supply],
    talk: &mut dyn FnMut(&str),
) -> Result<(), Missing> {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let Some(distribution) = Distribution::from_os_release(&release) else {
        let names: Vec<&str> = absent.iter().map(|supply| supply.program).collect();
        return Err(Missing::new(
            "no package is known for this system",
            format!("install {} by hand", names.join(", ")),
        ));
    };
    let mut packages: Vec<String> = absent.iter().flat_map(|supply| supply.packages(&distribution)).collect();
    packages.sort();
    packages.dedup();
    let configuration = private_lists(&permission.folder, &distribution)?;
    let by_hand = by_hand(configuration.as_deref(), &packages);
    if !permission.install {
        return Err(Missing::new("not installed", "cargo xtask test installs it"));
    }
    if !rustix::process::geteuid().is_root() {
        return Err(Missing::new("not installed, and only root can install packages", by_hand));
    }
    talk(&format!("apt: installing {}", packages.join(" ")));
    let _no_services = NoServices::hold();
    let apt = |arguments: &[&str]| {
        let call = Invocation::new("apt-get")
            .args(arguments.iter().copied())
            .env("DEBIAN_FRONTEND", "noninteractive");
        let call = match &configuration {
            Some(path) => call.env("APT_CONFIG", path),
            None => call,
        };
        call.timeout(Duration::from_secs(900))
    };
    let failed =
        |error: host::process::ProcessError| Missing::new(format!("apt failed: {error}"), by_hand.clone());
    apt(&["-q", "update"]).run().map_err(failed)?;
    let install = apt(&["-q", "-y", "--no-install-recommends", "--no-remove", "install"]).args(packages);
    install.run().map(|_| ()).map_err(failed)
}

/// The package lists of one suite of Debian, to be asked through the configuration whose path is returned. They know
/// nothing of what is installed here.
///
/// # Errors
/// If apt or Debian's keys are not there, fetching is not allowed, or it failed.
pub fn lists(permission: &Permission, suite: &str, talk: &mut dyn FnMut(&str)) -> Result<PathBuf, Missing> {
    let fix = "sudo apt-get install -y debian-archive-keyring";
    if find_program("apt-cache").is_none() || !Path::new(KEYS).exists() {
        return Err(Missing::new("no apt with Debian's keys here", fix));
    }
    let folder = format!("apt-{suite}");
    let path = configuration(&permission.folder, &folder, &[suite], "Dir::State::status \"/dev/null\";\n")?;
    let asked = |program: &str, arguments: &[&str]| {
        let call = Invocation::new(program).args(arguments.iter().copied()).env("APT_CONFIG", &path);
        call.timeout(Duration::from_secs(300)).run()
    };
    let holds_names =
        || asked("apt-cache", &["pkgnames", "bash"]).is_ok_and(|said| said.text().contains("bash"));
    if holds_names() {
        return Ok(path);
    }
    if !permission.install {
        return Err(Missing::new("not fetched yet", "cargo xtask test fetches it"));
    }
    talk(&format!("apt: fetching the package lists of Debian {suite}"));
    let update = asked("apt-get", &["-q", "update"]);
    update.map_err(|error| Missing::new(format!("apt failed: {error}"), "look at the message"))?;
    if holds_names() {
        Ok(path)
    } else {
        Err(Missing::new("the package lists are empty", "delete the lab's folder"))
    }
}

/// The line a person types instead of us.
fn by_hand(configuration: Option<&Path>, packages: &[String]) -> String {
    let packages = packages.join(" ");
    match configuration {
        Some(path) => format!(
            "sudo env APT_CONFIG={} sh -c 'apt-get update && apt-get install -y --no-install-recommends {packages}'",
            path.display()
        ),
        None => format!("sudo apt-get install -y --no-install-recommends {packages}"),
    }
}

/// Writes the private lists and the configuration that points to them.
fn private_lists(lab: &Path, distribution: &Distribution) -> Result<Option<PathBuf>, Missing> {
    let suites = distribution.suites();
    if suites.is_empty() { Ok(None) } else { configuration(lab, "apt", &suites, "").map(Some) }
}

/// Writes lists of these suites and the configuration that points to them into a folder of the lab; the first suite is
/// the one packages come from unless another is named, and `further` lines of configuration are added.
fn configuration(lab: &Path, folder: &str, suites: &[&str], further: &str) -> Result<PathBuf, Missing> {
    let own = suites.first().copied().unwrap_or_default();
    let apt = lab.join(folder);
    for needed in ["lists/partial", "cache/archives/partial"] {
        super::folder(&apt.join(needed))?;
    }
    let apt = apt
        .canonicalize()
        .map_err(|error| Missing::new(format!("{}: {error}", apt.display()), "look there"))?;
    let mirror = own_mirror();
    let sources: String = suites.iter().map(|suite| line(&mirror, suite) + "\n").collect();
    let folder = apt.display();
    let configuration = format!(
        "Dir::Etc::sourcelist \"{folder}/sources.list\";\nDir::Etc::sourceparts \"-\";\nDir::State::lists \"{folder}/lists\";\n\
         Dir::Cache \"{folder}/cache\";\nAPT::Default-Release \"{own}\";\nAcquire::Languages \"none\";\n\
         Acquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\nDPkg::Lock::Timeout \"300\";\n{further}"
    );
    let path = apt.join("apt.conf");
    for (name, text) in [(apt.join("sources.list"), sources), (path.clone(), configuration)] {
        std::fs::write(&name, text).map_err(|error| {
            Missing::new(format!("write {}: {error}", name.display()), "free space or set ROOTSTOCK_LAB")
        })?;
    }
    Ok(path)
}

/// All sources of the machine as one text.
fn own_sources() -> String {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    let parts = std::fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten();
    let mut parts: Vec<PathBuf> = parts.map(|entry| entry.path()).collect();
    parts.sort();
    files.extend(parts);
    files.iter().filter_map(|path| std::fs::read_to_string(path).ok()).collect::<Vec<_>>().join("\n")
}

/// The mirror of Debian's main archive this machine uses already: the first http address that ends in `/debian`,
/// in either notation of apt's sources.
fn mirror(sources: &str) -> Option<String> {
    let lines = sources.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let words = lines
        .filter(|line| line.starts_with("deb ") || line.starts_with("URIs:"))
        .flat_map(str::split_whitespace);
    let address = |word: &&str| word.starts_with("http") && word.trim_end_matches('/').ends_with("/debian");
    words.into_iter().find(address).map(|word| word.trim_end_matches('/').to_owned())
}

/// While it lives, package scripts start no service; a policy that was there before stays as it is.
#[derive(Debug)]
struct NoServices {
    ours: bool,
}

impl NoServices {
    const POLICY: &str = "/usr/sbin/policy-rc.d";

    fn hold() -> Self {
        use std::os::unix::fs::OpenOptionsExt as _;
        let fresh = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o755).open(Self::POLICY);
        let written =
            fresh.and_then(|mut file| std::io::Write::write_all(&mut file, b"#!/bin/sh\nexit 101\n"));
        Self { ours: written.is_ok() }
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.ours {
            // If it can't be removed the administrator sees it; nothing else could be done here.
            let _ = std::fs::remove_file(Self::POLICY);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_read_from_both_notations() {
        let deb822 =
            "# http://old/debian\nTypes: deb\nURIs: http://mirror.example/debian/\nSuites: bookworm\n";
        assert_eq!(mirror(deb822).as_deref(), Some("http://mirror.example/debian"));
        let line = "deb [arch=amd64] https://other.example/tool stable main\ndeb https://m.example/debian trixie main\n";
        assert_eq!(mirror(line).as_deref(), Some("https://m.example/debian"));
        assert_eq!(mirror("deb https://security.example/debian-security x main\n"), None);
    }

    #[test]
    fn only_debian_12_needs_newer_suites() {
        let release = |id: &str, code: &str| {
            Distribution::from_os_release(&format!("ID={id}\nVERSION_CODENAME={code}\n"))
        };
        let dockerd = SUPPLIES.iter().find(|supply| supply.need == Need::Dockerd).unwrap();
        assert_eq!(dockerd.packages(&release("debian", "bookworm").unwrap())[0], "docker.io/trixie");
        assert_eq!(dockerd.packages(&release("debian", "trixie").unwrap())[0], "docker.io");
        assert_eq!(dockerd.packages(&release("ubuntu", "noble").unwrap()), ["docker.io"]);
        assert_eq!(release("fedora", ""), None);
        assert_eq!(release("debian", "trixie").unwrap().suites(), ["trixie", "sid"]);
    }

    #[test]
    fn the_line_for_people_names_every_package() {
        let packages = ["skopeo".to_owned(), "crane/sid".to_owned()];
        assert!(by_hand(Some(Path::new("/l/apt.conf")), &packages).contains("APT_CONFIG=/l/apt.conf"));
        assert!(by_hand(None, &packages).ends_with("skopeo crane/sid"));
    }
}
