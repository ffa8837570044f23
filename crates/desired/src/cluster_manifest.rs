//! The manifest of a cluster's output: what is in `dist/<cluster>/` and where it came from.
//!
//! In: what the build made. Out: `manifest.json`, stable and versioned, for machines and for `inspect`; the same
//! rows are the closing table of `build-images`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::artifact::Pinned;
use crate::types::{Arch, ArtifactName, ByteSize, ClusterName, Digest, NodeName};

/// The version of this form.
pub const CLUSTER_MANIFEST_VERSION: u32 = 1;

/// What is in a cluster's output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ClusterManifest {
    /// [`CLUSTER_MANIFEST_VERSION`].
    pub manifest_version: u32,
    /// Which cluster.
    pub cluster: ClusterName,
    /// The version of Rootstock that made it.
    pub tool_version: String,
    /// One bundle an arch that has nodes.
    pub bundles: Vec<BundleRow>,
    /// Every image.
    pub images: Vec<ImageRow>,
    /// Every pinned artifact.
    pub artifacts: Vec<ArtifactRow>,
}

/// A bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BundleRow {
    /// For which arch.
    pub arch: Arch,
    /// Its file in the output.
    pub file: String,
    /// How many bytes.
    pub size: ByteSize,
    /// Digest of the file.
    pub digest: Digest,
    /// Digest of the archive inside the compression; the layer's `diff_id`.
    pub uncompressed_digest: Digest,
    /// Nodes that can join from it.
    pub nodes: Vec<NodeName>,
}

/// An image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ImageRow {
    /// Its name, the folder under `images/`.
    pub name: String,
    /// Its OCI layout in the output.
    pub layout: String,
    /// The name and tag it is pushed under.
    pub reference: String,
    /// Digest of its index.
    pub digest: Digest,
    /// Per arch: digest of the manifest.
    pub manifests: BTreeMap<Arch, Digest>,
    /// Bytes of all its blobs.
    pub size: ByteSize,
}

/// A pinned artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ArtifactRow {
    /// Its name in the lock.
    pub name: ArtifactName,
    /// Its version.
    pub version: String,
    /// For which arch.
    pub arch: Arch,
    /// What its bytes are held against.
    pub pinned: Pinned,
    /// Where it is.
    pub presence: Presence,
    /// Where it comes from, in the order sources are tried.
    pub sources: Vec<String>,
}

/// Where an artifact is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Presence {
    /// In the bundle.
    Embedded,
    /// Not reached from the desk; the node fetches and verifies it when it joins.
    Deferred {
        /// Why it could not be had.
        why: String,
    },
}
