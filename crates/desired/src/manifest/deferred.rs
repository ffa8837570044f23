//! Artifacts that a node fetches itself.
//!
//! In: what the lock pins and where its sources are. Out: the record by which a node without a lock fetches and verifies.

use serde::{Deserialize, Serialize};

use super::BundlePath;
use crate::artifact::Pinned;
use crate::types::{ArtifactName, ByteSize, Digest, Mode};

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

impl Deferred {
    /// Whether a resource with this pin gets from here what it wants, whichever source answers.
    pub(super) fn agrees_with(&self, pinned: &Pinned) -> bool {
        match pinned {
            Pinned::File { digest, .. } => self.digest.as_ref() == Some(digest),
            Pinned::Downloads(digests) => {
                self.digest.is_none()
                    && self.sources.iter().all(|source| {
                        source.digest.as_ref().is_some_and(|download| digests.contains(download))
                    })
            }
        }
    }
}
