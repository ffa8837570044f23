//! How much of a base must be kept: its table and all up to the end of what may boot.
//!
//! In: the first MiB. Out: where the kept part ends. Boot partitions lie before the root on every image of a vendor that is
//! known; where one does not, or the table is readable at its end only, all of it is kept.

use super::{BaseError, STEP, Spool};
use crate::disk::read::within;
use crate::disk::table::{Partition, Table};
use crate::disk::{DiskError, ReadAt};

/// What may hold a FAT: the types of an MBR, then UEFI's and Microsoft's of a GPT.
const FAT: [&str; 9] = [
    "01",
    "04",
    "06",
    "0b",
    "0c",
    "0e",
    "ef",
    "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
    "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7",
];
/// Up to here others may lie before the boot partition and are kept with it.
const SMALL: u64 = 256 << 20;
/// No boot partition is larger.
const LARGE: u64 = 4 << 30;

/// What the first MiB tells.
pub(super) struct Found {
    /// The table, unless only its copy at the end can be read.
    pub table: Option<Table>,
    /// Where the kept part ends; none for all of it.
    pub until: Option<u64>,
    /// Why all of it is kept, as a sentence.
    pub remark: Option<String>,
}

/// Looks at the first MiB; `is_all` wants everything kept in any case.
pub(super) fn look(spool: &Spool, size: Option<u64>, is_all: bool) -> Result<Found, BaseError> {
    let mut table = match Table::read(&Grown { spool, size: size.unwrap_or(u64::MAX >> 1) }) {
        Ok(table) => table,
        Err(error) if is_protected(spool) => {
            let remark =
                format!("all of the base is unpacked first, for the copy of its table at the end: {error}");
            return Ok(Found { table: None, until: None, remark: Some(remark) });
        }
        Err(error) => return Err(error.into()),
    };
    if is_all {
        // Read again when all of it is there.
        return Ok(Found { table: None, until: None, remark: None });
    }
    // Its copy at the end was not looked at, and is written anew on every card.
    table.damages.clear();
    let mut by_place: Vec<&Partition> = table.partitions.iter().collect();
    by_place.sort_by_key(|partition| partition.start);
    let is_fat = |partition: &Partition| FAT.contains(&partition.kind.as_str());
    let Some(last) = by_place.iter().rposition(|partition| is_fat(partition)) else {
        return Ok(Found { table: Some(table), until: Some(STEP as u64), remark: None });
    };
    let until = by_place[last].end();
    let before = by_place[..last].iter().filter(|partition| !is_fat(partition)).map(|one| one.size);
    if before.sum::<u64>() <= SMALL && until <= LARGE {
        let until = until.max(STEP as u64);
        return Ok(Found { table: Some(table), until: Some(until), remark: None });
    }
    let remark = format!(
        "all of the base is unpacked first: its partition {} ends only at {until} bytes",
        by_place[last].number
    );
    Ok(Found { table: Some(table), until: None, remark: Some(remark) })
}

/// Whether the first sector says that there is a GPT.
fn is_protected(spool: &Spool) -> bool {
    spool.bytes(0, 512).is_ok_and(|sector| {
        sector[510..] == [0x55, 0xaa] && sector[446..510].chunks_exact(16).any(|entry| entry[4] == 0xee)
    })
}

/// The spool as if it were as long as the disk.
struct Grown<'a> {
    spool: &'a Spool,
    size: u64,
}

impl ReadAt for Grown<'_> {
    fn size(&self) -> u64 {
        self.size
    }
    fn read_into(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        let count = buffer.len();
        within(self.size, offset, count)?;
        let there = self.spool.size().saturating_sub(offset);
        let there = usize::try_from(there).map_or(count, |there| there.min(count));
        buffer[there..].fill(0);
        if there == 0 { Ok(()) } else { self.spool.read_into(offset, &mut buffer[..there]) }
    }
}
