//! The table in the first sector: four entries, or one that protects a GPT.

use super::{Partition, Scheme, Table};
use crate::disk::DiskError;
use crate::disk::read::{u16_at, u32_at};

pub(super) const SECTOR: usize = 512;
const ENTRIES: usize = 446;
const ENTRY: usize = 16;
const SIGNATURE: u16 = 0xaa55;
/// The type of the one entry that says there is a GPT.
const PROTECTIVE: u8 = 0xee;

/// What the first sector holds.
pub(super) enum Found {
    Protective,
    Table(Table),
}

/// Reads the first sector.
pub(super) fn parse(sector: &[u8]) -> Result<Found, DiskError> {
    let damaged = |why: &str| Err(DiskError::damaged("partition table", why));
    if u16_at(sector, 510) != SIGNATURE {
        return damaged("there is none: the first sector does not end in 55 AA, so this is no disk image");
    }
    let entries: Vec<&[u8]> = sector[ENTRIES..ENTRIES + 4 * ENTRY].chunks_exact(ENTRY).collect();
    if entries.iter().any(|entry| entry[4] == PROTECTIVE) {
        return Ok(Found::Protective);
    }
    // The boot sector of a file system ends in the same two bytes, with code where the entries would be.
    if entries.iter().any(|entry| entry[0] & 0x7f != 0) {
        return damaged("there is none: the first sector is that of a file system, or of no disk at all");
    }
    let partitions: Vec<Partition> =
        (1..).zip(&entries).filter_map(|(number, entry)| of(number, entry)).collect();
    if partitions.is_empty() {
        return damaged("it is empty");
    }
    let sector_size = u32::try_from(SECTOR).expect("512 is small");
    let scheme = Scheme::Mbr { id: u32_at(sector, 440) };
    Ok(Found::Table(Table { scheme, sector: sector_size, partitions, damages: Vec::new() }))
}

fn of(number: u32, entry: &[u8]) -> Option<Partition> {
    let (kind, start, count) = (entry[4], u32_at(entry, 8), u32_at(entry, 12));
    (kind != 0 && count != 0).then(|| Partition {
        number,
        start: u64::from(start) * SECTOR as u64,
        size: u64::from(count) * SECTOR as u64,
        kind: format!("{kind:02x}"),
        name: String::new(),
    })
}
