//! Packages: what families need, in the names each distribution's release gives it (FIELD D5).
//!
//! In: needs, by purpose. Out: one [`Want::Packages`] with names of the node's own distribution; several of them on a node
//! become one. A family never writes a package's name; it adds a need and its row here. Names for Debian 13 are asked of a
//! real apt; those of Ubuntu, Fedora, openSUSE and older Debians were never asked of an archive
//! (docs/decisions/0031-package-names.md).

use std::collections::{BTreeMap, BTreeSet};

use desired::resource::{PackageFile, PackageManager, Resource, ResourceId, Want};

use super::{RenderError, pin};
use crate::model::{Model, Node, Os, OsFamily, Pins};

/// Something a family needs that comes in packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Certificates of public authorities.
    Certificates,
    /// `curl`, for artifacts that were deferred.
    Curl,
    /// Docker Engine and its command.
    Docker,
    /// Docker's build plugin.
    Buildx,
    /// Podman.
    Podman,
    /// `mount -t cifs`.
    CifsClient,
    /// `mount -t nfs`.
    NfsClient,
    /// The kernel's NFS server.
    NfsServer,
    /// Samba's server.
    SmbServer,
    /// iSCSI initiator, for Longhorn.
    Iscsi,
    /// Disk encryption commands, for Longhorn.
    Cryptsetup,
    /// `vxlan` on a Raspberry Pi where it is outside the base kernel package (FIELD K7).
    ExtraModules,
    /// A clock that is set from the network and can say so.
    TimeSync,
    /// The table of time zones.
    TimeZones,
    /// What Docker without root needs.
    RootlessDocker,
    /// Software RAID.
    Raid,
    /// Cockpit's web interface.
    Cockpit,
}

impl Need {
    /// Every need.
    pub const ALL: [Self; 17] = [
        Self::Certificates,
        Self::Curl,
        Self::Docker,
        Self::Buildx,
        Self::Podman,
        Self::CifsClient,
        Self::NfsClient,
        Self::NfsServer,
        Self::SmbServer,
        Self::Iscsi,
        Self::Cryptsetup,
        Self::ExtraModules,
        Self::TimeSync,
        Self::TimeZones,
        Self::RootlessDocker,
        Self::Raid,
        Self::Cockpit,
    ];
}

/// The packages that answer `need` on `os`, or nothing where the system has it already.
#[must_use]
pub fn names(need: Need, os: &Os) -> &'static [&'static str] {
    match os.family {
        OsFamily::OpenSuse => opensuse_names(need),
        family if family.has_apt() => debian_names(need, os),
        _ => fedora_names(need),
    }
}

/// Debian, Raspberry Pi OS (Debian's packages under Debian's releases) and Ubuntu.
fn debian_names(need: Need, os: &Os) -> &'static [&'static str] {
    let is_ubuntu = os.family == OsFamily::Ubuntu;
    match need {
        Need::Certificates => &["ca-certificates"],
        Need::Curl => &["curl"],
        // Since Debian 13 the command is a package of its own that docker.io only recommends; before, and on Ubuntu
        // to this day, docker.io holds both.
        Need::Docker if !is_ubuntu && major(os) >= 13 => &["docker.io", "docker-cli"],
        Need::Docker => &["docker.io"],
        // Debian 12 has no build plugin of its own.
        Need::Buildx if !is_ubuntu && major(os) < 13 => &[],
        Need::Buildx => &["docker-buildx"],
        Need::Podman => &["podman"],
        Need::CifsClient => &["cifs-utils"],
        Need::NfsClient => &["nfs-common"],
        Need::NfsServer => &["nfs-kernel-server"],
        Need::SmbServer => &["samba"],
        Need::Iscsi => &["open-iscsi"],
        Need::Cryptsetup => &["cryptsetup-bin"],
        // 21.10 to 23.10 only; from 24.04 on the base package has vxlan again.
        Need::ExtraModules if is_ubuntu && (21..24).contains(&major(os)) => &["linux-modules-extra-raspi"],
        Need::ExtraModules => &[],
        Need::TimeSync => &["systemd-timesyncd"],
        Need::TimeZones => &["tzdata"],
        Need::RootlessDocker => &["dbus-user-session", "slirp4netns", "uidmap"],
        Need::Raid => &["mdadm"],
        Need::Cockpit => &["cockpit"],
    }
}

/// Fedora.
const fn fedora_names(need: Need) -> &'static [&'static str] {
    match need {
        Need::Certificates => &["ca-certificates"],
        Need::Curl => &["curl"],
        // Fedora's build of Docker Engine; the command is `docker-cli` since Fedora 41.
        Need::Docker => &["docker-cli", "moby-engine"],
        Need::Buildx => &["docker-buildx"],
        Need::Podman => &["podman"],
        Need::CifsClient => &["cifs-utils"],
        Need::NfsClient | Need::NfsServer => &["nfs-utils"],
        Need::SmbServer => &["samba"],
        Need::Iscsi => &["iscsi-initiator-utils"],
        Need::Cryptsetup => &["cryptsetup"],
        // The base packages have vxlan; systemd-timesyncd is in systemd-udev.
        Need::ExtraModules | Need::TimeSync => &[],
        Need::TimeZones => &["tzdata"],
        Need::RootlessDocker => &["shadow-utils", "slirp4netns"],
        Need::Raid => &["mdadm"],
        Need::Cockpit => &["cockpit"],
    }
}

/// openSUSE.
const fn opensuse_names(need: Need) -> &'static [&'static str] {
    match need {
        Need::Certificates => &["ca-certificates-mozilla"],
        Need::Curl => &["curl"],
        Need::Docker => &["docker"],
        Need::Buildx => &["docker-buildx"],
        Need::Podman => &["podman"],
        Need::CifsClient => &["cifs-utils"],
        Need::NfsClient => &["nfs-client"],
        Need::NfsServer => &["nfs-kernel-server"],
        Need::SmbServer => &["samba"],
        Need::Iscsi => &["open-iscsi"],
        Need::Cryptsetup => &["cryptsetup"],
        // The kernel's own package has vxlan.
        Need::ExtraModules => &[],
        Need::TimeSync => &["systemd-network"],
        Need::TimeZones => &["timezone"],
        Need::RootlessDocker => &["docker-rootless-extras", "slirp4netns"],
        Need::Raid => &["mdadm"],
        Need::Cockpit => &["cockpit"],
    }
}

/// The number before the first dot of the release; 0 where there is none.
#[must_use]
pub fn major(os: &Os) -> u32 {
    os.release.split('.').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Which program installs packages on `node`; none on Windows and macOS.
#[must_use]
pub const fn manager(node: &Node) -> Option<PackageManager> {
    match node.os.family {
        OsFamily::Debian | OsFamily::RaspberryPiOs | OsFamily::Ubuntu => Some(PackageManager::Apt),
        OsFamily::Fedora => Some(PackageManager::Dnf),
        OsFamily::OpenSuse => Some(PackageManager::Zypper),
        OsFamily::Windows | OsFamily::Macos => None,
    }
}

/// The resource that answers `needs` on `node`; none where nothing has to be installed.
#[must_use]
pub fn resource(node: &Node, needs: &[Need]) -> Option<Resource> {
    let names = needs.iter().flat_map(|need| names(*need, &node.os)).map(|name| (*name).to_owned()).collect();
    of_names(node, names)
}

/// The resource that installs packages by the names the node's own distribution gives them.
#[must_use]
pub fn of_names(node: &Node, names: BTreeSet<String>) -> Option<Resource> {
    let manager = manager(node)?;
    (!names.is_empty()).then(|| Resource::new(Want::Packages { manager, names, files: BTreeMap::new() }))
}

/// The package files that `node`'s bundle carries for it, to be folded into its one packages resource; none where there
/// are none for its system.
///
/// # Errors
/// If one is not pinned.
pub fn files(model: &Model, node: &Node, pins: &Pins) -> Result<Option<Resource>, RenderError> {
    let Some(manager) = manager(node) else { return Ok(None) };
    let mut files = BTreeMap::new();
    for artifact in model.package_files.iter().filter(|(_, file)| file.is_for(node)).map(|(name, _)| name) {
        let pin = pin(pins, artifact.as_str(), node)?;
        let file = PackageFile { file: pin.file.clone(), pinned: pin.pinned.clone() };
        files.insert(artifact.clone(), file);
    }
    let names = BTreeSet::new();
    Ok((!files.is_empty()).then(|| Resource::new(Want::Packages { manager, names, files })))
}

/// The id of the node's one packages resource, to come after it; none where `needs` install nothing.
#[must_use]
pub fn id(node: &Node, needs: &[Need]) -> Option<ResourceId> {
    resource(node, needs).map(|resource| resource.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn os(family: OsFamily, release: &str) -> Os {
        Os { family, release: release.to_owned(), wsl: None, selinux: false }
    }

    #[test]
    fn docker_has_the_name_of_each_release() {
        for (family, release, expected) in [
            (OsFamily::Debian, "12", &["docker.io"][..]),
            (OsFamily::Debian, "13", &["docker.io", "docker-cli"]),
            (OsFamily::RaspberryPiOs, "13", &["docker.io", "docker-cli"]),
            (OsFamily::Ubuntu, "24.04", &["docker.io"]),
            (OsFamily::Ubuntu, "26.04", &["docker.io"]),
            (OsFamily::Fedora, "43", &["docker-cli", "moby-engine"]),
        ] {
            assert_eq!(names(Need::Docker, &os(family, release)), expected, "{family:?} {release}");
        }
    }

    #[test]
    fn vxlan_comes_in_a_package_only_where_it_was_taken_out() {
        assert_eq!(names(Need::ExtraModules, &os(OsFamily::Ubuntu, "22.04")), ["linux-modules-extra-raspi"]);
        assert!(names(Need::ExtraModules, &os(OsFamily::Ubuntu, "24.04")).is_empty());
        assert!(names(Need::ExtraModules, &os(OsFamily::RaspberryPiOs, "13")).is_empty());
    }
}
