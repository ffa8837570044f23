//! A medium in memory that fails in every way real ones do.

use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use rustix::io::Errno;

use super::{Access, Medium};

/// What is wrong with it.
#[derive(Debug, Clone, Default)]
pub(in crate::disk) struct Faults {
    /// After so many bytes every write ends with that.
    pub writes_fail: Option<(u64, Errno)>,
    /// After so many bytes everything ends with `ENODEV`.
    pub vanishes: Option<u64>,
    /// Reads of this byte end with `EIO`.
    pub unreadable: Option<u64>,
    /// This byte is never what was written.
    pub flipped: Option<u64>,
    /// No write takes more than that.
    pub short: Option<usize>,
    /// How long each write takes.
    pub slow: Duration,
    /// The first write from there on takes until the test lets go of it.
    pub hangs: Option<u64>,
    /// It ends here, whatever it claims: writes beyond go to the start of it (FIELD F4).
    pub wraps: Option<u64>,
}

/// What it holds, and what was done to it.
#[derive(Debug, Default)]
pub(in crate::disk) struct Held {
    pub bytes: Vec<u8>,
    /// Where and how much was written, and whether there was a byte that is not zero.
    pub writes: Vec<(u64, usize, bool)>,
    pub written: u64,
}

/// The medium.
#[derive(Debug, Clone)]
pub(in crate::disk) struct Lying {
    pub held: Arc<Mutex<Held>>,
    faults: Faults,
    /// Whether what hangs may go on.
    released: Arc<(Mutex<bool>, Condvar)>,
}

impl Lying {
    pub fn new(bytes: Vec<u8>, faults: Faults) -> Self {
        let held = Arc::new(Mutex::new(Held { bytes, ..Held::default() }));
        Self { held, faults, released: Arc::default() }
    }
    /// Lets go of a write that hangs, and of all after it.
    pub fn release(&self) {
        *self.released.0.lock().unwrap() = true;
        self.released.1.notify_all();
    }
    /// To be written.
    pub fn medium(&self) -> Medium {
        let size = self.held.lock().unwrap().bytes.len() as u64;
        Medium::over(self.clone(), "lying", Some(size))
    }
    pub fn bytes(&self) -> Vec<u8> {
        self.held.lock().unwrap().bytes.clone()
    }
    fn is_gone(&self, held: &Held) -> io::Result<()> {
        match self.faults.vanishes {
            Some(after) if held.written >= after => Err(Errno::NODEV.into()),
            _ => Ok(()),
        }
    }
}

impl Access for Lying {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        std::thread::sleep(self.faults.slow);
        if self.faults.hangs.is_some_and(|from| offset >= from) {
            let released = self.released.0.lock().unwrap();
            drop(self.released.1.wait_while(released, |released| !*released).unwrap());
        }
        let mut held = self.held.lock().unwrap();
        self.is_gone(&held)?;
        if let Some((after, errno)) = self.faults.writes_fail
            && held.written >= after
        {
            return Err(errno.into());
        }
        let count = bytes.len().min(self.faults.short.unwrap_or(usize::MAX));
        let mut at = usize::try_from(offset).unwrap();
        if let Some(end) = self.faults.wraps.filter(|end| offset >= *end) {
            at = usize::try_from(offset % end).unwrap();
        }
        held.bytes[at..at + count].copy_from_slice(&bytes[..count]);
        if let Some(flipped) = self.faults.flipped
            && (offset..offset + count as u64).contains(&flipped)
        {
            held.bytes[usize::try_from(flipped).unwrap()] ^= 0x10;
        }
        held.written += count as u64;
        let is_something = bytes[..count].iter().any(|byte| *byte != 0);
        held.writes.push((offset, count, is_something));
        Ok(count)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let held = self.held.lock().unwrap();
        self.is_gone(&held)?;
        if let Some(bad) = self.faults.unreadable
            && (offset..offset + buffer.len() as u64).contains(&bad)
        {
            return Err(Errno::IO.into());
        }
        let mut at = usize::try_from(offset).unwrap();
        if let Some(end) = self.faults.wraps.filter(|end| offset >= *end) {
            at = usize::try_from(offset % end).unwrap();
        }
        let count = buffer.len().min(held.bytes.len() - at);
        buffer[..count].copy_from_slice(&held.bytes[at..at + count]);
        Ok(count)
    }

    fn sync(&self) -> io::Result<()> {
        self.is_gone(&self.held.lock().unwrap())
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.held.lock().unwrap().bytes.resize(usize::try_from(size).unwrap(), 0);
        Ok(())
    }
}
