//! Debian's and Ubuntu's packages, from private package lists, in one call.
//!
//! In: the supplies that are not on `PATH`. Out: installed, or the one line to type. The machine's own apt
//! configuration is read (mirror, proxy) and never changed; on Debian 12 newer suites are named package by package,
//! so nothing that was there before is upgraded. No service is started by an installation.

mod supply;

use super::{Missing, Permission};
use host::process::{Invocation, find_program};
use std::path::{Path, PathBuf};
use std::time::Duration;
use supply::Distribution;
pub use supply::{FOREIGN_ROOT, K3S_BUILD, K3S_CROSS_BUILD, NODE_ROOT, SUPPLIES, Supply};

/// Debian's own keys, from the package debian-archive-keyring.
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

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
        let dockerd = SUPPLIES.iter().find(|supply| supply.need == crate::lab::Need::Dockerd).unwrap();
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
