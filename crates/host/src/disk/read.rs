//! Reading at a place: whole files and devices, a part of them, and bytes in memory.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::DiskError;

/// What can be read at any place.
pub trait ReadAt {
    /// Its length in bytes.
    fn size(&self) -> u64;

    /// Fills the buffer from `offset` bytes on.
    ///
    /// # Errors
    /// [`DiskError::Ends`] or [`DiskError::Unreadable`].
    fn read_into(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError>;

    /// `count` bytes from `offset` on.
    ///
    /// # Errors
    /// As [`Self::read_into`].
    fn bytes(&self, offset: u64, count: usize) -> Result<Vec<u8>, DiskError> {
        // A length that an image claims is no reason to take that much memory.
        within(self.size(), offset, count)?;
        let mut buffer = vec![0; count];
        self.read_into(offset, &mut buffer)?;
        Ok(buffer)
    }
}

/// Nothing past the end is asked for.
pub(super) fn within(size: u64, offset: u64, count: usize) -> Result<(), DiskError> {
    match offset.checked_add(count as u64) {
        Some(end) if end <= size => Ok(()),
        _ => Err(DiskError::Ends { offset, count, size }),
    }
}

/// Fills the buffer from a file that is `size` bytes long.
pub(super) fn from_file(file: &File, size: u64, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
    let count = buffer.len();
    within(size, offset, count)?;
    file.read_exact_at(buffer, offset).map_err(|source| DiskError::Unreadable { offset, count, source })
}

/// An image file or a device.
#[derive(Debug)]
pub struct Whole {
    file: File,
    size: u64,
}

impl Whole {
    /// Opens what lies at `path` for reading.
    ///
    /// # Errors
    /// If it can't be opened, or its length can't be told.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        // The length of a device is where its end is; its metadata say 0.
        let size = file.seek(SeekFrom::End(0))?;
        Ok(Self { file, size })
    }
}

impl ReadAt for Whole {
    fn size(&self) -> u64 {
        self.size
    }
    fn read_into(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        from_file(&self.file, self.size, offset, buffer)
    }
}

impl ReadAt for [u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }
    fn read_into(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        within(self.size(), offset, buffer.len())?;
        let start = usize::try_from(offset).expect("it is within what is in memory");
        buffer.copy_from_slice(&self[start..start + buffer.len()]);
        Ok(())
    }
}

/// A part of something, a partition say.
#[derive(Debug)]
pub struct Part<'a, R: ?Sized> {
    of: &'a R,
    start: u64,
    size: u64,
}

impl<'a, R: ReadAt + ?Sized> Part<'a, R> {
    /// `size` bytes from `start` on; fewer where the whole ends before.
    #[must_use]
    pub fn new(of: &'a R, start: u64, size: u64) -> Self {
        let size = size.min(of.size().saturating_sub(start));
        Self { of, start, size }
    }
}

impl<R: ReadAt + ?Sized> ReadAt for Part<'_, R> {
    fn size(&self) -> u64 {
        self.size
    }
    fn read_into(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        within(self.size, offset, buffer.len())?;
        self.of.read_into(self.start + offset, buffer)
    }
}

/// Numbers as they lie in a structure of the disk. The place is the program's, never the disk's, so it is always there.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
