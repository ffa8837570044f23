//! What goes into an archive.

use std::path::PathBuf;

use desired::Mode;

/// One entry; folders above it need none of their own unless their mode is not 0755.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Relative, `/` between parts, no slash at the end.
    pub path: String,
    /// Permission bits. Of no meaning for a link.
    pub mode: Mode,
    /// Numeric user and group; `(0, 0)` for all that is ours.
    pub owner: (u32, u32),
    /// Where the bytes come from, or what it is instead of a file.
    pub source: Source,
}

/// The content of an [`Entry`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file of these bytes.
    Bytes(Vec<u8>),
    /// A file read while packing; it must still have `size` bytes then.
    File {
        /// Where it lies.
        path: PathBuf,
        /// Bytes it has.
        size: u64,
    },
    /// A folder.
    Folder,
    /// A symbolic link to this target. Image layers hold them, bundles don't.
    Link(String),
}

impl Entry {
    /// A file of bytes in memory, owned by root.
    #[must_use]
    pub fn bytes(path: impl Into<String>, mode: Mode, content: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), mode, owner: (0, 0), source: Source::Bytes(content.into()) }
    }
    /// A file on this machine, owned by root in the archive.
    #[must_use]
    pub fn file(path: impl Into<String>, mode: Mode, file: impl Into<PathBuf>, size: u64) -> Self {
        Self { path: path.into(), mode, owner: (0, 0), source: Source::File { path: file.into(), size } }
    }
    /// A folder, owned by root.
    #[must_use]
    pub fn folder(path: impl Into<String>, mode: Mode) -> Self {
        Self { path: path.into(), mode, owner: (0, 0), source: Source::Folder }
    }
    /// Bytes of content.
    #[must_use]
    pub fn size(&self) -> u64 {
        match &self.source {
            Source::Bytes(bytes) => bytes.len() as u64,
            Source::File { size, .. } => *size,
            Source::Folder | Source::Link(_) => 0,
        }
    }
}
