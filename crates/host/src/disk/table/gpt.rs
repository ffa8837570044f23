//! GPT: a header and its entries at the start, both again at the end, each with a checksum.

use super::{Partition, Scheme, Table};
use crate::disk::read::{u32_at, u64_at};
use crate::disk::{DiskError, ReadAt};

const WHAT: &str = "GPT";
const SIGNATURE: &[u8] = b"EFI PART";
/// Bytes in a sector: nearly always the first, and the second on disks that have no smaller ones.
const SECTORS: [u32; 2] = [512, 4096];
const HEADER: u32 = 92;
const ENTRY: u32 = 128;
/// Far more than any table has; the usual number is 128.
const MOST_ENTRIES: u32 = 4096;

/// One copy, checked.
pub(super) struct Copy {
    id: String,
    pub partitions: Vec<Partition>,
    /// In which sector the other copy is.
    other: u64,
}

/// Reads the first copy; the second where the first is damaged.
pub(super) fn read<R: ReadAt + ?Sized>(disk: &R) -> Result<Table, DiskError> {
    let is_here = |sector: &u32| {
        disk.bytes(u64::from(*sector), SIGNATURE.len()).is_ok_and(|bytes| bytes == SIGNATURE)
            || disk.bytes(last(disk, *sector), SIGNATURE.len()).is_ok_and(|bytes| bytes == SIGNATURE)
    };
    let sector = SECTORS.into_iter().find(is_here);
    let sector = sector.ok_or_else(|| DiskError::damaged(WHAT, "neither copy is where it should be"))?;
    let first = copy(disk, sector, u64::from(sector));
    let last_sector = last(disk, sector) / u64::from(sector);
    let (copy, damages, is_backup_at_end) = match first {
        Ok(first) => {
            let is_at_end = first.other == last_sector;
            let second = first.other.checked_mul(u64::from(sector)).map(|place| copy(disk, sector, place));
            let damage = match second {
                Some(Ok(_)) => None,
                Some(Err(error)) => Some(error.to_string()),
                None => Some("it lies beyond every disk".to_owned()),
            };
            let damages = damage.map(|why| format!("the second copy of the GPT is not usable: {why}"));
            (first, damages.into_iter().collect(), is_at_end)
        }
        Err(error) => {
            let second = copy(disk, sector, last(disk, sector));
            let why = format!("the first copy of the GPT is not usable, the second is taken: {error}");
            let second = second.map_err(|second| {
                DiskError::damaged(WHAT, format!("the first copy: {error}; the second: {second}"))
            })?;
            (second, vec![why], true)
        }
    };
    let scheme = Scheme::Gpt { id: copy.id, is_backup_at_end };
    Ok(Table { scheme, sector, partitions: copy.partitions, damages })
}

/// Where the last whole sector starts, in bytes.
pub(super) fn last<R: ReadAt + ?Sized>(disk: &R, sector: u32) -> u64 {
    (disk.size() / u64::from(sector)).saturating_sub(1) * u64::from(sector)
}

/// Reads the copy whose header lies at `place`, in bytes.
pub(super) fn copy<R: ReadAt + ?Sized>(disk: &R, sector: u32, place: u64) -> Result<Copy, DiskError> {
    let damaged = |why: String| DiskError::damaged(WHAT, why);
    let mut header = disk.bytes(place, 512)?;
    if !header.starts_with(SIGNATURE) {
        return Err(damaged(format!("there is no header at {place}")));
    }
    let length = u32_at(&header, 12);
    if !(HEADER..=512).contains(&length) {
        return Err(damaged(format!("its header claims {length} bytes")));
    }
    let claimed = u32_at(&header, 16);
    header[16..20].fill(0);
    if crc32fast::hash(&header[..length as usize]) != claimed {
        return Err(damaged("its header does not match its checksum".to_owned()));
    }
    if u64_at(&header, 24).checked_mul(u64::from(sector)) != Some(place) {
        return Err(damaged("its header belongs elsewhere".to_owned()));
    }
    let (count, size) = (u32_at(&header, 80), u32_at(&header, 84));
    if count > MOST_ENTRIES || size < ENTRY || !size.is_power_of_two() || size > 4096 {
        return Err(damaged(format!("it claims {count} entries of {size} bytes")));
    }
    let entries = u64_at(&header, 72)
        .checked_mul(u64::from(sector))
        .ok_or_else(|| damaged("its entries lie beyond every disk".to_owned()))?;
    let entries = disk.bytes(entries, count as usize * size as usize)?;
    if crc32fast::hash(&entries) != u32_at(&header, 88) {
        return Err(damaged("its entries do not match their checksum".to_owned()));
    }
    let partitions = (1..).zip(entries.chunks_exact(size as usize));
    let partitions = partitions.filter_map(|(number, entry)| partition(number, entry, sector).transpose());
    Ok(Copy {
        id: guid(&header[56..72]),
        partitions: partitions.collect::<Result<_, _>>()?,
        other: u64_at(&header, 32),
    })
}

fn partition(number: u32, entry: &[u8], sector: u32) -> Result<Option<Partition>, DiskError> {
    if entry[..16].iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let (first, last) = (u64_at(entry, 32), u64_at(entry, 40));
    let place = |first: u64| first.checked_mul(u64::from(sector));
    let count = last.checked_sub(first).and_then(|count| count.checked_add(1)).and_then(place);
    let (Some(start), Some(size)) = (place(first), count) else {
        let why = format!("partition {number} is from sector {first} to {last}");
        return Err(DiskError::damaged(WHAT, why));
    };
    let letters: Vec<u16> =
        entry[56..128].chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    let end = letters.iter().position(|letter| *letter == 0).unwrap_or(letters.len());
    let name = String::from_utf16_lossy(&letters[..end]);
    Ok(Some(Partition { number, start, size, kind: guid(&entry[..16]), name }))
}

/// A GUID as it is written: its first three parts lie in the other byte order.
fn guid(bytes: &[u8]) -> String {
    let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    let mut text = String::new();
    for (at, place) in order.into_iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{:02x}", bytes[place]));
    }
    text
}
