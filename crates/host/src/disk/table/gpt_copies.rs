//! A GPT for a disk of another length: both of its copies, each where it belongs, with their checksums.
//!
//! In: one copy that is whole. Out: bytes and their places. An image is shorter than the medium it is written to, and the
//! second copy has to end the medium (FIELD F10).

use super::{Scheme, Table, gpt};
use crate::disk::read::{u32_at, u64_at};
use crate::disk::{DiskError, ReadAt};

/// Where the one entry of the first sector that protects a GPT may be, and its type.
const PROTECTIVE: (usize, u8) = (446, 0xee);

/// A table fitted to a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::disk) struct Moved {
    /// The second copy: where it starts, and its bytes up to the end of the disk's last whole sector.
    pub tail: (u64, Vec<u8>),
}

/// Fits the GPT in `head`, the first bytes of a disk, to a disk of `size` bytes: changes its first copy and the sector that
/// protects it, and gives the second. None if there is no GPT in it.
///
/// # Errors
/// [`DiskError`] if the table is damaged, or has no room on such a disk.
pub(in crate::disk) fn moved(head: &mut [u8], sector: u32, size: u64) -> Result<Option<Moved>, DiskError> {
    let entry = PROTECTIVE.0;
    if head.len() < 512 || !head[entry..510].chunks_exact(16).any(|entry| entry[4] == PROTECTIVE.1) {
        return Ok(None);
    }
    let wide = u64::from(sector);
    let copy = gpt::copy(&*head, sector, wide)?;
    let (header, entries) = raw(head, sector, wide)?;
    let damaged = |why: String| DiskError::damaged("GPT", why);
    let count = (entries.len() as u64).div_ceil(wide);
    let last = (size / wide).checked_sub(1);
    let place = last.and_then(|last| last.checked_sub(count));
    let (Some(last), Some(place)) = (last, place) else {
        return Err(damaged(format!("a disk of {size} bytes has no room for it")));
    };
    if let Some(over) = copy.partitions.iter().find(|partition| partition.end() > place * wide) {
        let why = format!(
            "partition {} ends where its second copy has to be on a disk of {size} bytes",
            over.number
        );
        return Err(damaged(why));
    }
    let first = header_for(&header, 1, last, u64_at(&header, 72), place - 1);
    let second = header_for(&header, last, 1, place, place - 1);
    let at = usize::try_from(wide).expect("a sector is short");
    head[at..at + first.len()].copy_from_slice(&first);
    for entry in head[entry..510].chunks_exact_mut(16) {
        if entry[4] == PROTECTIVE.1 && u32_at(entry, 8) == 1 {
            entry[12..16].copy_from_slice(&u32::try_from(last).unwrap_or(u32::MAX).to_le_bytes());
        }
    }
    let mut tail = entries;
    tail.resize(usize::try_from(count * wide).expect("it was read into memory"), 0);
    tail.extend(second);
    tail.resize(usize::try_from((count + 1) * wide).expect("it was read into memory"), 0);
    Ok(Some(Moved { tail: (place * wide, tail) }))
}

/// What to write at which place so that the first copy is as good as the second; nothing where it is.
pub(in crate::disk) fn first_copy<R: ReadAt + ?Sized>(disk: &R, table: &Table) -> Vec<(u64, Vec<u8>)> {
    let wide = u64::from(table.sector);
    let is_gpt = matches!(table.scheme, Scheme::Gpt { .. });
    if !is_gpt || gpt::copy(disk, table.sector, wide).is_ok() {
        return Vec::new();
    }
    let last = gpt::last(disk, table.sector);
    let Ok((header, entries)) = raw(disk, table.sector, last) else { return Vec::new() };
    let header = header_for(&header, 1, last / wide, 2, u64_at(&header, 48));
    vec![(wide, header), (2 * wide, entries)]
}

/// A copy's header and entries as they lie on the disk.
fn raw<R: ReadAt + ?Sized>(disk: &R, sector: u32, place: u64) -> Result<(Vec<u8>, Vec<u8>), DiskError> {
    gpt::copy(disk, sector, place)?;
    let header = disk.bytes(place, 512)?;
    let length = u32_at(&header, 80) as usize * u32_at(&header, 84) as usize;
    let entries = disk.bytes(u64_at(&header, 72) * u64::from(sector), length)?;
    Ok((header, entries))
}

/// A header that lies in the sector `own` and names the one of the other copy, the first of its entries and the last one
/// that partitions may have.
fn header_for(header: &[u8], own: u64, other: u64, entries: u64, last_usable: u64) -> Vec<u8> {
    let length = u32_at(header, 12) as usize;
    let mut header = header.to_vec();
    for (at, value) in [(24, own), (32, other), (48, last_usable), (72, entries)] {
        header[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }
    header[16..20].fill(0);
    let sum = crc32fast::hash(&header[..length]);
    header[16..20].copy_from_slice(&sum.to_le_bytes());
    header
}
