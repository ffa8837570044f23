//! What a manifest knows of a file, and how a found one can differ.
//!
//! In: two [`FileRecord`]s. Out: the first [`Fault`] between them, named for a person.

use serde::{Deserialize, Serialize};

use super::BundlePath;
use crate::types::{ByteSize, Digest, Mode};

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

/// How `found` differs from what the manifest says, if it does.
pub(super) fn difference(path: &BundlePath, expected: &FileRecord, found: &FileRecord) -> Option<Fault> {
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
