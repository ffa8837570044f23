//! What one line of the journal says.
//!
//! In: what was there before a change, and what is there after it. Out: JSON that a person can read and a later
//! version of this program too. Content never stands here, only digests and the numbers of saved copies; of files
//! with secrets in them not even a digest that could be guessed.

use std::collections::BTreeSet;

use desired::resource::{PackageManager, ResourceId};
use desired::{AbsPath, Digest, UnitName};
use serde::{Deserialize, Serialize};

use crate::root::Ownership;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`super::FORMAT`].
    pub format: u32,
    /// Folders above the state folder that were made for it, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folders: Vec<AbsPath>,
}

/// Which run writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Its name: seconds since 1970 and process, as far as the clock can be trusted.
    pub id: String,
    /// The version of this program.
    pub tool: String,
    /// The bundle it performs; none for `leave`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<Digest>,
}

/// Every line but the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Counts up by one; also the name of a saved copy.
    pub sequence: u64,
    /// Which run.
    pub run: Run,
    /// Which resource.
    pub resource: ResourceId,
    /// What happened to it.
    pub step: Step,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// A change starts now; this line is on the disk before anything else is.
    Begin {
        /// What was there.
        before: Before,
        /// What will be there, where that is known already.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        intended: Option<After>,
    },
    /// It is done.
    Done {
        /// What is there.
        after: After,
    },
    /// It failed; what is there now may be either.
    Failed {
        /// Why.
        why: String,
    },
    /// Everything that was ever done to it is undone.
    Undone,
}

/// What was there before a change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Before {
    /// At the path it writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<PlaceBefore>,
    /// What no file at one path tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<More>,
}

/// What was at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaceBefore {
    /// The path.
    pub path: AbsPath,
    /// What was there.
    pub state: State,
    /// Folders above it that were not there, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folders: Vec<AbsPath>,
}

/// What is or was at a path, links not followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum State {
    /// Nothing.
    Absent,
    /// A folder.
    Folder(Ownership),
    /// A regular file.
    File {
        /// Owner and mode.
        ownership: Ownership,
        /// Bytes.
        size: u64,
        /// SHA-256; none for a file with secrets.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digest: Option<Digest>,
        /// The number of its saved copy, where it was not our own content.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        saved: Option<u64>,
    },
    /// A symbolic link.
    Link {
        /// Where to.
        target: String,
    },
}

/// What else a change can replace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum More {
    /// A block in the file: what its markers are made of.
    Block {
        /// What starts a comment there.
        comment: String,
        /// Its name.
        name: String,
    },
    /// Words in the kernel's command line.
    Line {
        /// Those that were not there before.
        words: Vec<String>,
    },
    /// The kernel's host name.
    Hostname {
        /// The name.
        name: String,
    },
    /// A kernel module.
    Module {
        /// Its name.
        name: String,
        /// It was loaded.
        loaded: bool,
    },
    /// A kernel setting.
    Sysctl {
        /// Its path below `/proc/sys`.
        place: String,
        /// Its value.
        value: String,
    },
    /// Packages.
    Packages {
        /// Which program installs them.
        manager: PackageManager,
        /// The saved copy that lists every package that was installed, one a line.
        installed: u64,
    },
    /// A unit.
    Unit {
        /// Its name.
        name: UnitName,
        /// Something started it at boot.
        enabled: bool,
        /// It was masked.
        masked: bool,
        /// It ran, where that was known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        active: Option<bool>,
        /// What was not there before it first started, where it is k3s's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ground: Option<Box<Ground>>,
    },
    /// Tools of a person.
    Tools {
        /// Whose.
        user: String,
        /// Those that were not there before, as `name@version`.
        tools: Vec<String>,
    },
    /// A Compose project.
    Project {
        /// Its name.
        project: String,
        /// Its services that had containers before.
        services: BTreeSet<String>,
    },
    /// Membership of a mesh.
    Mesh {
        /// It was a member.
        member: bool,
    },
    /// A command, which nobody can undo.
    Run {
        /// Its short name.
        name: String,
    },
}

/// Places and links of k3s that were not there before it first started on this node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ground {
    /// Files and folders that were not there, or made by this tool.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<AbsPath>,
    /// Folders that were there with nothing in them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub empty: Vec<AbsPath>,
    /// Network links that were not there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<String>,
}

/// What is there after a change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// At the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// The content of a file with secrets, in a form that tells nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Sealed>,
    /// Which start of the machine it was changed under, for what is read at the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// Packages that were not there before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub installed: Vec<String>,
}

/// A file with secrets, recognisable but not readable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// SHA-256 of this node's key and the content.
    pub content: Digest,
    /// SHA-256 of the text with its references, which are no secrets.
    pub parts: Digest,
}
