//! Which blocks of a base hold something, told while it streams.
//!
//! In: the base's table and kept start, then its bytes in order. Out: for each piece that passes, a mark per block. What
//! lies outside of partitions, or in one whose file system is not understood, counts as used: the map comes from the file
//! systems alone, never from runs of zeroes.

use std::ops::Range;

use super::base::{Base, STEP, Spool};
use super::ext4::Streamed;
use super::fat::Fat;
use super::overlay::{BLOCK_BYTES, Patch, Patched};
use super::table::Partition;
use super::{DiskError, Part, ReadAt, Used};

const BLOCK: u64 = BLOCK_BYTES as u64;
/// Blocks in a piece.
const BLOCKS: usize = STEP / BLOCK_BYTES;
const WORDS: usize = BLOCKS / 64;

/// A mark per block of a piece.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Marks([u64; WORDS]);

impl Marks {
    /// Marks every block that bytes of `range` lie in, counted from the piece's start.
    pub fn set(&mut self, range: &Range<u64>) {
        let first = usize::try_from(range.start / BLOCK).unwrap_or(BLOCKS).min(BLOCKS);
        let end = usize::try_from(range.end.div_ceil(BLOCK)).unwrap_or(BLOCKS).min(BLOCKS);
        for block in first..end {
            self.0[block / 64] |= 1 << (block % 64);
        }
    }

    /// Whether a block is marked.
    pub const fn has(&self, block: usize) -> bool {
        self.0[block / 64] >> (block % 64) & 1 == 1
    }

    /// The words, for whoever keeps marks of a whole disk.
    pub const fn words(&self) -> &[u64; WORDS] {
        &self.0
    }

    /// Runs of marked blocks.
    pub fn runs(&self) -> Vec<Range<usize>> {
        let (mut runs, mut start) = (Vec::new(), None);
        for block in 0..BLOCKS {
            match (self.has(block), start) {
                (true, None) => start = Some(block),
                (false, Some(from)) => {
                    runs.push(from..block);
                    start = None;
                }
                _ => {}
            }
        }
        runs.extend(start.map(|from| from..BLOCKS));
        runs
    }

    /// How many bytes the marked blocks have.
    pub fn bytes(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum::<u64>() * BLOCK
    }
}

/// What is known of a partition.
#[derive(Debug)]
enum Content {
    /// These bytes of the disk are in use.
    Known(Used),
    /// It is told by what passes.
    Passing(Box<Streamed>),
    /// All of it is, and why.
    Whole(String),
}

/// The map of a base.
#[derive(Debug)]
pub(super) struct StreamMap {
    partitions: Vec<(Partition, Content)>,
    outside: Used,
}

impl StreamMap {
    /// What the kept start tells.
    ///
    /// # Errors
    /// [`DiskError`] if it can't be read again.
    pub fn new(base: &Base) -> Result<Self, DiskError> {
        let spool = &base.spool;
        let mut partitions: Vec<_> =
            base.table.partitions.iter().map(|one| (one.clone(), content(one, spool))).collect();
        partitions.sort_by_key(|(partition, _)| partition.start);
        let mut outside = Vec::new();
        let mut end = 0;
        for (partition, _) in &partitions {
            outside.push(end..partition.start.max(end));
            end = end.max(partition.end());
        }
        outside.push(end..u64::MAX);
        let mut own = Self { partitions, outside: Used::of(outside) };
        if base.stream.is_some() {
            own.pass_kept(spool)?;
        }
        Ok(own)
    }

    /// A partition may begin in the kept part and go on in the stream.
    fn pass_kept(&mut self, spool: &Spool) -> Result<(), DiskError> {
        let starts = self.partitions.iter().filter(|(_, content)| matches!(content, Content::Passing(_)));
        let Some(start) = starts.map(|(partition, _)| partition.start).filter(|at| *at < spool.kept()).min()
        else {
            return Ok(());
        };
        let mut offset = start;
        while offset < spool.kept() {
            let count = usize::try_from(spool.kept() - offset).unwrap_or(STEP).min(STEP);
            let bytes = spool.bytes(offset, count)?;
            self.pass(offset, &bytes);
            offset += count as u64;
        }
        Ok(())
    }

    /// Takes the bytes of the disk from `offset` on.
    pub fn pass(&mut self, offset: u64, bytes: &[u8]) {
        let end = offset + bytes.len() as u64;
        for (partition, content) in &mut self.partitions {
            let (from, to) = (offset.max(partition.start), end.min(partition.end()));
            if let (Content::Passing(streamed), true) = (content, from < to) {
                let index = |at: u64| usize::try_from(at - offset).expect("it is within what is in memory");
                streamed.pass(from - partition.start, &bytes[index(from)..index(to)]);
            }
        }
    }

    /// The marks of the piece that starts at `offset` and has `length` bytes.
    pub fn marks(&self, offset: u64, length: usize) -> Marks {
        let mut marks = Marks::default();
        let piece = offset..offset + length as u64;
        let mut mark = |range: Range<u64>| marks.set(&(range.start - offset..range.end - offset));
        self.outside.within(&piece).for_each(&mut mark);
        for (partition, content) in &self.partitions {
            let here = piece.start.max(partition.start)..piece.end.min(partition.end());
            if here.start >= here.end {
                continue;
            }
            match content {
                Content::Known(used) => used.within(&here).for_each(&mut mark),
                Content::Whole(_) => mark(here),
                Content::Passing(streamed) => {
                    let start = partition.start;
                    streamed.used(&(here.start - start..here.end - start), |range| {
                        mark((range.start + start).max(here.start)..(range.end + start).min(here.end));
                    });
                }
            }
        }
        marks
    }

    /// Of which partitions all is written, and why, as sentences.
    pub fn remarks(&self) -> Vec<String> {
        let odd = self.partitions.iter().filter_map(|(partition, content)| {
            let why = match content {
                Content::Known(_) => None,
                Content::Whole(why) => Some(why.as_str()),
                Content::Passing(streamed) => streamed.oddity(),
            };
            why.map(|why| format!("all of partition {} is written: {why}", partition.number))
        });
        odd.collect()
    }
}

fn content(partition: &Partition, spool: &Spool) -> Content {
    if partition.end() > spool.kept() {
        return Content::Passing(Box::default());
    }
    match Fat::open(&Part::new(spool, partition.start, partition.size)) {
        Ok(Some(fat)) => Content::Known(Used::of(fat.used().moved(partition.start))),
        Ok(None) => Content::Passing(Box::default()),
        Err(error) => Content::Whole(error.to_string()),
    }
}

/// What the FAT volumes of the kept part hold once a patch lies over them: a cluster that a seed took may hold what the base
/// has there by chance, so it is no change, and still has to be written.
pub(super) fn patched(base: &Base, patch: &Patch) -> Used {
    let disk = Patched::new(&base.spool, patch);
    let kept = base.table.partitions.iter().filter(|partition| partition.end() <= base.spool.kept());
    let used =
        kept.flat_map(|partition| match Fat::open(&Part::new(&disk, partition.start, partition.size)) {
            Ok(Some(fat)) => fat.used().moved(partition.start),
            Ok(None) => Vec::new(),
            Err(_) => Used::whole(partition.size).moved(partition.start),
        });
    Used::of(used.collect())
}
