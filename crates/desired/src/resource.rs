//! Resources: the closed set of things a node can be desired to have.
//!
//! In: what the render families of `blueprint` compute. Out: plain data that a person can read at the desk, a
//! bundle carries, and the node compares with what it observes. Nothing here renders or decides.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::artifact::Pinned;
use crate::types::{AbsPath, ArtifactName, Mode, NodeName, SecretReference, UnitName};

/// Where a node lays package files for as long as they are being installed.
pub const PACKAGE_FILES: &str = "/var/lib/rootstock/packages";

/// A resource's name, `kind:key` (`file:/etc/hosts`), unique on its node; made by [`Resource::new`] alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResourceId(String);

impl ResourceId {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ResourceId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(&self.0)
    }
}

/// One desired thing, with what must be true before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// Its name on the node.
    pub id: ResourceId,
    /// Resources that come first, beyond what the kinds themselves imply.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub after: BTreeSet<ResourceId>,
    /// What is desired.
    pub want: Want,
}

impl Resource {
    /// The resource that wants `want`, after nothing in particular.
    #[must_use]
    pub fn new(want: Want) -> Self {
        Self { id: want.id(), after: BTreeSet::new(), want }
    }
    /// The same, after `earlier`.
    #[must_use]
    pub fn after(mut self, earlier: &ResourceId) -> Self {
        self.after.insert(earlier.clone());
        self
    }
}

/// Who owns a file or folder; names, resolved on the node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// The user's name.
    pub user: String,
    /// The group's name.
    pub group: String,
}

impl Owner {
    /// `root:root`, the owner of everything of ours unless a person's home is meant.
    #[must_use]
    pub fn root() -> Self {
        Self { user: "root".to_owned(), group: "root".to_owned() }
    }
}

/// Which program installs packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PackageManager {
    /// Debian, Raspberry Pi OS, Ubuntu.
    Apt,
    /// Fedora and relatives.
    Dnf,
    /// openSUSE.
    Zypper,
}

impl PackageManager {
    /// Its name, as in a resource's id and on a command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Apt => "apt",
            Self::Dnf => "dnf",
            Self::Zypper => "zypper",
        }
    }
}

/// A package file that the bundle carries for a node that reaches no archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageFile {
    /// Its file in the bundle's folder of that artifact.
    pub file: String,
    /// What its bytes are held against.
    pub pinned: Pinned,
}

/// Something the kernel can do, whoever asked it to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KernelFact {
    /// It counts and limits memory by group, which k3s needs (FIELD K1).
    MemoryCgroup,
}

/// A piece of a secret file: text as it stands, or a secret put in on the node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretPart {
    /// Written as it is.
    Text(String),
    /// Replaced by the value of the reference on the node.
    Secret(SecretReference),
}

/// Everything a node can be desired to have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Want {
    /// The static host name, hostname(5).
    Hostname {
        /// The name, also the answer to `hostname`.
        name: NodeName,
    },
    /// Packages that are installed; one call of the manager for all that are missing.
    Packages {
        /// Which program installs them.
        manager: PackageManager,
        /// Names as that distribution's release has them.
        names: BTreeSet<String>,
        /// Package files by artifact: asked before any archive, for the packages named and for what those need.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        files: BTreeMap<ArtifactName, PackageFile>,
    },
    /// A kernel module, loaded now and at boot.
    KernelModule {
        /// Its name with underscores.
        name: String,
    },
    /// A kernel setting, now and at boot.
    Sysctl {
        /// Dotted key.
        key: String,
        /// Its value.
        value: String,
    },
    /// A folder.
    Directory {
        /// Where.
        path: AbsPath,
        /// Permission bits.
        mode: Mode,
        /// Who owns it.
        owner: Owner,
    },
    /// A whole file of ours.
    File {
        /// Where.
        path: AbsPath,
        /// Permission bits.
        mode: Mode,
        /// Who owns it.
        owner: Owner,
        /// The text, UTF-8.
        content: String,
    },
    /// A file made on the node from references; compared by digest, never shown.
    SecretFile {
        /// Where.
        path: AbsPath,
        /// Permission bits; nothing wider than 0600 is made.
        mode: Mode,
        /// Who owns it.
        owner: Owner,
        /// The text with its holes.
        parts: Vec<SecretPart>,
    },
    /// Lines of ours in a file that others write too; everything outside the markers is kept to the byte.
    ManagedBlock {
        /// The file.
        path: AbsPath,
        /// Which block, so that two can live in one file.
        name: String,
        /// What starts a comment line there (`#`).
        comment: String,
        /// The lines between the markers, each ended by a newline.
        content: String,
    },
    /// Words on the kernel's command line, in its one-line file; all other words are kept. They take effect when the
    /// machine starts.
    ManagedLine {
        /// The file.
        path: AbsPath,
        /// The words, in the order they shall stand.
        words: Vec<String>,
        /// Where this holds without them, they are not put in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unless: Option<KernelFact>,
    },
    /// A pinned third-party program or data file.
    Artifact {
        /// Where it is installed.
        path: AbsPath,
        /// Permission bits.
        mode: Mode,
        /// Its name in the lock and the bundle.
        artifact: ArtifactName,
        /// Its file in the bundle's folder of that name.
        file: String,
        /// Its version as its vendor writes it, where whoever changes it has to look at it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
        /// What its bytes are held against.
        pinned: Pinned,
    },
    /// A systemd unit's state.
    Unit {
        /// Its full name.
        name: UnitName,
        /// Started at boot.
        enabled: bool,
        /// Running now; with `enabled` alone it is left to run when its time has come.
        active: bool,
        /// Being started is as good as running: it waits for something of others that may be away for long.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        waits: bool,
        /// Restarted when one of these changed and it is meant to run.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        restart_on: BTreeSet<ResourceId>,
    },
    /// A person's home as a chezmoi source has it, applied as that person; scripts and downloads of the source are not run.
    Chezmoi {
        /// Whose home.
        user: String,
        /// The source's folder on the node.
        source: AbsPath,
    },
    /// Tools of a person, installed by mise as that person.
    Mise {
        /// Whose.
        user: String,
        /// Versions by tool.
        tools: BTreeMap<String, String>,
    },
    /// A Compose project, up.
    Compose {
        /// Its name.
        project: String,
        /// Its file on the node.
        file: AbsPath,
        /// Plain variables that its file is filled in with.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        environment: BTreeMap<String, String>,
        /// Secret ones, each with the file of the node that holds its value.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        secrets: BTreeMap<String, AbsPath>,
        /// Brought up again when one of these changed.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        restart_on: BTreeSet<ResourceId>,
    },
    /// Membership of a mesh of Tailscale's kind, with the address the spec says.
    Mesh {
        /// The coordinator's URL; the vendor's own if it is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        login_url: Option<String>,
        /// The name in the mesh.
        name: NodeName,
        /// The address in the mesh, which the coordinator gives and no node can ask for.
        address: Ipv4Addr,
        /// Let the mesh rewrite resolv.conf (FIELD K35).
        accept_dns: bool,
        /// The file of the node that holds the key it joins with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<AbsPath>,
    },
    /// Labels and taints of the Kubernetes node, applied by whoever holds server rights after registration
    /// (FIELD K15, K16).
    NodeMetadata {
        /// The Kubernetes node.
        node: NodeName,
        /// Labels by key.
        labels: BTreeMap<String, String>,
        /// Taints as kubectl writes them, `key=value:Effect`.
        taints: BTreeSet<String>,
    },
    /// The last resort: a command, with the probe that says it is not needed.
    Run {
        /// A short name.
        name: String,
        /// The program and its arguments.
        #[serde(deserialize_with = "program")]
        command: Vec<String>,
        /// Succeeds when there is nothing to do.
        #[serde(deserialize_with = "program")]
        unless: Vec<String>,
    },
}

impl Want {
    /// The name this resource has on its node.
    #[must_use]
    pub fn id(&self) -> ResourceId {
        let (kind, key) = (self.kind(), self.key());
        ResourceId(if key.is_empty() { kind.to_owned() } else { format!("{kind}:{key}") })
    }

    /// The kind, as written in JSON and shown in plans.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Hostname { .. } => "hostname",
            Self::Packages { .. } => "packages",
            Self::KernelModule { .. } => "kernel-module",
            Self::Sysctl { .. } => "sysctl",
            Self::Directory { .. } => "directory",
            Self::File { .. } => "file",
            Self::SecretFile { .. } => "secret-file",
            Self::ManagedBlock { .. } => "managed-block",
            Self::ManagedLine { .. } => "managed-line",
            Self::Artifact { .. } => "artifact",
            Self::Unit { .. } => "unit",
            Self::Chezmoi { .. } => "chezmoi",
            Self::Mise { .. } => "mise",
            Self::Compose { .. } => "compose",
            Self::Mesh { .. } => "mesh",
            Self::NodeMetadata { .. } => "node-metadata",
            Self::Run { .. } => "run",
        }
    }

    fn key(&self) -> String {
        match self {
            Self::Hostname { .. } | Self::Mesh { .. } => String::new(),
            Self::Packages { manager, .. } => manager.as_str().to_owned(),
            Self::KernelModule { name } | Self::Run { name, .. } => name.clone(),
            Self::Compose { project, .. } => project.clone(),
            Self::Sysctl { key, .. } => key.clone(),
            Self::Directory { path, .. }
            | Self::File { path, .. }
            | Self::SecretFile { path, .. }
            | Self::ManagedLine { path, .. }
            | Self::Artifact { path, .. } => path.to_string(),
            Self::ManagedBlock { path, name, .. } => format!("{path}#{name}"),
            Self::Unit { name, .. } => name.to_string(),
            Self::NodeMetadata { node, .. } => node.to_string(),
            Self::Chezmoi { user, .. } | Self::Mise { user, .. } => user.clone(),
        }
    }
}

/// A program and its arguments; without a program nothing could be run or asked.
fn program<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let words = Vec::<String>::deserialize(deserializer)?;
    if words.is_empty() {
        Err(D::Error::custom("a command and its probe begin with a program"))
    } else {
        Ok(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_without_a_probe_is_no_resource() {
        let words = |word: &str| vec![word.to_owned()];
        let run =
            Resource::new(Want::Run { name: "x".to_owned(), command: words("make"), unless: words("test") });
        let json = serde_json::to_string(&run).unwrap();
        assert_eq!(serde_json::from_str::<Resource>(&json).unwrap(), run);
        let bare = json.replace("[\"test\"]", "[]");
        assert!(serde_json::from_str::<Resource>(&bare).unwrap_err().to_string().contains("its probe"));
    }

    #[test]
    fn a_resource_survives_json_and_names_itself() {
        let resource = Resource::new(Want::ManagedBlock {
            path: "/etc/fstab".parse().unwrap(),
            name: "mounts".to_owned(),
            comment: "#".to_owned(),
            content: "a\n".to_owned(),
        })
        .after(&Want::Hostname { name: "pc".parse().unwrap() }.id());
        assert_eq!(resource.id.as_str(), "managed-block:/etc/fstab#mounts");
        let json = serde_json::to_string(&resource).unwrap();
        assert_eq!(serde_json::from_str::<Resource>(&json).unwrap(), resource);
        let unknown = json.replace("\"comment\"", "\"remark\"");
        assert!(serde_json::from_str::<Resource>(&unknown).is_err());
    }
}
