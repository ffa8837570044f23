//! Entries to a `tar.gz`, as a stream or as a file that is whole or absent.

use std::fs::{self, File};
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread;

use super::tar::Entry;
use super::{ArchiveError, Sums, gzip, tar};

/// How an archive is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Time of every entry, seconds since 1970: the value of `SOURCE_DATE_EPOCH`, or a constant.
    pub mtime: u64,
    /// Deflate level; part of what decides the bytes.
    pub level: u32,
    /// Compressing threads; of no influence on the bytes.
    pub threads: NonZeroUsize,
}

impl Options {
    /// Deflate level of everything we pack. Of a k3s it takes three quarters of the time of 6, gzip's default, and makes
    /// 0.6 % more bytes (`docs/decisions/0009`).
    pub const LEVEL: u32 = 5;

    /// All processors of this machine, the house's level.
    #[must_use]
    pub fn new(mtime: u64) -> Self {
        let threads = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self { mtime, level: Self::LEVEL, threads }
    }
}

/// Packs `entries` into `sink` as `tar.gz`. `progress` hears the bytes of content as they go in.
///
/// # Errors
/// As [`tar::write`]; the sink then holds a beginning without an end.
pub fn pack(
    sink: &mut (impl Write + Send),
    entries: &[Entry],
    options: &Options,
    progress: &dyn Fn(u64),
) -> Result<Sums, ArchiveError> {
    let ((), sums) = gzip::write(sink, options.level, options.threads, |blocks| {
        tar::write(blocks, entries, options.mtime, progress)
    })?;
    Ok(sums)
}

/// Packs `entries` into the file `path`, which appears only when it is whole; an older file stays until then.
///
/// # Errors
/// As [`pack`], with `path` named when it cannot be written (disk full, say); nothing is left behind.
pub fn pack_file(
    path: &Path,
    entries: &[Entry],
    options: &Options,
    progress: &dyn Fn(u64),
) -> Result<Sums, ArchiveError> {
    replace_file(path, |file| pack(file, entries, options, progress)).map_err(|error| match error {
        ArchiveError::Write { source, .. } => {
            ArchiveError::Write { target: path.display().to_string(), source }
        }
        other => other,
    })
}

/// Lets `fill` write a file beside `path`, then renames it to `path`; removes it when `fill` fails.
///
/// # Errors
/// What `fill` gives, or the system's refusal to create, sync or rename.
pub fn replace_file<T, E: From<io::Error>>(
    path: &Path,
    fill: impl FnOnce(&mut File) -> Result<T, E>,
) -> Result<T, E> {
    let aside = aside(path)?;
    let guard = Aside(&aside);
    let mut file = File::create(&aside)?;
    let value = fill(&mut file)?;
    // Delayed allocation reports a full disk here at the latest.
    file.sync_data()?;
    fs::rename(&aside, path)?;
    std::mem::forget(guard);
    Ok(value)
}

/// `path` with a suffix that no finished file has; the process makes it unique.
fn aside(path: &Path) -> io::Result<PathBuf> {
    let Some(name) = path.file_name() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{} names no file", path.display())));
    };
    let mut name = name.to_owned();
    name.push(format!(".part-{}", std::process::id()));
    Ok(path.with_file_name(name))
}

/// Removes an unfinished file, also when something panics.
struct Aside<'a>(&'a Path);

impl Drop for Aside<'_> {
    fn drop(&mut self) {
        // Best effort: the fault that led here is the one to report.
        let _ = fs::remove_file(self.0);
    }
}
