//! Cards: one base, unpacked once, on any number of media side by side, each with its own patch.
//!
//! In: a [`Base`] and [`Target`]s. Out: a result for each of them. Per medium: its start is zeroed, the blocks in use are
//! written as they come, then the boot partition once the base is known to be what was pinned, then everything is read back
//! past the cache, then the second copy of a GPT, and the first MiB last: what was not finished has no partition table.
//!
//! Memory: at most [`memory_bound`], whatever the length of the base; a piece is one MiB and is held once for all targets.
//! The stream goes at the pace of the slowest target. One that makes no progress, or that holds up the others for too long,
//! is set aside and fails alone; the same command goes on with it where it was.

mod error;
mod fan_out;
mod queue;
mod read_back;
mod record;
mod seal;
#[cfg(test)]
pub(in crate::disk) mod tests;
mod worker;

use std::path::PathBuf;
use std::time::Duration;

use desired::ByteSize;

use super::base::{Base, STEP};
use super::medium::Medium;
use super::overlay::Patch;
use crate::report::Report;

pub use error::WriteError;

/// Pieces that wait for a target.
const WAITING: usize = 8;
/// Pieces that were unpacked and wait to be handed out.
const UNPACKED: usize = 4;

/// A medium and the card it becomes.
#[derive(Debug)]
pub struct Target {
    /// The node's name.
    pub name: String,
    /// What is written.
    pub medium: Medium,
    /// How the card differs from the base.
    pub patch: Patch,
}

/// How to write.
#[derive(Debug, Clone)]
pub struct Options {
    /// Compare every block first, and write only what differs.
    pub compare_first: bool,
    /// Where it is remembered how far each medium is, so that a run that was cut short is gone on with; none to forget.
    pub state: Option<PathBuf>,
    /// How long a medium may take for one piece or one flush before it counts as stuck.
    pub patience: Duration,
    /// For how long, all in all, a medium may keep others waiting.
    pub hold_up: Duration,
}

impl Default for Options {
    fn default() -> Self {
        // Cheap cards take a minute and more to flush (FIELD F7).
        let (patience, hold_up) = (Duration::from_secs(180), Duration::from_secs(600));
        Self { compare_first: false, state: None, patience, hold_up }
    }
}

/// What was done for a card.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Written {
    /// How long the medium is; for a file that grew, its length now.
    pub size: ByteSize,
    /// The bytes of the blocks that hold something.
    pub allocated: ByteSize,
    /// The bytes that were written.
    pub written: ByteSize,
    /// The bytes that were there already ([`Options::compare_first`]).
    pub equal: ByteSize,
    /// The bytes that an earlier run had written.
    pub resumed: ByteSize,
    /// Seconds of waiting for the next piece: unpacking is what limits where they are most of all.
    pub unpack_seconds: f64,
    /// Seconds of writing and flushing.
    pub write_seconds: f64,
    /// Seconds of reading back.
    pub read_back_seconds: f64,
    /// What is odd, as sentences: of which partition all was written, and why.
    pub remarks: Vec<String>,
}

/// The memory that a run takes at most beside what the decoder needs for itself, in bytes: the pieces in flight, two buffers
/// a target, and 8 bytes and an eighth for each block of a base of `size` bytes.
#[must_use]
pub const fn memory_bound(size: ByteSize, targets: u64) -> ByteSize {
    let pieces = (WAITING + UNPACKED + 6 + 5) as u64 * STEP as u64;
    ByteSize(pieces + targets * 3 * STEP as u64 + size.0 / 4096 * 9)
}

/// Writes the cards. One result a target, in their order, with the target's name.
#[must_use]
pub fn write(
    base: Base,
    targets: Vec<Target>,
    options: &Options,
    report: &Report,
) -> Vec<(String, Result<Written, WriteError>)> {
    let names: Vec<String> = targets.iter().map(|target| target.name.clone()).collect();
    let results = fan_out::FanOut::new(&base, targets, options, report).run(base);
    names.into_iter().zip(results).collect()
}
