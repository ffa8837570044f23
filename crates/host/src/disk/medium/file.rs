//! Files and devices, read and written past the cache where that is possible.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{Advice, Mode, OFlags, fadvise};
use rustix::io::Errno;

use super::Access;
use crate::disk::aligned::ALIGNMENT;

/// One file by three handles.
#[derive(Debug)]
pub(super) struct Direct {
    /// The one that was opened: holds the lock and the claim, and writes what is not aligned.
    plain: File,
    /// Past the cache; none where the file system has no such thing.
    direct: Option<File>,
    /// Reads what had to be written through the cache.
    fresh: File,
    /// Direct access was refused once: some systems open a file so and then want larger sectors than they tell of.
    is_refused: AtomicBool,
}

impl Direct {
    pub fn new(plain: File) -> io::Result<Self> {
        let again = |flags: OFlags| -> Result<OwnedFd, Errno> {
            // The open file itself, whatever has its name by now.
            let path = format!("/proc/self/fd/{}", plain.as_raw_fd());
            rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty())
        };
        let direct = again(OFlags::RDWR | OFlags::DIRECT).ok().map(File::from);
        let fresh = File::from(again(OFlags::RDONLY)?);
        Ok(Self { plain, direct, fresh, is_refused: AtomicBool::new(false) })
    }

    /// The handle for bytes at this place, if they may pass the cache.
    fn past_cache(&self, offset: u64, bytes: &[u8]) -> Option<&File> {
        let is_aligned = offset.is_multiple_of(ALIGNMENT as u64)
            && bytes.len().is_multiple_of(ALIGNMENT)
            && bytes.as_ptr().align_offset(ALIGNMENT) == 0;
        let is_refused = self.is_refused.load(Ordering::Relaxed);
        self.direct.as_ref().filter(|_| is_aligned && !is_refused)
    }

    /// Whether direct access was refused, so that the other way is to be taken from now on.
    fn refuses(&self, error: &io::Error) -> bool {
        let is_refusal = error.raw_os_error() == Some(Errno::INVAL.raw_os_error());
        if is_refusal {
            self.is_refused.store(true, Ordering::Relaxed);
        }
        is_refusal
    }
}

impl Access for Direct {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        if let Some(direct) = self.past_cache(offset, bytes) {
            match direct.write_at(bytes, offset) {
                Err(error) if self.refuses(&error) => {}
                answer => return answer,
            }
        }
        self.plain.write_at(bytes, offset)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(direct) = self.past_cache(offset, buffer) {
            match direct.read_at(buffer, offset) {
                Err(error) if self.refuses(&error) => {}
                answer => return answer,
            }
        }
        // Advice that is not taken leaves a read from the cache, which is what there is then.
        let length = std::num::NonZeroU64::new(buffer.len() as u64);
        let _ = fadvise(&self.fresh, offset, length, Advice::DontNeed);
        self.fresh.read_at(buffer, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.plain.sync_data()
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.plain.set_len(size)
    }
}
