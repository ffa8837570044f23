//! What a card is written to: a device that was cleared, a file that plays one, or a new image.
//!
//! In: an open file. Out: reads and writes past the cache where the system allows it, so that what is read back is what the
//! medium holds and not what the memory does (FIELD F4). One run at a time has it: its lock is the one udev respects too.

mod file;
#[cfg(test)]
pub(super) mod lying;
mod open;

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use file::Direct;
pub use open::MediumError;

/// How the bytes of a medium are reached.
pub trait Access: Send + Sync + std::fmt::Debug {
    /// Writes some of the bytes at `offset` and says how many.
    ///
    /// # Errors
    /// What the system answers.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize>;
    /// Reads some bytes at `offset`, from the medium and not from a cache, and says how many; 0 at its end.
    ///
    /// # Errors
    /// What the system answers.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// Everything that was written is on the medium afterwards.
    ///
    /// # Errors
    /// What the system answers.
    fn sync(&self) -> io::Result<()>;
    /// Makes a file that grows as long as its image.
    ///
    /// # Errors
    /// What the system answers.
    fn set_size(&self, size: u64) -> io::Result<()>;
}

/// A medium that is ours to write.
#[derive(Debug)]
pub struct Medium {
    name: String,
    identity: String,
    size: Option<u64>,
    sector: Option<u32>,
    access: Box<dyn Access>,
}

impl Medium {
    /// A block device, opened for reading and writing and for nobody else (`O_EXCL`) by whoever cleared it. `identity` tells
    /// it from every other (model and serial number), so that a run that was cut short can be gone on with.
    ///
    /// # Errors
    /// [`MediumError`]: another run has it, or its length can't be told.
    pub fn device(mut file: File, name: &str, identity: &str) -> Result<Self, MediumError> {
        let failed = |act| MediumError::io(act, Path::new(name));
        let size = file.seek(SeekFrom::End(0)).map_err(failed("find the end of"))?;
        let sector = rustix::fs::ioctl_blksszget(&file).ok();
        Self::opened(file, name.to_owned(), identity.to_owned(), Some(size), sector)
    }

    /// A file that is there and plays a device of its length.
    ///
    /// # Errors
    /// [`MediumError`]: it is no file, can't be opened, or another run has it.
    pub fn file(path: &Path) -> Result<Self, MediumError> {
        let failed = |act| MediumError::io(act, path);
        let file = File::options().read(true).write(true).open(path).map_err(failed("open"))?;
        let metadata = file.metadata().map_err(failed("look at"))?;
        if !metadata.is_file() {
            return Err(MediumError::NoFile { path: path.to_owned() });
        }
        let identity = format!("file {}:{}", metadata.dev(), metadata.ino());
        Self::opened(file, path.display().to_string(), identity, Some(metadata.len()), None)
    }

    /// A new file that becomes as long as its image, with holes where nothing is. Only its owner can read it: a card holds
    /// what a node joins with.
    ///
    /// # Errors
    /// [`MediumError`]: something has that name, or it can't be made.
    pub fn image(path: &Path) -> Result<Self, MediumError> {
        let mut options = File::options();
        let file = options.read(true).write(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(MediumError::io("make", path))?;
        Self::opened(file, path.display().to_string(), format!("image {}", path.display()), None, None)
    }

    /// Something else that can be written; none for a size that grows.
    pub fn over(access: impl Access + 'static, name: &str, size: Option<u64>) -> Self {
        let access = Box::new(access);
        Self { name: name.to_owned(), identity: name.to_owned(), size, sector: None, access }
    }

    fn opened(
        file: File,
        name: String,
        identity: String,
        size: Option<u64>,
        sector: Option<u32>,
    ) -> Result<Self, MediumError> {
        open::lock(&file, &name)?;
        let access = Direct::new(file).map_err(MediumError::io("open again", &PathBuf::from(&name)))?;
        Ok(Self { name, identity, size, sector, access: Box::new(access) })
    }

    /// Its path, for people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What tells it from every other.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Its length in bytes; none if it grows.
    #[must_use]
    pub const fn size(&self) -> Option<u64> {
        self.size
    }

    /// Bytes in one of its sectors, where it has some.
    pub(super) const fn sector(&self) -> Option<u32> {
        self.sector
    }

    pub(super) fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            match self.access.write_at(offset + done as u64, &bytes[done..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads from the medium itself; what lies beyond the end of a file that grows is zeroes.
    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let mut done = 0;
        while done < buffer.len() {
            match self.access.read_at(offset + done as u64, &mut buffer[done..]) {
                Ok(0) if self.size.is_none() => {
                    buffer[done..].fill(0);
                    return Ok(());
                }
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.access.sync()
    }

    /// Gives a file that grows its length.
    pub(super) fn grow(&mut self, size: u64) -> io::Result<()> {
        if self.size.is_none() {
            self.access.set_size(size)?;
            self.size = Some(size);
        }
        Ok(())
    }
}
