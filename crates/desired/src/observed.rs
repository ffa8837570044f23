//! What a node was seen to have: one variant for each kind of [`Want`], nothing decided.
//!
//! In: values that `host::observe` read. Out: plain data for [`crate::change::compare`]. What could not be seen is an
//! [`Answer::Unknown`] with the reason, never a guess. Content is kept as digests, so nothing private travels.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::artifact::TakenOut;
use crate::resource::{ResourceId, Want};
use crate::types::{ByteSize, Digest};

/// A fact, or why it isn't known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer<T> {
    /// It was seen.
    Known(T),
    /// It could not be seen.
    Unknown {
        /// Why, as a clause.
        why: String,
    },
    /// It is not for this run to see or do: the node's own start brings it about from what lies in its files.
    Later {
        /// Who does it and when, as a clause.
        why: String,
    },
}

impl<T> Answer<T> {
    /// An unknown for this reason.
    pub fn unknown(why: impl Into<String>) -> Self {
        Self::Unknown { why: why.into() }
    }
    /// Left to the node's start for this reason.
    pub fn later(why: impl Into<String>) -> Self {
        Self::Later { why: why.into() }
    }
}

/// What lies at a path, symbolic links not followed at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// Nothing.
    Absent,
    /// A folder.
    Folder(Access),
    /// A regular file.
    File {
        /// Who may do what with it.
        access: Access,
        /// Bytes.
        size: ByteSize,
        /// SHA-256, or why it could not be read; not computed where the size already differs.
        digest: Answer<Digest>,
    },
    /// Something else, in words ("a symbolic link").
    Other(String),
    /// It could not be looked at.
    Unknown {
        /// Why, as a clause.
        why: String,
    },
}

/// Owner and permission bits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// All mode bits, setuid and friends too.
    pub bits: u32,
    /// The user's name, or the number where the node has no name for it.
    pub user: String,
    /// The group's name, or the number.
    pub group: String,
}

/// Our block in a foreign file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Block {
    /// The file isn't there.
    NoFile,
    /// The file is there, without our block.
    Missing,
    /// The block's lines.
    Present {
        /// SHA-256 of them.
        digest: Digest,
        /// How many.
        lines: usize,
    },
    /// It could not be read, or its markers make no sense.
    Unknown {
        /// Why, as a clause.
        why: String,
    },
}

/// Our words in the kernel's command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Line {
    /// What they are for holds without them.
    Needless,
    /// The file was read.
    Read {
        /// The words it lacks.
        missing: Vec<String>,
        /// The words the running kernel was started without.
        waiting: Answer<Vec<String>>,
    },
    /// It is not there, can't be read, or makes no sense.
    Unknown {
        /// Why, as a clause.
        why: String,
    },
}

/// What was seen of one resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Observed {
    /// The host name.
    Hostname {
        /// The static one; none when none is set.
        name: Option<String>,
        /// The kernel's.
        now: Answer<String>,
    },
    /// Packages.
    Packages {
        /// Those of the wanted ones that are installed.
        installed: Answer<BTreeSet<String>>,
    },
    /// A kernel module.
    KernelModule {
        /// Some file asks for it at boot.
        at_boot: bool,
        /// It is loaded or built in.
        loaded: Answer<bool>,
    },
    /// A kernel setting.
    Sysctl {
        /// The value files give it at boot.
        at_boot: Option<String>,
        /// The value it has.
        now: Answer<String>,
    },
    /// A folder.
    Directory {
        /// What lies there.
        entry: Entry,
    },
    /// A file.
    File {
        /// What lies there.
        entry: Entry,
    },
    /// A file with secrets in it.
    SecretFile {
        /// What lies there.
        entry: Entry,
        /// Digest of what it should hold, if the secrets could be read. Never shown: short secrets can be guessed
        /// from it.
        wanted: Answer<Digest>,
    },
    /// A block.
    ManagedBlock {
        /// What the file holds.
        block: Block,
        /// It was changed since the machine started, which reads it only then.
        waits: bool,
    },
    /// A line.
    ManagedLine {
        /// What the file and the running kernel hold.
        line: Line,
    },
    /// An artifact.
    Artifact {
        /// What lies there.
        entry: Entry,
        /// The node's note of the download it was taken out of; looked for where the resource is pinned by that alone.
        taken_out: Answer<Option<TakenOut>>,
    },
    /// A systemd unit.
    Unit {
        /// Something starts it at boot.
        enabled: bool,
        /// It is linked to /dev/null, so nothing can start it.
        masked: bool,
        /// It runs.
        active: Answer<bool>,
        /// What it runs on that changed after it was last started by us: a run was cut off between the two.
        outdated: BTreeSet<ResourceId>,
    },
    /// A home.
    Chezmoi {
        /// Files that an apply would change.
        pending: Answer<Vec<String>>,
    },
    /// Tools.
    Mise {
        /// Those of the wanted that are there, as `name@version`.
        installed: Answer<BTreeSet<String>>,
    },
    /// A Compose project.
    Compose {
        /// Each of its services.
        services: Answer<BTreeMap<String, ServiceState>>,
    },
    /// Membership of a mesh.
    Mesh {
        /// What the node's own part of it says.
        state: Answer<MeshState>,
    },
    /// A command.
    Run {
        /// Its probe says that it has to run.
        needed: Answer<bool>,
    },
    /// What somebody else compares and does, so that it keeps no plan open here.
    Elsewhere {
        /// Who, as a clause.
        why: String,
    },
}

/// A service of a Compose project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceState {
    /// It runs, or has ended well where it is meant to end, from the configuration it has now.
    Up,
    /// It has no container.
    Missing,
    /// Its container was made from another configuration.
    Outdated,
    /// Its container does not run, in words.
    Down(String),
}

/// A node's part of a mesh.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeshState {
    /// What the daemon calls its state; `Running` is the one that is wanted.
    pub state: String,
    /// The addresses it was given.
    pub addresses: BTreeSet<IpAddr>,
    /// The coordinator it is told to log in to; none where that is the vendor's own.
    pub login_url: Option<String>,
    /// Whether it lets the mesh rewrite resolv.conf.
    pub accepts_dns: bool,
}

impl MeshState {
    /// The state of a member.
    pub const MEMBER: &str = "Running";
    /// Whether it is a member now.
    #[must_use]
    pub fn is_member(&self) -> bool {
        self.state == Self::MEMBER
    }
}

impl Observed {
    /// Why labels and taints are not seen on the node itself.
    pub const NODE_METADATA: &str = "labels and taints are held by the API server, so a server sets them";
    /// Why what is written has no effect yet.
    pub const RESTART: &str = "it takes effect when the machine starts again";
    /// Why a command's need is not known.
    pub const RUN: &str = "its probe is run at join";

    /// What an empty machine would show, for plans made at the desk.
    #[must_use]
    pub fn nothing(want: &Want) -> Self {
        let entry = Entry::Absent;
        match want {
            Want::Hostname { .. } => {
                Self::Hostname { name: None, now: Answer::later("the desk is not the node") }
            }
            Want::Packages { .. } => Self::Packages { installed: Answer::Known(BTreeSet::new()) },
            Want::KernelModule { .. } => Self::KernelModule { at_boot: false, loaded: Answer::Known(false) },
            Want::Sysctl { .. } => {
                Self::Sysctl { at_boot: None, now: Answer::unknown("the desk is not the node") }
            }
            Want::Directory { .. } => Self::Directory { entry },
            Want::File { .. } => Self::File { entry },
            Want::SecretFile { .. } => {
                Self::SecretFile { entry, wanted: Answer::unknown("secrets are read on the node") }
            }
            Want::ManagedBlock { .. } => Self::ManagedBlock { block: Block::NoFile, waits: false },
            Want::ManagedLine { words, .. } => Self::ManagedLine {
                line: Line::Read { missing: words.clone(), waiting: Answer::later(Self::RESTART) },
            },
            Want::Artifact { .. } => Self::Artifact { entry, taken_out: Answer::Known(None) },
            Want::Unit { .. } => Self::Unit {
                enabled: false,
                masked: false,
                active: Answer::Known(false),
                outdated: BTreeSet::new(),
            },
            Want::Chezmoi { .. } => Self::Chezmoi { pending: Answer::unknown("the desk is not the node") },
            Want::Mise { .. } => Self::Mise { installed: Answer::Known(BTreeSet::new()) },
            Want::Compose { .. } => Self::Compose { services: Answer::unknown("the desk is not the node") },
            Want::Mesh { .. } => Self::Mesh { state: Answer::Known(MeshState::default()) },
            Want::NodeMetadata { .. } => Self::Elsewhere { why: Self::NODE_METADATA.to_owned() },
            Want::Run { .. } => Self::Run { needed: Answer::unknown(Self::RUN) },
        }
    }
}
