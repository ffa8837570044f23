//! What the blocks of a base hold and whether they are in use, as small numbers: what a medium is held against.

use desired::ByteSize;
use xxhash_rust::xxh3::xxh3_64;

use crate::disk::aligned::Buffer;
use crate::disk::base::STEP;
use crate::disk::overlay::BLOCK_BYTES;
use crate::disk::stream_map::Marks;

/// The sum of a block.
pub(super) fn sum(block: &[u8]) -> u64 {
    xxh3_64(block)
}

/// Bytes of a base that all targets share.
#[derive(Debug)]
pub(super) struct Piece {
    /// Where it lies on the disk.
    pub offset: u64,
    /// Its bytes, filled up with zeroes to the end of a block.
    pub buffer: Buffer,
    /// How many bytes the base has here.
    pub length: usize,
    /// Which of its blocks are in use.
    pub marks: Marks,
}

impl Piece {
    /// The number of its first block.
    pub const fn first_block(&self) -> u64 {
        self.offset / BLOCK_BYTES as u64
    }
}

/// Sums and marks of a whole base.
#[derive(Debug, Default)]
pub(super) struct Record {
    sums: Vec<u64>,
    marks: Vec<u64>,
    /// How long the base is, in bytes.
    pub size: u64,
    /// How many bytes of it are in use.
    pub allocated: ByteSize,
    /// Of which partitions all is written, and why, as sentences.
    pub remarks: Vec<String>,
}

impl Record {
    /// Takes a piece; sums of all its blocks if `is_all`, else of those in use.
    pub fn take(&mut self, piece: &Piece, is_all: bool) {
        let first =
            usize::try_from(piece.first_block()).expect("a disk has fewer blocks than memory has bytes");
        let blocks = piece.length.div_ceil(BLOCK_BYTES);
        if self.sums.len() < first + blocks {
            self.sums.resize(first + blocks, 0);
            self.marks.resize((first + blocks).div_ceil(64), 0);
        }
        for (block, bytes) in piece.buffer.chunks_exact(BLOCK_BYTES).take(blocks).enumerate() {
            if is_all || piece.marks.has(block) {
                self.sums[first + block] = sum(bytes);
            }
        }
        // A piece has a whole number of words.
        for (own, word) in self.marks[first / 64..].iter_mut().zip(piece.marks.words()) {
            *own = *word;
        }
        self.size = self.size.max(piece.offset + piece.length as u64);
        self.allocated.0 += piece.marks.bytes();
    }

    /// How many pieces it has.
    pub fn pieces(&self) -> u64 {
        self.size.div_ceil(STEP as u64)
    }

    /// Whether a block of the base is in use.
    pub fn is_used(&self, block: u64) -> bool {
        let block = usize::try_from(block).unwrap_or(usize::MAX);
        self.marks.get(block / 64).is_some_and(|word| word >> (block % 64) & 1 == 1)
    }

    /// The sum of a block.
    pub fn sum(&self, block: u64) -> Option<u64> {
        self.sums.get(usize::try_from(block).ok()?).copied()
    }
}
