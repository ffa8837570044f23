//! Archives: deterministic `tar.gz` out, distrusted `tar.gz` in.
//!
//! Out (feature `net`, the desk): a list of [`tar::Entry`] → sorted tar → one gzip member whose blocks were
//! compressed side by side → a file that appears under its name only when it is complete, and the [`Sums`] of
//! both streams from the same pass. Same entries, same bytes, on any machine with any number of threads.
//! In (everywhere, the node too): [`gzip::Reader`] and [`tar::read`], which refuse whatever a bundle never holds.

pub mod gzip;
pub mod tar;

mod digesting;
#[cfg(feature = "net")]
mod pack;
#[cfg(test)]
#[cfg(feature = "net")]
pub(crate) mod tests;

use std::io;
use std::path::PathBuf;

use desired::Digest;

pub use digesting::{DigestingReader, Sum};
#[cfg(feature = "net")]
pub use pack::{Options, pack, pack_file, replace_file};

/// Digest and size of a compressed stream and of what is in it: for a layer, its digest and its diff ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sums {
    /// The stream as it is stored.
    pub packed: Sum,
    /// The stream once decompressed.
    pub plain: Sum,
}

/// What can go wrong with an archive; every message names the entry or the file.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The archive could not be written; on a full disk the system's text says so.
    #[error("cannot write the archive {target}: {source}")]
    Write {
        /// The file, or what stands for it.
        target: String,
        /// The system's answer.
        source: io::Error,
    },
    /// A file that should go in could not be read.
    #[error("cannot read {} for the archive: {source}", path.display())]
    Source {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A file's size differs from what was announced, so somebody writes to it.
    #[error(
        "{} changed while it was packed: {expected} bytes were announced, {found} read; run again when nothing writes to it",
        path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// Bytes announced.
        expected: u64,
        /// Bytes read; at least one more than announced when it grew.
        found: u64,
    },
    /// An entry that no archive of ours may hold, on the way in or out.
    #[error("archive entry `{entry}` is refused: {why}")]
    Refused {
        /// The entry's path, control characters escaped.
        entry: String,
        /// Why.
        why: String,
    },
    /// Bytes that are no archive, or the end is missing.
    #[error("the archive is damaged after entry `{after}`: {source}; fetch or build it again")]
    Damaged {
        /// The last entry that was whole; `(start)` before the first.
        after: String,
        /// What the decoder met.
        source: io::Error,
    },
}

/// Lets closures that write into an archive use `?` on plain I/O.
impl From<io::Error> for ArchiveError {
    fn from(source: io::Error) -> Self {
        Self::Write { target: "being packed".to_owned(), source }
    }
}

impl ArchiveError {
    pub(crate) fn refused(entry: &str, why: impl Into<String>) -> Self {
        Self::Refused { entry: entry.escape_debug().to_string(), why: why.into() }
    }
}

impl Sum {
    /// The sum of bytes in memory.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self { digest: Digest::sha256_of(bytes), size: u64::try_from(bytes.len()).unwrap_or(u64::MAX) }
    }
}
