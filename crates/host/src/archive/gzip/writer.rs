//! The threads behind [`write`].
//!
//! ```text
//! caller ─blocks─┬▶ worker 0..n (deflate or store, CRC) ─▶ writer (order, SHA-256 of the packed, sink)
//!                └▶ hasher (SHA-256 of the plain)
//! ```
//!
//! Block `i` goes to worker `i mod n` and the writer asks the workers in the same turn, so order needs no buffer;
//! every channel is short, so memory is bounded by a few blocks a thread however large the input is.

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::BLOCK;
use super::block::{Packed, Packer};
use crate::digest::Hasher;
use desired::types::DigestAlgorithm;

use crate::archive::{Sum, Sums};

/// RFC 1952 2.3: magic, deflate, no flags, no time, no extra flags, operating system unknown.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// The last block: empty, fixed Huffman codes, final bit set.
const LAST_BLOCK: [u8; 2] = [0x03, 0x00];
/// Blocks that may wait in front of and behind a worker.
const WAITING: usize = 2;

type Block = Arc<Vec<u8>>;

/// Takes bytes, cuts them into blocks and hands these to the threads; lives inside [`write`].
#[derive(Debug)]
pub struct BlockWriter {
    open: Vec<u8>,
    workers: Vec<SyncSender<Block>>,
    hasher: SyncSender<Block>,
    next: usize,
}

impl BlockWriter {
    fn hand_over(&mut self) -> io::Result<()> {
        let block = Arc::new(std::mem::replace(&mut self.open, Vec::with_capacity(BLOCK)));
        // The reason stands in the writer's own result, which `write` prefers to this.
        let stopped = |_| io::Error::new(io::ErrorKind::BrokenPipe, "the archive's writer stopped");
        self.hasher.send(Arc::clone(&block)).map_err(stopped)?;
        self.workers[self.next].send(block).map_err(stopped)?;
        self.next = (self.next + 1) % self.workers.len();
        Ok(())
    }
}

impl Write for BlockWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(BLOCK - self.open.len());
        self.open.extend_from_slice(&bytes[..count]);
        if self.open.len() == BLOCK {
            self.hand_over()?;
        }
        Ok(count)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs `fill` with a writer and compresses what it writes into `sink`, at `level` (0–9) on `threads` workers.
/// Gives what `fill` gave, and the sums of both streams. The bytes in `sink` depend on input and level alone.
///
/// # Errors
/// What `fill` gave, or the sink's own fault; the sink then holds the start of a stream without its end.
pub fn write<W, T, E>(
    sink: &mut W,
    level: u32,
    threads: NonZeroUsize,
    fill: impl FnOnce(&mut BlockWriter) -> Result<T, E>,
) -> Result<(T, Sums), E>
where
    W: Write + Send,
    E: From<io::Error>,
{
    let complete = AtomicBool::new(false);
    thread::scope(|scope| {
        let (mut workers, mut results) = (Vec::new(), Vec::new());
        for _ in 0..threads.get() {
            let (block_in, blocks) = sync_channel(WAITING);
            let (packed, packed_out) = sync_channel(WAITING);
            scope.spawn(move || work(level, &blocks, &packed));
            workers.push(block_in);
            results.push(packed_out);
        }
        let (hasher, blocks) = sync_channel(2 * WAITING);
        let plain = scope.spawn(move || digest(&blocks));
        let finished = &complete;
        let writer = scope.spawn(move || collect(sink, &results, finished));

        let mut blocks = BlockWriter { open: Vec::with_capacity(BLOCK), workers, hasher, next: 0 };
        let filled = fill(&mut blocks).and_then(|value| {
            if !blocks.open.is_empty() {
                blocks.hand_over()?;
            }
            Ok(value)
        });
        complete.store(filled.is_ok(), Ordering::Release);
        drop(blocks);
        let packed = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let plain = plain.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        match (filled, packed) {
            (_, Err(fault)) => Err(E::from(fault)),
            (Err(fault), _) => Err(fault),
            (Ok(value), Ok(packed)) => Ok((value, Sums { packed, plain })),
        }
    })
}

/// A worker: packs until its caller or the writer is gone.
fn work(level: u32, blocks: &Receiver<Block>, packed: &SyncSender<io::Result<Packed>>) {
    let mut packer = Packer::new(level);
    while let Ok(block) = blocks.recv() {
        if packed.send(packer.pack(block)).is_err() {
            return;
        }
    }
}

fn digest(blocks: &Receiver<Block>) -> Sum {
    let mut hasher = Hasher::new(DigestAlgorithm::Sha256);
    let mut size = 0;
    while let Ok(block) = blocks.recv() {
        hasher.update(&block);
        size += block.len() as u64;
    }
    Sum { digest: hasher.finish(), size }
}

/// The writer: header, blocks in turn, and the trailer only if the caller said that its input is complete.
fn collect<W: Write>(
    sink: &mut W,
    results: &[Receiver<io::Result<Packed>>],
    complete: &AtomicBool,
) -> io::Result<Sum> {
    let mut stream = Digested { sink, hasher: Hasher::new(DigestAlgorithm::Sha256), size: 0 };
    stream.write_all(&HEADER)?;
    let mut checksum = crc32fast::Hasher::new();
    let mut length = 0_u64;
    for result in results.iter().cycle() {
        let Ok(packed) = result.recv() else { break };
        let packed = packed?;
        packed.body.write_to(&mut stream)?;
        length += packed.length;
        checksum.combine(&packed.checksum);
    }
    if !complete.load(Ordering::Acquire) {
        return Ok(Sum { digest: stream.hasher.finish(), size: stream.size });
    }
    stream.write_all(&LAST_BLOCK)?;
    stream.write_all(&checksum.finalize().to_le_bytes())?;
    // RFC 1952: the length modulo 2^32.
    stream.write_all(&length.to_le_bytes()[..4])?;
    stream.sink.flush()?;
    Ok(Sum { digest: stream.hasher.finish(), size: stream.size })
}

/// Digests what reaches the sink.
struct Digested<'a, W> {
    sink: &'a mut W,
    hasher: Hasher,
    size: u64,
}

impl<W: Write> Write for Digested<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.sink.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}
