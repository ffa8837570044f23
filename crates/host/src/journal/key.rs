//! The node's own key, so that the journal can recognise a file with secrets and nobody can guess them from it.
//!
//! In: 32 random bytes, made once, for root alone. Out: digests that mean nothing on any other machine. The key is not
//! in the journal, so a journal that is shown to somebody shows nothing.

use std::fs::File;
use std::io::{self, Read as _, Write as _};

use desired::Digest;
use desired::types::DigestAlgorithm;

use super::path;
use crate::digest::Hasher;
use crate::root::{Ownership, Root};

const KEY: &str = "key";
const LENGTH: usize = 32;

/// The key; prints as nothing.
pub(crate) struct Key(Vec<u8>);

impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("[key]")
    }
}

impl Key {
    /// The key of this node, if it has one.
    pub(crate) fn read(root: &Root) -> Option<Self> {
        let bytes = root.read(path(KEY).as_str()).ok()??;
        (bytes.len() == LENGTH).then_some(Self(bytes))
    }
    /// The key of this node, made if it has none; the state folder must be there.
    pub(crate) fn read_or_make(root: &Root) -> io::Result<Self> {
        if let Some(key) = Self::read(root) {
            return Ok(key);
        }
        let mut bytes = vec![0; LENGTH];
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        root.place(&path(KEY))?.write(Ownership::private(0o600), |file| file.write_all(&bytes))?;
        Ok(Self(bytes))
    }
    /// A digest of `content` that only this key makes.
    pub(crate) fn seal(&self, content: &[u8]) -> Digest {
        let mut hasher = Hasher::new(DigestAlgorithm::Sha256);
        hasher.update(&self.0);
        hasher.update(content);
        hasher.finish()
    }
}
