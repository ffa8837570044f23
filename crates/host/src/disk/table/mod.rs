//! Partition tables: MBR, and GPT with both of its copies.
//!
//! In: a disk. Out: its partitions in bytes, and what is wrong with the table although it can be used. A disk without a
//! table that can be believed is an error which says why. UEFI specification 2.10, chapter 5.

mod gpt;
mod gpt_copies;
mod mbr;

pub(super) use gpt_copies::{Moved, first_copy, moved};

use super::{DiskError, ReadAt};

/// What the table is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheme {
    /// The old one, with the disk's identity of 32 bits.
    Mbr {
        /// What PARTUUID of Linux begins with.
        id: u32,
    },
    /// The new one.
    Gpt {
        /// The disk's identity.
        id: String,
        /// Whether the second copy ends the disk, as it must once it is on a medium.
        is_backup_at_end: bool,
    },
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Its number, from 1; gaps stay gaps.
    pub number: u32,
    /// Where it starts, in bytes.
    pub start: u64,
    /// Its length in bytes.
    pub size: u64,
    /// Its type: `0c`, or the type's GUID.
    pub kind: String,
    /// Its name, of GPT alone.
    pub name: String,
}

impl Partition {
    /// Where it ends, in bytes.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.start + self.size
    }
}

/// A partition table that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// What it is.
    pub scheme: Scheme,
    /// Bytes in one of its sectors.
    pub sector: u32,
    /// By number.
    pub partitions: Vec<Partition>,
    /// What is damaged and does not hinder, as sentences.
    pub damages: Vec<String>,
}

impl Table {
    /// Reads the table.
    ///
    /// # Errors
    /// [`DiskError`] if there is none, both copies are damaged, or partitions overlap or leave the disk.
    pub fn read<R: ReadAt + ?Sized>(disk: &R) -> Result<Self, DiskError> {
        let first = disk.bytes(0, mbr::SECTOR)?;
        let table = match mbr::parse(&first)? {
            mbr::Found::Protective => gpt::read(disk)?,
            mbr::Found::Table(table) => table,
        };
        table.check(disk.size())?;
        Ok(table)
    }

    /// Partitions lie on the disk and beside one another.
    fn check(&self, size: u64) -> Result<(), DiskError> {
        let wrong = |why| Err(DiskError::damaged("partition table", why));
        let mut by_place: Vec<&Partition> = self.partitions.iter().collect();
        by_place.sort_by_key(|partition| partition.start);
        for (at, partition) in by_place.iter().enumerate() {
            let Some(end) = partition.start.checked_add(partition.size) else {
                return wrong(format!("partition {} has no end", partition.number));
            };
            if end > size {
                return wrong(format!(
                    "partition {} ends at {end}, the disk at {size}: it is cut off, or a download that ended early",
                    partition.number
                ));
            }
            if let Some(next) = by_place.get(at + 1).filter(|next| next.start < end) {
                return wrong(format!("partitions {} and {} overlap", partition.number, next.number));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
