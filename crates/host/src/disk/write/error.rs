//! Why a card was not finished.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use desired::ByteSize;
use rustix::io::Errno;

use crate::disk::DiskError;
use crate::disk::base::BaseError;

/// Why a card was not finished. Its first MiB is zeroes then, unless nothing was written at all.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WriteError {
    /// The base does not fit; nothing was written.
    #[error("the base needs {needed} and the medium has {size}: take a larger one")]
    TooLarge {
        /// How long the base is at least.
        needed: ByteSize,
        /// How long the medium is.
        size: ByteSize,
    },
    /// The base turned out not to fit.
    #[error("the base goes on after {size}, where the medium ends: take a larger one; it holds no card now")]
    Overflow {
        /// How long the medium is.
        size: ByteSize,
    },
    /// The table counts other sectors than the medium; nothing was written.
    #[error(
        "the base's partition table counts sectors of {table} bytes, and those of the medium have {medium}: take another \
         medium, or another enclosure for this one"
    )]
    Sector {
        /// Bytes in a sector of the table.
        table: u32,
        /// Bytes in a sector of the medium.
        medium: u32,
    },
    /// The table can't be fitted to the medium, or the base can't be read again.
    #[error("the partition table can't be fitted to the medium")]
    Table(#[source] Arc<DiskError>),
    /// The base is not what it should be.
    #[error("the base could not be used; the medium holds no card now")]
    Base(#[source] Arc<BaseError>),
    /// The system refused.
    #[error("can't {act} {count} bytes at {offset}{}", hint(source))]
    Io {
        /// What was tried, as a verb.
        act: &'static str,
        /// Where, in bytes.
        offset: u64,
        /// How many bytes.
        count: usize,
        /// The system's answer.
        source: Arc<io::Error>,
    },
    /// What was read back is not what was written.
    #[error(
        "the medium holds something else at {offset} than was written there: it is worn out, or has not the room it claims; take another one (or another reader)"
    )]
    Mismatch {
        /// The first byte of the first block that differs.
        offset: u64,
    },
    /// What an earlier run is remembered to have written is not there.
    #[error(
        "at {offset} it holds something else than the run that was cut short left there: it is another medium, or worn out; run the same command again, which writes all of it"
    )]
    NotWhatWasLeft {
        /// The first byte of the first block that differs.
        offset: u64,
    },
    /// It does not answer any more.
    #[error("it took nothing for {seconds} s: unplug it, and run the same command again to go on")]
    Stuck {
        /// For how long.
        seconds: u64,
    },
    /// It was too slow for the others.
    #[error(
        "it kept the others waiting for {seconds} s and was set aside: run the same command for it alone to go on"
    )]
    SetAside {
        /// For how long.
        seconds: u64,
    },
    /// Where it is remembered how far it is can't be used.
    #[error("can't remember in {} how far it is", path.display())]
    Journal {
        /// Where.
        path: PathBuf,
        /// The system's answer.
        source: Arc<io::Error>,
    },
    /// A thread could not be started, or ended without an answer.
    #[error("it was given up: {why}")]
    Stopped {
        /// Why, as a clause.
        why: String,
    },
}

/// What to try when a medium answers with that.
fn hint(error: &io::Error) -> &'static str {
    let gone = [Errno::NODEV, Errno::NXIO, Errno::NOMEDIUM].map(|errno| Some(errno.raw_os_error()));
    if gone.contains(&error.raw_os_error()) {
        ": it is gone; plug it in and run the same command again to go on"
    } else if error.raw_os_error() == Some(Errno::IO.raw_os_error()) {
        ": the medium is damaged or was unplugged; run the same command again to go on, or take another one"
    } else if error.kind() == io::ErrorKind::StorageFull {
        ": make room where the image is written"
    } else {
        ""
    }
}

impl WriteError {
    pub(super) fn io(act: &'static str, offset: u64, count: usize) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { act, offset, count, source: Arc::new(source) }
    }

    /// Whether a digest or a read-back did not match (exit code 6).
    #[must_use]
    pub fn is_verification_failure(&self) -> bool {
        match self {
            Self::Mismatch { .. } | Self::NotWhatWasLeft { .. } => true,
            Self::Base(error) => error.is_verification_failure(),
            _ => false,
        }
    }

    /// Whether nothing was written because it would have made no sense (exit code 7).
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::TooLarge { .. } | Self::Sector { .. })
    }
}
