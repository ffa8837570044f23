//! What a user of archives would notice: same bytes, readable by others, nothing half-written, nothing evil in.

mod reading;
pub(crate) mod small_disk;
mod writing;

use std::num::NonZeroUsize;

use super::Options;

/// 2024-01-01, like the archives of a release.
const MTIME: u64 = 1_704_067_200;

fn options(threads: usize) -> Options {
    Options { threads: NonZeroUsize::new(threads).unwrap(), ..Options::new(MTIME) }
}

/// Bytes that no compressor shortens: xorshift64 from a fixed start.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    })
    .flatten()
    .take(length)
    .collect()
}
