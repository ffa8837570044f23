//! What the medium holds against what was written to it.

use std::ops::Range;
use std::time::Instant;

use super::WriteError;
use super::record::{Record, sum};
use super::worker::Worker;
use crate::disk::aligned::Buffer;
use crate::disk::base::STEP;
use crate::disk::overlay::BLOCK_BYTES;

const BLOCK: u64 = BLOCK_BYTES as u64;
/// Blocks in a piece.
const BLOCKS: u64 = (STEP / BLOCK_BYTES) as u64;

impl Worker {
    /// Reads every block that the card has but those of the first MiB, which is still to come.
    pub(super) fn read_back(&mut self, record: &Record) -> Result<(), WriteError> {
        let start = Instant::now();
        let mut buffer = std::mem::replace(&mut self.scratch, Buffer::new(0));
        let result = (1..record.pieces()).try_for_each(|piece| {
            let first = piece * BLOCKS;
            self.wanted(record, first).iter().try_for_each(|run| self.check(record, run, &mut buffer))
        });
        self.scratch = buffer;
        self.written.read_back_seconds += start.elapsed().as_secs_f64();
        result
    }

    /// Runs of blocks of a piece that are on the card.
    fn wanted(&self, record: &Record, first: u64) -> Vec<Range<u64>> {
        let end = (first + BLOCKS).min(record.size.div_ceil(BLOCK));
        let mut runs: Vec<Range<u64>> = Vec::new();
        for block in first..end {
            let is_wanted = record.is_used(block)
                || self.patch.get(block).is_some()
                || self.patched.within(&(block * BLOCK..block * BLOCK + BLOCK)).next().is_some();
            match runs.last_mut() {
                _ if !is_wanted => {}
                Some(run) if run.end == block => run.end += 1,
                _ => runs.push(block..block + 1),
            }
        }
        runs
    }

    fn check(&self, record: &Record, run: &Range<u64>, buffer: &mut Buffer) -> Result<(), WriteError> {
        let offset = run.start * BLOCK;
        let length = usize::try_from((run.end - run.start) * BLOCK).expect("it is within a piece");
        // The last block may end after the medium does; what is missing of it is zeroes.
        let there = self.medium.size().map_or(u64::MAX, |size| size.saturating_sub(offset));
        let there = usize::try_from(there).unwrap_or(length).min(length);
        self.beat.works();
        let read = self.medium.read(offset, &mut buffer[..there]);
        read.map_err(WriteError::io("read back", offset, there))?;
        buffer[there..length].fill(0);
        for (block, bytes) in run.clone().zip(buffer.chunks_exact(BLOCK_BYTES)) {
            let is_equal = match self.patch.get(block) {
                Some(own) => own == bytes,
                None => record.sum(block) == Some(sum(bytes)),
            };
            if !is_equal {
                return Err(WriteError::Mismatch { offset: block * BLOCK });
            }
        }
        Ok(())
    }

    /// The medium holds exactly these bytes there.
    pub(super) fn hold_against(&mut self, place: u64, bytes: &[u8]) -> Result<(), WriteError> {
        let start = Instant::now();
        self.beat.works();
        let there = &mut self.scratch[..bytes.len()];
        self.medium.read(place, there).map_err(WriteError::io("read back", place, bytes.len()))?;
        self.written.read_back_seconds += start.elapsed().as_secs_f64();
        match there.iter().zip(bytes).position(|(own, other)| own != other) {
            Some(at) => Err(WriteError::Mismatch { offset: place + at as u64 }),
            None => Ok(()),
        }
    }
}
