//! Why a base can't be used.

use std::path::PathBuf;

use desired::{ByteSize, Digest};

use crate::disk::DiskError;

/// Why a base can't be used.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    /// The system refused.
    #[error("can't {act} {}", path.display())]
    Io {
        /// What was tried, as a verb.
        act: &'static str,
        /// With which file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// It is something else.
    #[error("it is {what}, not a disk image: unpack or convert it first (raw, xz, zstd and gzip are read)")]
    Another {
        /// What it is.
        what: &'static str,
    },
    /// Unpacking ended badly.
    #[error(
        "unpacking the {codec} file failed after {offset} bytes: it is cut off or damaged, fetch it again"
    )]
    Unpack {
        /// How it is packed.
        codec: super::Codec,
        /// How many bytes had come out.
        offset: u64,
        /// What the decoder said.
        source: std::io::Error,
    },
    /// What came out is no disk that can be used.
    #[error("it can't be written as a card")]
    Disk(#[from] DiskError),
    /// It ended before its own partitions do.
    #[error("it ends after {size} and its partitions end at {wanted}: it is cut off, fetch it again")]
    Short {
        /// Where it ended.
        size: ByteSize,
        /// Where its last partition ends.
        wanted: ByteSize,
    },
    /// It is not as long as it was said to be.
    #[error("it has {found} bytes unpacked, and {wanted} were promised: fetch it again")]
    Length {
        /// What came out, in bytes.
        found: u64,
        /// What the pin or the file's own index says.
        wanted: u64,
    },
    /// Unpacking was given up.
    #[error("unpacking was given up before its end")]
    Stopped,
    /// It is not the file that was pinned.
    #[error("its {what} has the digest {found}, and {wanted} is pinned: fetch it again, or correct the pin")]
    Digest {
        /// `file` or `unpacked image`.
        what: &'static str,
        /// What it has.
        found: Digest,
        /// What was pinned.
        wanted: Digest,
    },
}

impl BaseError {
    pub(super) fn io(act: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { act, path: path.to_owned(), source }
    }

    /// Whether the base is not what it should be (exit code 6), rather than missing or out of reach (5).
    #[must_use]
    pub const fn is_verification_failure(&self) -> bool {
        !matches!(self, Self::Io { .. } | Self::Stopped)
    }
}
