//! What can go wrong before a medium is ours.

use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// Why a medium can't be had.
#[derive(Debug, thiserror::Error)]
pub enum MediumError {
    /// Somebody else writes it.
    #[error(
        "{name} is being written by another run (or held by udev): wait until it has ended, then try again"
    )]
    Busy {
        /// Its name.
        name: String,
    },
    /// It is no file.
    #[error("{} is no regular file: devices are named as NODE=DEVICE, without --target-file", path.display())]
    NoFile {
        /// Where.
        path: PathBuf,
    },
    /// The system refused.
    #[error("can't {act} {}", path.display())]
    Io {
        /// What was tried, as a verb.
        act: &'static str,
        /// With what.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
}

impl MediumError {
    pub(super) fn io(act: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { act, path: path.to_owned(), source }
    }

    /// Whether it was refused for safety (exit code 7).
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::NoFile { .. })
    }
}

/// Takes the lock of the file or device itself. The kernel lets go of it however the process ends.
pub(super) fn lock(file: &File, name: &str) -> Result<(), MediumError> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(()),
        Err(Errno::WOULDBLOCK) => Err(MediumError::Busy { name: name.to_owned() }),
        Err(error) => Err(MediumError::io("lock", Path::new(name))(error.into())),
    }
}
