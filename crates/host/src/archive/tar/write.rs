//! Entries to a tar stream.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use desired::Mode;
use tar::{EntryType, Header};

use super::entry::{Entry, Source};
use super::path_fault;
use crate::archive::ArchiveError;

/// Bytes of a record; headers and contents are padded to it.
const RECORD: usize = 512;
/// Bytes read from a source file at once.
const CHUNK: usize = 256 * 1024;

/// Writes `entries` as one tar stream to `sink`: sorted by path, folders above an entry before it (0755, root),
/// every time `mtime` (seconds since 1970). `progress` hears the bytes of content as they pass.
///
/// # Errors
/// [`ArchiveError::Refused`] for a path that climbs, comes twice or lies below a file, before anything is written;
/// [`ArchiveError::Source`] and [`ArchiveError::Changed`] for files; [`ArchiveError::Write`] from the sink.
pub fn write(
    sink: &mut impl Write,
    entries: &[Entry],
    mtime: u64,
    progress: &dyn Fn(u64),
) -> Result<(), ArchiveError> {
    let mut buffer = vec![0; CHUNK];
    for entry in in_order(entries)?.values() {
        head(sink, entry, mtime)?;
        match &entry.source {
            Source::Bytes(bytes) => {
                sink.write_all(bytes)?;
                progress(bytes.len() as u64);
            }
            Source::File { path, size } => copy(sink, path, *size, &mut buffer, progress)?,
            Source::Folder | Source::Link(_) => {}
        }
        pad(sink, entry.size())?;
    }
    sink.write_all(&[0; 2 * RECORD])?;
    Ok(())
}

/// All entries and the folders they imply, by path, after every check that needs no file.
fn in_order(entries: &[Entry]) -> Result<BTreeMap<&str, Cow<'_, Entry>>, ArchiveError> {
    let mut ordered = BTreeMap::new();
    for entry in entries {
        if let Some(why) = path_fault(&entry.path) {
            return Err(ArchiveError::refused(&entry.path, why));
        }
        if ordered.insert(entry.path.as_str(), Cow::Borrowed(entry)).is_some() {
            return Err(ArchiveError::refused(&entry.path, "two entries want this path"));
        }
    }
    for entry in entries {
        for (slash, _) in entry.path.match_indices('/') {
            let above = &entry.path[..slash];
            match ordered.get(above).map(|entry| &entry.source) {
                None => {
                    ordered.insert(above, Cow::Owned(Entry::folder(above, Mode::EXECUTABLE)));
                }
                Some(Source::Folder) => {}
                Some(_) => {
                    let why = format!("it lies below `{above}`, which is not a folder");
                    return Err(ArchiveError::refused(&entry.path, why));
                }
            }
        }
    }
    Ok(ordered)
}

/// The header of `entry`, after a PAX header where ustar's fields are too short for it.
fn head(sink: &mut impl Write, entry: &Entry, mtime: u64) -> Result<(), ArchiveError> {
    let mut header = Header::new_ustar();
    header.set_mtime(mtime);
    header.set_uid(u64::from(entry.owner.0));
    header.set_gid(u64::from(entry.owner.1));
    header.set_mode(entry.mode.bits());
    header.set_size(entry.size());
    let mut path = Cow::Borrowed(entry.path.as_str());
    let mut records = Vec::new();
    let entry_type = match &entry.source {
        Source::Bytes(_) | Source::File { .. } => EntryType::Regular,
        Source::Folder => {
            path = Cow::Owned(format!("{path}/"));
            EntryType::Directory
        }
        Source::Link(target) => {
            header.set_mode(0o777);
            if header.set_link_name_literal(target).is_err() {
                record(&mut records, "linkpath", target);
            }
            EntryType::Symlink
        }
    };
    header.set_entry_type(entry_type);
    if header.set_path(path.as_ref()).is_err() {
        record(&mut records, "path", &path);
        // A refused path may have left a piece of itself; a reader that ignores PAX shall fail visibly, not mix
        // files up.
        if let Some(ustar) = header.as_ustar_mut() {
            ustar.prefix.fill(0);
            ustar.name.fill(0);
        }
        header.set_path("@PaxPath")?;
    }
    if !records.is_empty() {
        extended(sink, &records, mtime)?;
    }
    header.set_cksum();
    sink.write_all(header.as_bytes())?;
    Ok(())
}

/// One PAX record, `length key=value\n`, where length counts its own digits too (POSIX pax, "extended header").
fn record(records: &mut Vec<u8>, key: &str, value: &str) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    records.extend_from_slice(format!("{length} {key}={value}\n").as_bytes());
}

fn extended(sink: &mut impl Write, records: &[u8], mtime: u64) -> Result<(), ArchiveError> {
    let mut header = Header::new_ustar();
    header.set_path("@PaxHeader")?;
    header.set_entry_type(EntryType::XHeader);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(mtime);
    header.set_size(records.len() as u64);
    header.set_cksum();
    sink.write_all(header.as_bytes())?;
    sink.write_all(records)?;
    pad(sink, records.len() as u64)
}

/// Zeroes up to the next record after `size` bytes.
fn pad(sink: &mut impl Write, size: u64) -> Result<(), ArchiveError> {
    let over = usize::try_from(size % RECORD as u64).unwrap_or(0);
    if over != 0 {
        sink.write_all(&[0; RECORD][over..])?;
    }
    Ok(())
}

/// Copies exactly `size` bytes of the file at `path`.
fn copy(
    sink: &mut impl Write,
    path: &Path,
    size: u64,
    buffer: &mut [u8],
    progress: &dyn Fn(u64),
) -> Result<(), ArchiveError> {
    let fault = |source| ArchiveError::Source { path: path.to_owned(), source };
    let changed = |found| ArchiveError::Changed { path: path.to_owned(), expected: size, found };
    let mut file = File::open(path).map_err(fault)?;
    let mut done = 0;
    loop {
        let count = match file.read(buffer) {
            Ok(0) if done == size => return Ok(()),
            Ok(0) => return Err(changed(done)),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(fault(error)),
        };
        done += count as u64;
        if done > size {
            return Err(changed(done));
        }
        sink.write_all(&buffer[..count])?;
        progress(count as u64);
    }
}
