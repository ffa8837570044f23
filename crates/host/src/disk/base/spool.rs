//! What of a base is kept: a file without a name, at the same places as on the disk, with holes for all else.
//!
//! In: bytes and where they belong. Out: what can be read at any place; what was not kept is zeroes. The file is gone when
//! the last handle is closed, however the process ends.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::disk::read::from_file;
use crate::disk::{DiskError, ReadAt};

/// The kept bytes.
#[derive(Debug)]
pub struct Spool {
    file: File,
    size: u64,
    /// Where the last byte that was kept ends.
    kept: u64,
}

impl Spool {
    /// An empty one in `folder`.
    ///
    /// # Errors
    /// If no file can be made there.
    pub fn new(folder: &Path) -> io::Result<Self> {
        let file = tempfile::tempfile_in(folder)?;
        Ok(Self { file, size: 0, kept: 0 })
    }

    /// Where spools are made: `TMPDIR`, else what is meant for long files, else the usual place.
    #[must_use]
    pub fn usual_folder() -> PathBuf {
        let (chosen, long) = (std::env::temp_dir(), Path::new("/var/tmp"));
        if chosen == Path::new("/tmp") && long.is_dir() { long.to_owned() } else { chosen }
    }

    /// Keeps bytes. Zeroes are kept as a hole.
    pub(super) fn keep(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        const STEP: usize = 64 << 10;
        for (number, part) in (0_u64..).zip(bytes.chunks(STEP)) {
            if part.iter().any(|byte| *byte != 0) {
                self.file.write_all_at(part, offset + number * STEP as u64)?;
            }
        }
        self.kept = self.kept.max(offset + bytes.len() as u64);
        self.set_size(self.size.max(self.kept))
    }

    /// The disk is that long; what lies beyond the kept bytes reads as zeroes.
    pub(super) fn set_size(&mut self, size: u64) -> io::Result<()> {
        if size != self.size {
            self.file.set_len(size)?;
            self.size = size;
        }
        Ok(())
    }

    /// Where the last kept byte ends.
    #[must_use]
    pub const fn kept(&self) -> u64 {
        self.kept
    }
}

impl ReadAt for Spool {
    fn size(&self) -> u64 {
        self.size
    }
    fn read_into(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        from_file(&self.file, self.size, offset, buffer)
    }
}
