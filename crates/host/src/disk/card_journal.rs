//! How far a medium is, remembered beside it: what a run that was killed, or whose medium was unplugged, goes on from.
//!
//! In: what identifies medium, base and patch. Out: the offset up to which everything was flushed to that very medium. It is
//! a hint alone: whatever it says, all of the card is read back before it gets its first MiB.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use desired::Digest;
use serde::{Deserialize, Serialize};

use super::write::WriteError;

/// What is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct State {
    version: u32,
    medium: String,
    base: Digest,
    patch: Digest,
    acknowledged: u64,
}

/// The memory of one medium. Whoever has it holds the lock of the medium.
#[derive(Debug)]
pub(super) struct CardJournal {
    path: PathBuf,
    state: State,
}

impl CardJournal {
    /// Looks into `folder` for how far this card is on this medium; it is at its start if anything else was written last.
    ///
    /// # Errors
    /// [`WriteError::Journal`].
    pub fn open(folder: &Path, medium: &str, base: &Digest, patch: &Digest) -> Result<Self, WriteError> {
        let name = Digest::sha256_of(medium.as_bytes());
        let path = folder.join(format!("{}.json", &name.hex()[..24]));
        let fresh = State {
            version: 1,
            medium: medium.to_owned(),
            base: base.clone(),
            patch: patch.clone(),
            acknowledged: 0,
        };
        let failed = |source| WriteError::Journal { path: path.clone(), source: Arc::new(source) };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let found = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice::<State>(&bytes).ok(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        let is_same = |found: &State| State { acknowledged: 0, ..found.clone() } == fresh;
        let mut own = Self { state: found.filter(is_same).unwrap_or(fresh), path };
        // What it said of another card must not outlive the first write of this one.
        own.acknowledge(own.state.acknowledged)?;
        Ok(own)
    }

    /// Up to where everything was flushed, in bytes.
    pub const fn acknowledged(&self) -> u64 {
        self.state.acknowledged
    }

    /// Everything before `offset` was flushed.
    ///
    /// # Errors
    /// [`WriteError::Journal`].
    pub fn acknowledge(&mut self, offset: u64) -> Result<(), WriteError> {
        self.state.acknowledged = offset;
        let text = serde_json::to_vec(&self.state).map_err(io::Error::from);
        let new = self.path.with_extension("new");
        let kept = text.and_then(|text| {
            std::fs::write(&new, text)?;
            std::fs::rename(&new, &self.path)
        });
        kept.map_err(|source| WriteError::Journal { path: self.path.clone(), source: Arc::new(source) })
    }

    /// The card is done, or nothing of it can be trusted.
    ///
    /// # Errors
    /// [`WriteError::Journal`].
    pub fn forget(&mut self) -> Result<(), WriteError> {
        match std::fs::remove_file(&self.path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(WriteError::Journal { path: self.path.clone(), source: Arc::new(source) })
            }
            _ => Ok(()),
        }
    }
}
