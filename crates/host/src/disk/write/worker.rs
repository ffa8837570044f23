//! One target in a thread of its own: from its zeroed start to its first MiB.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use desired::ByteSize;

use super::queue::Queue;
use super::record::{Piece, Record};
use super::seal::Head;
use super::{Options, Target, WriteError, Written};
use crate::disk::Used;
use crate::disk::aligned::Buffer;
use crate::disk::base::{BaseError, STEP};
use crate::disk::card_journal::CardJournal;
use crate::disk::medium::Medium;
use crate::disk::overlay::{BLOCK_BYTES, Patch};
use crate::disk::stream_map::Marks;
use crate::report::Task;

/// Old copies of a GPT lie at the end; with sectors of 4096 bytes they take this much.
const OLD_TAIL: u64 = 64 << 10;
/// How far, and how long, the medium may be ahead of what is remembered.
const REMEMBER_BYTES: u64 = 64 << 20;
const REMEMBER_EVERY: Duration = Duration::from_secs(3);

/// What a target is told.
#[derive(Debug, Clone)]
pub(super) enum Order {
    /// The next bytes.
    Piece(Arc<Piece>),
    /// Bytes that were held back until the base was known to be good.
    Held(Arc<Piece>),
    /// There is no card to make.
    Abort(Arc<BaseError>),
    /// That was all: check, and make it a card.
    Seal(Arc<Record>, Arc<Head>),
}

/// When something was done last, for whoever watches.
#[derive(Debug)]
pub(super) struct Beat {
    start: Instant,
    millis: AtomicU64,
}

impl Beat {
    pub fn new() -> Self {
        Self { start: Instant::now(), millis: AtomicU64::new(u64::MAX) }
    }
    /// Something begins now.
    pub fn works(&self) {
        let millis = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.millis.store(millis, Ordering::Relaxed);
    }
    /// It waits for others.
    fn rests(&self) {
        self.millis.store(u64::MAX, Ordering::Relaxed);
    }
    /// For how long it has been at the same piece of work.
    pub fn at_it(&self) -> Duration {
        match self.millis.load(Ordering::Relaxed) {
            u64::MAX => Duration::ZERO,
            since => self.start.elapsed().saturating_sub(Duration::from_millis(since)),
        }
    }
}

/// A target at work.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) medium: Medium,
    pub(super) patch: Patch,
    /// What the boot partition holds with its patch.
    pub(super) patched: Used,
    pub(super) beat: Arc<Beat>,
    pub(super) task: Task,
    pub(super) written: Written,
    /// Bytes with the patch in them.
    pub(super) scratch: Buffer,
    journal: Option<CardJournal>,
    compared: Option<Buffer>,
    /// Up to here an earlier run has written.
    resume: u64,
    remembered: (u64, Instant),
}

impl Worker {
    pub fn new(
        target: Target,
        patched: Used,
        options: &Options,
        journal: Option<CardJournal>,
        (task, beat): (Task, Arc<Beat>),
    ) -> Self {
        let Target { medium, patch, .. } = target;
        let resume = journal.as_ref().map_or(0, CardJournal::acknowledged);
        // What is zeroed at the end is not taken for written.
        let resume = medium.size().map_or(0, |size| resume.min(size.saturating_sub(OLD_TAIL))) / STEP as u64;
        let resume = resume * STEP as u64;
        let compared = options.compare_first.then(|| Buffer::new(STEP));
        Self {
            medium,
            patch,
            patched,
            beat,
            task,
            written: Written::default(),
            scratch: Buffer::new(STEP),
            journal,
            compared,
            resume,
            remembered: (resume, Instant::now()),
        }
    }

    /// Does as it is told until its card is done.
    pub fn run(mut self, orders: &Queue<Order>) -> Result<Written, WriteError> {
        self.begin()?;
        loop {
            self.beat.rests();
            let waiting = Instant::now();
            let order = orders.pop();
            self.written.unpack_seconds += waiting.elapsed().as_secs_f64();
            self.beat.works();
            let start = Instant::now();
            match order {
                Some(Order::Piece(piece)) => self.stream(&piece)?,
                Some(Order::Held(piece)) => self.put(&piece, &self.marks(&piece))?,
                Some(Order::Seal(record, head)) => return self.seal(&record, &head),
                Some(Order::Abort(error)) => return Err(WriteError::Base(error)),
                None => return Err(WriteError::Stopped { why: "the run ended".to_owned() }),
            }
            self.written.write_seconds += start.elapsed().as_secs_f64();
        }
    }

    /// No table, neither at the start nor at the end, before anything else is written.
    fn begin(&mut self) -> Result<(), WriteError> {
        self.beat.works();
        let Some(size) = self.medium.size() else { return Ok(()) };
        self.blank()?;
        let start = size.saturating_sub(OLD_TAIL) / BLOCK_BYTES as u64 * BLOCK_BYTES as u64;
        let count = usize::try_from(size - start).expect("it is short");
        self.scratch.fill(0);
        let zeroes = &self.scratch[..count];
        self.medium.write(start, zeroes).map_err(WriteError::io("write", start, count))?;
        self.sync()
    }

    /// Zeroes the first MiB.
    pub(super) fn blank(&mut self) -> Result<(), WriteError> {
        let count = self.medium.size().map_or(STEP, |size| usize::try_from(size).unwrap_or(STEP).min(STEP));
        self.scratch.fill(0);
        self.medium.write(0, &self.scratch[..count]).map_err(WriteError::io("write", 0, count))
    }

    pub(super) fn sync(&self) -> Result<(), WriteError> {
        self.beat.works();
        self.medium.sync().map_err(WriteError::io("flush", 0, 0))
    }

    /// The next piece, unless an earlier run has written it.
    fn stream(&mut self, piece: &Piece) -> Result<(), WriteError> {
        let end = piece.offset + piece.length as u64;
        let marks = self.marks(piece);
        if end <= self.resume {
            self.written.resumed.0 += marks.bytes();
        } else {
            self.put(piece, &marks)?;
        }
        self.task.set(end);
        let (bytes, when) = self.remembered;
        if let Some(journal) = &mut self.journal
            && end >= bytes.saturating_add(REMEMBER_BYTES)
            && when.elapsed() >= REMEMBER_EVERY
        {
            self.medium.sync().map_err(WriteError::io("flush", 0, 0))?;
            journal.acknowledge(end)?;
            self.remembered = (end, Instant::now());
        }
        Ok(())
    }

    /// Which blocks of a piece are to be on the card: those of the base, of the patch, and of volumes that it changes.
    fn marks(&self, piece: &Piece) -> Marks {
        let mut marks = piece.marks;
        for (at, _) in self.patches(piece) {
            marks.set(&(at as u64..at as u64 + 1));
        }
        let range = piece.offset..piece.offset + piece.length as u64;
        for used in self.patched.within(&range) {
            marks.set(&(used.start - piece.offset..used.end - piece.offset));
        }
        marks
    }

    /// The changed blocks of a piece, by where they start in it.
    fn patches(&self, piece: &Piece) -> impl Iterator<Item = (usize, &[u8])> {
        let first = piece.first_block();
        let blocks = piece.length.div_ceil(BLOCK_BYTES) as u64;
        (0_usize..)
            .zip(first..first + blocks)
            .filter_map(|(at, number)| self.patch.get(number).map(|block| (at * BLOCK_BYTES, block)))
    }

    /// Writes the marked blocks of a piece, changed by the patch.
    fn put(&mut self, piece: &Piece, marks: &Marks) -> Result<(), WriteError> {
        let end = self.medium.size().unwrap_or(u64::MAX);
        if piece.offset + piece.length as u64 > end {
            return Err(WriteError::Overflow { size: ByteSize(end) });
        }
        let mut scratch = std::mem::replace(&mut self.scratch, Buffer::new(0));
        let mut is_changed = false;
        for (at, block) in self.patches(piece) {
            if !is_changed {
                scratch.copy_from_slice(&piece.buffer);
                is_changed = true;
            }
            scratch[at..at + BLOCK_BYTES].copy_from_slice(block);
        }
        let source: &[u8] = if is_changed { &scratch } else { &piece.buffer };
        let result = self.put_runs(piece.offset, source, &marks.runs(), end);
        self.scratch = scratch;
        result
    }

    fn put_runs(
        &mut self,
        offset: u64,
        source: &[u8],
        runs: &[Range<usize>],
        end: u64,
    ) -> Result<(), WriteError> {
        for run in runs {
            let (from, to) = (run.start * BLOCK_BYTES, run.end * BLOCK_BYTES);
            let place = offset + from as u64;
            // The last block may end after the medium does.
            let to = to.min(from + usize::try_from(end.saturating_sub(place)).unwrap_or(usize::MAX));
            let bytes = &source[from..to];
            if self.compared.is_some() {
                self.put_differing(place, bytes)?;
            } else {
                self.put_bytes(place, bytes)?;
            }
        }
        Ok(())
    }

    fn put_bytes(&mut self, place: u64, bytes: &[u8]) -> Result<(), WriteError> {
        self.beat.works();
        self.medium.write(place, bytes).map_err(WriteError::io("write", place, bytes.len()))?;
        self.written.written.0 += bytes.len() as u64;
        Ok(())
    }

    /// Writes those blocks that are not there yet.
    fn put_differing(&mut self, place: u64, bytes: &[u8]) -> Result<(), WriteError> {
        let Some(mut compared) = self.compared.take() else { return Ok(()) };
        let there = &mut compared[..bytes.len()];
        self.beat.works();
        let read = self.medium.read(place, there);
        let mut runs: Vec<Range<usize>> = Vec::new();
        let mut equal = 0;
        // What can't be read may still be written: it is read back later in any case.
        let is_readable = read.is_ok();
        for (block, (own, other)) in bytes.chunks(BLOCK_BYTES).zip(there.chunks(BLOCK_BYTES)).enumerate() {
            match runs.last_mut() {
                _ if is_readable && own == other => equal += own.len() as u64,
                Some(run) if run.end == block => run.end += 1,
                _ => runs.push(block..block + 1),
            }
        }
        self.compared = Some(compared);
        self.written.equal.0 += equal;
        for run in runs {
            let (from, to) = (run.start * BLOCK_BYTES, (run.end * BLOCK_BYTES).min(bytes.len()));
            self.put_bytes(place + from as u64, &bytes[from..to])?;
        }
        Ok(())
    }

    /// Checks everything and makes it a card.
    fn seal(mut self, record: &Record, head: &Head) -> Result<Written, WriteError> {
        let start = Instant::now();
        self.task.step("flushing");
        // A file that grows ends where a block does, as every device.
        let size = record.size.next_multiple_of(BLOCK_BYTES as u64);
        self.medium.grow(size).map_err(WriteError::io("grow to", size, 0))?;
        let size = self.medium.size().unwrap_or(size);
        self.sync()?;
        if let Some(journal) = &mut self.journal {
            journal.acknowledge(record.size)?;
        }
        self.written.write_seconds += start.elapsed().as_secs_f64();
        self.task.step("reading back");
        let checked = self.read_back(record).map_err(|error| self.blamed(error));
        let checked = checked.and_then(|()| self.finish(head, size));
        if let Err(error) = checked {
            // Whatever it claims to hold, it must not boot; and nothing of it counts as written any more.
            let _ = self.blank().and_then(|()| self.sync());
            if let (true, Some(journal)) = (error.is_verification_failure(), &mut self.journal) {
                journal.forget()?;
            }
            return Err(error);
        }
        if let Some(journal) = &mut self.journal {
            journal.forget()?;
        }
        self.written.size = ByteSize(size);
        self.written.allocated = record.allocated;
        self.written.remarks.clone_from(&record.remarks);
        let note = format!("{} written, {} in use", self.written.written, self.written.allocated);
        self.task.finish(&note);
        Ok(self.written)
    }

    /// Two cards in one reader look the same: what this run did not write is no proof against the medium.
    fn blamed(&self, error: WriteError) -> WriteError {
        match error {
            WriteError::Mismatch { offset } if offset < self.resume => WriteError::NotWhatWasLeft { offset },
            other => other,
        }
    }

    /// The second copy of a GPT, then the first MiB, its first block last; both read back.
    fn finish(&mut self, head: &Head, size: u64) -> Result<(), WriteError> {
        let start = Instant::now();
        let (head, moved) = head.fitted(&self.patch, size)?;
        if let Some(moved) = &moved {
            let (place, tail) = (moved.tail.0, moved.tail.1.as_slice());
            self.medium.write(place, tail).map_err(WriteError::io("write", place, tail.len()))?;
            self.sync()?;
            self.hold_against(place, tail)?;
        }
        let first = BLOCK_BYTES.min(head.len());
        self.put_bytes(first as u64, &head[first..])?;
        self.sync()?;
        self.hold_against(first as u64, &head[first..])?;
        self.put_bytes(0, &head[..first])?;
        self.sync()?;
        self.hold_against(0, &head[..first])?;
        self.written.write_seconds += start.elapsed().as_secs_f64();
        Ok(())
    }
}
