//! The manifest of a bundle: what lies in it, byte for byte, and what a node fetches itself.
//!
//! In: at the desk the records of all files; at the node the text of `manifest.json` and what was found beside it.
//! Out: stable JSON (one value, one text: anything else is refused), and every [`Fault`] of a found bundle.
//! Inside the archive everything lies under [`FOLDER`]; all paths here are relative to that folder.

mod deferred;
mod node;
mod path;
mod record;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use deferred::{Deferred, DeferredSource};
pub use node::NodeDocument;
pub use path::BundlePath;
pub use record::{Fault, FileRecord};

use crate::artifact::Pinned;
use crate::identity::Identity;
use crate::resource::{Resource, Want};
use crate::types::{Arch, ArtifactName, ClusterName, Mode, NodeName};

/// The version of the layout and of the manifest's keys; a node refuses every other.
pub const FORMAT: u32 = 1;
/// The one folder at the top of the archive.
pub const FOLDER: &str = "rootstock";
/// The manifest itself, which no manifest lists.
pub const MANIFEST: &str = "manifest.json";
/// The signature of the manifest's text, beside it where the desk has a key; no manifest lists it.
pub const SIGNATURE: &str = "manifest.json.minisig";
/// The node's program.
pub const PROGRAM: &str = "bootstrap";
/// Where a node has its program, in everybody's `PATH`.
pub const INSTALLED: &str = "/usr/local/bin/bootstrap";
/// What a node's resources are called in its folder.
pub const RESOURCES: &str = "resources.json";

/// The manifest; every field is checked against the others by [`BundleManifest::parse`] and
/// [`BundleManifest::check`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BundleManifest {
    /// [`FORMAT`].
    pub format: u32,
    /// Whose nodes these are.
    pub cluster: ClusterName,
    /// The architecture of the program, the artifacts and the nodes.
    pub arch: Arch,
    /// The version of the tool that made it.
    pub tool_version: String,
    /// The nodes that can join from it.
    pub nodes: BTreeSet<NodeName>,
    /// By what machines are recognised as these nodes, besides their host names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub identities: BTreeMap<NodeName, Identity>,
    /// Every file but the manifest itself.
    pub files: BTreeMap<BundlePath, FileRecord>,
    /// What the node fetches, by artifact and file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deferred: Vec<Deferred>,
}

/// Why a text is no manifest of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON, cut, or with keys or values this format does not have.
    #[error("{MANIFEST} can't be read: {0}")]
    Unreadable(String),
    /// Another format version.
    #[error(
        "{MANIFEST} has format {found}, this program reads format {FORMAT}; use the program of that bundle"
    )]
    Format {
        /// The version it has.
        found: u32,
    },
    /// Readable, yet not the one text this value has: somebody edited it.
    #[error("{MANIFEST} is not in the form that is written (edited, or a key is there twice)")]
    NotCanonical,
    /// Fields that contradict one another.
    #[error("{MANIFEST} contradicts itself: {0}")]
    Inconsistent(String),
}

impl BundleManifest {
    /// The one text of this manifest: pretty JSON, keys sorted, a newline at the end.
    ///
    /// # Panics
    /// Never: every field has a JSON form.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a manifest holds only text and numbers");
        text.push('\n');
        text
    }

    /// Reads a manifest, strictly: unknown keys, another format, another spelling of the same value and fields
    /// that contradict one another are refused.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        /// Only what has to be known before the rest can be understood.
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let unreadable = |error: serde_json::Error| ManifestError::Unreadable(error.to_string());
        let head: Head = serde_json::from_str(text).map_err(unreadable)?;
        if head.format != FORMAT {
            return Err(ManifestError::Format { found: head.format });
        }
        let manifest: Self = serde_json::from_str(text).map_err(unreadable)?;
        manifest.check()?;
        if manifest.to_json() == text { Ok(manifest) } else { Err(ManifestError::NotCanonical) }
    }

    /// Holds the fields against one another; the desk calls it before it writes, `parse` after it read.
    ///
    /// # Errors
    /// [`ManifestError::Inconsistent`] with the first contradiction.
    pub fn check(&self) -> Result<(), ManifestError> {
        let fault = |why: String| Err(ManifestError::Inconsistent(why));
        if self.files.get(&BundlePath::program()).map(|record| record.mode) != Some(Mode::EXECUTABLE) {
            return fault(format!("{PROGRAM} is not listed with mode {}", Mode::EXECUTABLE));
        }
        if let Some(node) =
            self.nodes.iter().find(|node| !self.files.contains_key(&BundlePath::resources(node)))
        {
            return fault(format!("node {node} has no {RESOURCES}"));
        }
        if let Some(node) = self.identities.keys().find(|node| !self.nodes.contains(*node)) {
            return fault(format!("{node} is described, but is no node of this bundle"));
        }
        for path in self.files.keys() {
            if let Some(why) = self.misplaced(path) {
                return fault(format!("{path} {why}"));
            }
        }
        let mut earlier = None;
        for deferred in &self.deferred {
            if let Some(why) = self.deferred_fault(deferred) {
                return fault(format!("deferred {} {why}", deferred.artifact));
            }
            if earlier >= Some(&deferred.path) {
                return fault(format!("deferred {} is listed twice or out of order", deferred.artifact));
            }
            earlier = Some(&deferred.path);
        }
        Ok(())
    }

    /// Why a file has no place in the layout.
    fn misplaced(&self, path: &BundlePath) -> Option<&'static str> {
        let parts: Vec<&str> = path.as_str().split('/').collect();
        match parts[..] {
            [PROGRAM] => None,
            ["artifacts", artifact, _] if artifact.parse::<ArtifactName>().is_ok() => None,
            ["nodes", node, RESOURCES] if self.nodes.contains(node) => None,
            ["nodes", _, RESOURCES] => Some("belongs to no node of this bundle"),
            _ => Some("has no place in a bundle"),
        }
    }

    fn deferred_fault(&self, deferred: &Deferred) -> Option<&'static str> {
        if BundlePath::artifact(&deferred.artifact, &deferred.file).as_ref() != Ok(&deferred.path) {
            return Some("goes to a path that is not its own");
        }
        if self.files.contains_key(&deferred.path) {
            return Some("is in the bundle already");
        }
        if deferred.sources.is_empty() {
            return Some("has no source");
        }
        if deferred.digest.is_none() && deferred.sources.iter().any(|source| source.digest.is_none()) {
            return Some("has a source whose bytes could not be verified");
        }
        None
    }

    /// Why `want` could not be had from this bundle: an artifact or package file that is neither in it nor deferred, or
    /// with other bytes. None for every other kind.
    #[must_use]
    pub fn lacks(&self, want: &Want) -> Option<String> {
        match want {
            Want::Artifact { artifact, file, pinned, .. } => self.lacks_file(artifact, file, pinned),
            Want::Packages { files, .. } => {
                files.iter().find_map(|(artifact, one)| self.lacks_file(artifact, &one.file, &one.pinned))
            }
            _ => None,
        }
    }

    fn lacks_file(&self, artifact: &ArtifactName, file: &str, pinned: &Pinned) -> Option<String> {
        let Ok(path) = BundlePath::artifact(artifact, file) else {
            return Some(format!("artifact {artifact} has no usable file name"));
        };
        let deferred = self.deferred.iter().find(|deferred| deferred.path == path);
        let agrees = match (self.files.get(&path), deferred) {
            (Some(record), _) => pinned.file_digest() == Some(&record.digest),
            (None, Some(deferred)) => deferred.agrees_with(pinned),
            (None, None) => return Some(format!("{path} is neither in the bundle nor deferred")),
        };
        (!agrees).then(|| format!("{path} has another digest in the resources than in the manifest"))
    }

    /// The node's own program as a resource, so that a node can be looked at and left after its bundle is gone; none
    /// where the manifest was not checked.
    #[must_use]
    pub fn program(&self) -> Option<Resource> {
        let record = self.files.get(&BundlePath::program())?;
        Some(Resource::new(Want::Artifact {
            path: INSTALLED.parse().ok()?,
            mode: Mode::EXECUTABLE,
            artifact: PROGRAM.parse().ok()?,
            file: PROGRAM.to_owned(),
            version: Some(self.tool_version.clone()),
            pinned: Pinned::File { digest: record.digest.clone(), size: Some(record.size) },
        }))
    }

    /// Every difference to the files that were found, in path order.
    #[must_use]
    pub fn faults(&self, found: &BTreeMap<BundlePath, FileRecord>) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (path, expected) in &self.files {
            match found.get(path) {
                None => faults.push(Fault::Missing(path.clone())),
                Some(found) => faults.extend(record::difference(path, expected, found)),
            }
        }
        let extra = found.keys().filter(|path| !self.files.contains_key(*path));
        faults.extend(extra.map(|path| Fault::Extra(path.clone())));
        faults
    }
}
