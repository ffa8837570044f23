//! The manifest of a bundle: what lies in it, byte for byte, and what a node fetches itself.
//!
//! In: at the desk the records of all files; at the node the text of `manifest.json` and what was found beside it.
//! Out: stable JSON (one value, one text: anything else is refused), and every [`Fault`] of a found bundle.
//! Inside the archive everything lies under [`FOLDER`]; all paths here are relative to that folder.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::resource::{Resource, Want};
use crate::types::{Arch, ArtifactName, ByteSize, ClusterName, Digest, Invalid, Mode, NodeName};

/// The version of the layout and of the manifest's keys; a node refuses every other.
pub const FORMAT: u32 = 1;
/// The one folder at the top of the archive.
pub const FOLDER: &str = "rootstock";
/// The manifest itself, which no manifest lists.
pub const MANIFEST: &str = "manifest.json";
/// The node's program.
pub const PROGRAM: &str = "bootstrap";
/// What a node's resources are called in its folder.
pub const RESOURCES: &str = "resources.json";

/// A path inside a bundle, relative to [`FOLDER`]: clean, without climbing, printable.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BundlePath(String);
crate::types::text_type!(BundlePath);

impl BundlePath {
    /// Where the node's program lies.
    #[must_use]
    pub fn program() -> Self {
        Self(PROGRAM.to_owned())
    }
    /// Where the resources of `node` lie.
    #[must_use]
    pub fn resources(node: &NodeName) -> Self {
        Self(format!("nodes/{node}/{RESOURCES}"))
    }
    /// Where a file of an artifact lies, or will once the node has fetched it.
    ///
    /// # Errors
    /// If `file` is empty, climbs or holds control characters.
    pub fn artifact(artifact: &ArtifactName, file: &str) -> Result<Self, Invalid> {
        if file.contains('/') {
            return Err(Invalid::new("artifact file name", file, "it holds a `/`"));
        }
        format!("artifacts/{artifact}/{file}").parse()
    }
    /// The path in the archive, with [`FOLDER`] in front.
    #[must_use]
    pub fn in_archive(&self) -> String {
        format!("{FOLDER}/{self}")
    }
}

impl std::str::FromStr for BundlePath {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let fault = |why: &str| Err(Invalid::new("path in a bundle", text, why));
        if text.len() > 1024 {
            return fault("it is longer than 1024 bytes");
        }
        if text.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return fault("it must be relative, without empty parts, `.` and `..`");
        }
        if text.chars().any(|c| c.is_control() || c == '\\') {
            return fault("it holds a control character or a backslash");
        }
        Ok(Self(text.to_owned()))
    }
}

/// What is known of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRecord {
    /// Bytes.
    pub size: ByteSize,
    /// Permission bits.
    pub mode: Mode,
    /// Its SHA-256, `sha256:…`.
    pub digest: Digest,
}

/// One place a deferred artifact can be had from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeferredSource {
    /// The address, `https://…`.
    pub url: String,
    /// The digest of the download, where it is an archive that holds the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The file's path inside the download, where that is a `.tar.gz`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
}

/// An artifact the desk could not reach: pinned, but fetched and verified by the node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deferred {
    /// Its name in the lock.
    pub artifact: ArtifactName,
    /// Its version, as the vendor writes it.
    pub version: String,
    /// Its file name.
    pub file: String,
    /// Where it goes: the place in the bundle it would have, from which its resource installs it.
    pub path: BundlePath,
    /// Permission bits it gets.
    pub mode: Mode,
    /// What its bytes must be; `None` only where every source pins its download.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Bytes, when the lock knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<ByteSize>,
    /// Where to get it, best first.
    pub sources: Vec<DeferredSource>,
}

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

/// A node's resources as they lie in the bundle, in the order they come into being.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeDocument {
    /// Whose they are; the same name as the folder's.
    pub node: NodeName,
    /// What is desired there.
    pub resources: Vec<Resource>,
}

impl NodeDocument {
    /// The one text of this document: pretty JSON with a newline at the end.
    ///
    /// # Panics
    /// Never: every field has a JSON form.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text =
            serde_json::to_string_pretty(self).expect("resources hold only text, numbers and flags");
        text.push('\n');
        text
    }
}

/// One difference between the manifest and a found bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Listed, not there.
    #[error("{0} is missing")]
    Missing(BundlePath),
    /// There, not listed.
    #[error("{0} is not in the manifest")]
    Extra(BundlePath),
    /// Another length.
    #[error("{path} has {found} bytes instead of {expected}")]
    Size {
        /// The file.
        path: BundlePath,
        /// Bytes the manifest gives.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// Other permission bits.
    #[error("{path} has mode {found} instead of {expected}")]
    Mode {
        /// The file.
        path: BundlePath,
        /// Bits the manifest gives.
        expected: Mode,
        /// Bits found.
        found: Mode,
    },
    /// Other bytes.
    #[error("{path} has digest {found} instead of {expected}")]
    Digest {
        /// The file.
        path: BundlePath,
        /// The digest the manifest gives.
        expected: Digest,
        /// The digest found.
        found: Digest,
    },
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

    /// Why `want` could not be had from this bundle: an artifact that is neither in it nor deferred, or with other
    /// bytes. None for every other kind.
    #[must_use]
    pub fn lacks(&self, want: &Want) -> Option<String> {
        let Want::Artifact { artifact, file, digest, .. } = want else { return None };
        let Ok(path) = BundlePath::artifact(artifact, file) else {
            return Some(format!("artifact {artifact} has no usable file name"));
        };
        let deferred = self.deferred.iter().find(|deferred| deferred.path == path);
        let pinned = match (self.files.get(&path), deferred) {
            (Some(record), _) => Some(&record.digest),
            (None, Some(deferred)) => deferred.digest.as_ref(),
            (None, None) => return Some(format!("{path} is neither in the bundle nor deferred")),
        };
        let differs = pinned.is_some_and(|pinned| pinned != digest);
        differs.then(|| format!("{path} has another digest in the resources than in the manifest"))
    }

    /// Every difference to the files that were found, in path order.
    #[must_use]
    pub fn faults(&self, found: &BTreeMap<BundlePath, FileRecord>) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (path, expected) in &self.files {
            match found.get(path) {
                None => faults.push(Fault::Missing(path.clone())),
                Some(found) => faults.extend(difference(path, expected, found)),
            }
        }
        let extra = found.keys().filter(|path| !self.files.contains_key(*path));
        faults.extend(extra.map(|path| Fault::Extra(path.clone())));
        faults
    }
}

fn difference(path: &BundlePath, expected: &FileRecord, found: &FileRecord) -> Option<Fault> {
    let path = path.clone();
    if expected.size != found.size {
        Some(Fault::Size { path, expected: expected.size.0, found: found.size.0 })
    } else if expected.digest != found.digest {
        Some(Fault::Digest { path, expected: expected.digest.clone(), found: found.digest.clone() })
    } else if expected.mode != found.mode {
        Some(Fault::Mode { path, expected: expected.mode, found: found.mode })
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> BundleManifest {
        let record = |bytes: &str, mode| FileRecord {
            size: ByteSize(bytes.len() as u64),
            mode,
            digest: Digest::sha256_of(bytes.as_bytes()),
        };
        let node: NodeName = "rpi-01".parse().unwrap();
        BundleManifest {
            format: FORMAT,
            cluster: "vnext".parse().unwrap(),
            arch: Arch::Arm64,
            tool_version: "0.1.0".to_owned(),
            files: BTreeMap::from([
                (BundlePath::program(), record("elf", Mode::EXECUTABLE)),
                (BundlePath::resources(&node), record("[]", Mode::PUBLIC)),
                ("artifacts/mise/mise".parse().unwrap(), record("mise", Mode::EXECUTABLE)),
            ]),
            nodes: BTreeSet::from([node]),
            deferred: vec![Deferred {
                artifact: "k3s".parse().unwrap(),
                version: "v1.36.4+k3s1".to_owned(),
                file: "k3s-arm64".to_owned(),
                path: "artifacts/k3s/k3s-arm64".parse().unwrap(),
                mode: Mode::EXECUTABLE,
                digest: Some(Digest::sha256_of(b"k3s")),
                size: None,
                sources: vec![DeferredSource {
                    url: "https://example.org/k3s".to_owned(),
                    digest: None,
                    member: None,
                }],
            }],
        }
    }

    #[test]
    fn one_value_has_one_text() {
        let text = manifest().to_json();
        assert_eq!(BundleManifest::parse(&text).unwrap(), manifest());
        assert!(text.contains("\"format\": 1,\n  \"cluster\": \"vnext\",\n  \"arch\": \"arm64\""), "{text}");
    }

    #[test]
    fn a_cut_or_edited_manifest_is_refused() {
        let text = manifest().to_json();
        for end in 0..text.len() {
            assert!(BundleManifest::parse(&text[..end]).is_err(), "cut at {end}");
        }
        for (from, to, why) in [
            ("\"format\": 1", "\"format\": 2", "format 2"),
            ("\"cluster\"", "\"colour\": 1, \"cluster\"", "unknown field `colour`"),
            ("\"arm64\"", "\"armhf\"", "unknown variant `armhf`"),
            ("\"0755\"", "\"4755\"", "0000-0777"),
            ("artifacts/mise/mise", "artifacts/../mise", "`..`"),
            ("artifacts/mise/mise", "/etc/passwd", "relative"),
            ("artifacts/mise/mise", "surprise", "has no place"),
            ("nodes/rpi-01/", "nodes/rpi-02/", "rpi-01 has no"),
            ("\"rpi-01\"\n", "\"rpi-01\", \"rpi-02\"\n", "rpi-02 has no"),
            ("\"path\": \"artifacts/k3s/", "\"path\": \"artifacts/mise/", "not its own"),
            ("  \"arch\"", "   \"arch\"", "not in the form"),
            ("  \"arch\"", "  \"arch\": \"amd64\",\n  \"arch\"", "duplicate field"),
        ] {
            assert!(text.contains(from), "{from}");
            let error = BundleManifest::parse(&text.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(why), "{from} → {to}: {error}");
        }
    }

    #[test]
    fn a_deferred_artifact_can_always_be_verified() {
        let mut manifest = manifest();
        manifest.deferred[0].digest = None;
        assert!(manifest.check().unwrap_err().to_string().contains("could not be verified"));
        manifest.deferred[0].sources[0].digest = Some(Digest::sha256_of(b"tgz"));
        manifest.check().unwrap();
        manifest.deferred.push(manifest.deferred[0].clone());
        assert!(manifest.check().unwrap_err().to_string().contains("twice"));
        manifest.deferred.clear();
        manifest.files.remove("bootstrap");
        assert!(manifest.check().unwrap_err().to_string().contains("bootstrap is not listed"));
    }

    #[test]
    fn resources_get_the_bytes_they_were_pinned_to() {
        let want = |artifact: &str, file: &str, bytes: &str| Want::Artifact {
            path: "/usr/local/bin/x".parse().unwrap(),
            mode: Mode::EXECUTABLE,
            artifact: artifact.parse().unwrap(),
            file: file.to_owned(),
            digest: Digest::sha256_of(bytes.as_bytes()),
            size: None,
        };
        let manifest = manifest();
        assert_eq!(manifest.lacks(&want("mise", "mise", "mise")), None);
        assert_eq!(manifest.lacks(&want("k3s", "k3s-arm64", "k3s")), None);
        assert!(manifest.lacks(&want("k3s", "k3s-arm64", "evil")).unwrap().contains("another digest"));
        assert!(
            manifest
                .lacks(&want("k3s", "k3s", "k3s"))
                .unwrap()
                .contains("neither in the bundle nor deferred")
        );
    }

    #[test]
    fn every_difference_is_named() {
        let manifest = manifest();
        assert_eq!(manifest.faults(&manifest.files), []);
        let mut found = manifest.files.clone();
        found.get_mut("bootstrap").unwrap().digest = Digest::sha256_of(b"evil");
        found.get_mut("artifacts/mise/mise").unwrap().mode = Mode::PUBLIC;
        found.get_mut("nodes/rpi-01/resources.json").unwrap().size = ByteSize(9);
        found.insert("artifacts/x/y".parse().unwrap(), manifest.files["bootstrap"].clone());
        let text: Vec<String> = manifest.faults(&found).iter().map(ToString::to_string).collect();
        assert!(text[0].contains("artifacts/mise/mise has mode 0644 instead of 0755"), "{text:?}");
        assert!(text[1].starts_with("bootstrap has digest sha256:"), "{text:?}");
        assert!(text[2].contains("has 9 bytes instead of 2"), "{text:?}");
        assert_eq!(text[3], "artifacts/x/y is not in the manifest");
        assert_eq!(manifest.faults(&BTreeMap::new())[0].to_string(), "artifacts/mise/mise is missing");
    }
}
