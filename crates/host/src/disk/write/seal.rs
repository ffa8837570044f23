//! What makes a card boot: its first MiB, and the second copy of its GPT.

use std::sync::Arc;

use super::WriteError;
use crate::disk::aligned::Buffer;
use crate::disk::base::{Base, STEP};
use crate::disk::overlay::{BLOCK_BYTES, Patch};
use crate::disk::read::ReadAt as _;
use crate::disk::table::{self, Moved};

/// The first MiB of a base and what its table counts in.
#[derive(Debug)]
pub(super) struct Head {
    first: Vec<u8>,
    sector: u32,
}

impl Head {
    /// Reads it.
    pub fn of(base: &Base) -> Result<Self, WriteError> {
        let count = usize::try_from(base.spool.size()).unwrap_or(STEP).min(STEP);
        let first = base.spool.bytes(0, count).map_err(|error| WriteError::Table(Arc::new(error)))?;
        Ok(Self { first, sector: base.table.sector })
    }

    /// Bytes in a sector of its table.
    pub const fn sector(&self) -> u32 {
        self.sector
    }

    /// How it is on a medium of `size` bytes, with its patch: a whole MiB, or the whole of what is shorter.
    pub fn fitted(&self, patch: &Patch, size: u64) -> Result<(Buffer, Option<Moved>), WriteError> {
        let length = usize::try_from(size).unwrap_or(STEP).min(STEP);
        let mut head = Buffer::new(length);
        let count = self.first.len().min(length);
        head[..count].copy_from_slice(&self.first[..count]);
        for (number, block) in patch.blocks().take_while(|(number, _)| *number < (STEP / BLOCK_BYTES) as u64)
        {
            let at = usize::try_from(number).expect("it is small") * BLOCK_BYTES;
            let end = (at + BLOCK_BYTES).min(length);
            if at < end {
                head[at..end].copy_from_slice(&block[..end - at]);
            }
        }
        let moved = table::moved(&mut head, self.sector, size);
        Ok((head, moved.map_err(|error| WriteError::Table(Arc::new(error)))?))
    }
}
