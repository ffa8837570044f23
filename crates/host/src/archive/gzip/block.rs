//! One block: deflate it, or store it when it is compressed already.
//!
//! In: up to [`BLOCK`](super::BLOCK) bytes. Out: pieces of a deflate stream that end on a byte boundary, and the
//! CRC-32 of the input. The choice looks at the bytes only, so it is the same everywhere.

use std::io::{self, Write};
use std::sync::Arc;

use flate2::{Compress, Compression, FlushCompress, Status};

/// A stored deflate block carries its length in 16 bits.
const STORED_MAX: usize = 65_535;
/// Samples taken of a block to tell whether deflating pays.
const SAMPLES: usize = 8;
/// Bytes of a sample; long enough for deflate to find what it would find in text or programs.
const SAMPLE: usize = 4096;

/// A block ready to be written.
#[derive(Debug)]
pub(super) struct Packed {
    pub(super) body: Body,
    pub(super) checksum: crc32fast::Hasher,
    /// Bytes of input.
    pub(super) length: u64,
}

/// The two forms a block takes in the stream.
#[derive(Debug)]
pub(super) enum Body {
    /// Deflated bytes.
    Deflated(Vec<u8>),
    /// The input itself, framed while it is written.
    Stored(Arc<Vec<u8>>),
}

/// One thread's compressor, reused from block to block.
#[derive(Debug)]
pub(super) struct Packer {
    full: Compress,
    probe: Compress,
    scratch: Vec<u8>,
}

impl Packer {
    pub(super) fn new(level: u32) -> Self {
        Self {
            full: Compress::new(Compression::new(level), false),
            probe: Compress::new(Compression::fast(), false),
            scratch: Vec::with_capacity(SAMPLES * SAMPLE),
        }
    }

    /// Packs `input`, storing it when deflate would save less than a thirty-second.
    pub(super) fn pack(&mut self, input: Arc<Vec<u8>>) -> io::Result<Packed> {
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&input);
        let length = input.len() as u64;
        if !self.deflate_pays(&input)? {
            return Ok(Packed { body: Body::Stored(input), checksum, length });
        }
        let mut output = Vec::with_capacity(input.len() / 2 + 1024);
        deflate(&mut self.full, &input, &mut output)?;
        let body = if output.len() < stored_size(input.len()) {
            Body::Deflated(output)
        } else {
            Body::Stored(input)
        };
        Ok(Packed { body, checksum, length })
    }

    /// Deflates samples at the lowest level. Blocks hardly larger than the samples are simply tried.
    fn deflate_pays(&mut self, input: &[u8]) -> io::Result<bool> {
        if input.len() < 4 * SAMPLES * SAMPLE {
            return Ok(true);
        }
        let stride = input.len() / SAMPLES;
        let mut total = 0;
        for index in 0..SAMPLES {
            let start = index * stride;
            self.scratch.clear();
            deflate(&mut self.probe, &input[start..start + SAMPLE], &mut self.scratch)?;
            total += self.scratch.len();
        }
        Ok(total < SAMPLES * SAMPLE * 31 / 32)
    }
}

/// Appends `input`, deflated and ended by a sync flush, to `output`.
fn deflate(compressor: &mut Compress, input: &[u8], output: &mut Vec<u8>) -> io::Result<()> {
    compressor.reset();
    loop {
        let taken = usize::try_from(compressor.total_in()).map_err(io::Error::other)?;
        if output.capacity() - output.len() < 1024 {
            output.reserve((input.len() - taken) / 2 + 4096);
        }
        let status = compressor
            .compress_vec(&input[taken..], output, FlushCompress::Sync)
            .map_err(io::Error::other)?;
        let all_in = compressor.total_in() == input.len() as u64;
        // zlib's contract: room left in the output means the flush is complete.
        if all_in && output.len() < output.capacity() {
            return Ok(());
        }
        if status == Status::StreamEnd {
            return Err(io::Error::other("the deflate stream ended inside a block"));
        }
    }
}

/// What `length` bytes take as stored blocks.
const fn stored_size(length: usize) -> usize {
    length + 5 * length.div_ceil(STORED_MAX)
}

impl Body {
    /// Writes the block, framing stored bytes as RFC 1951 3.2.4 says.
    pub(super) fn write_to(&self, sink: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Deflated(bytes) => sink.write_all(bytes),
            Self::Stored(bytes) => {
                for piece in bytes.chunks(STORED_MAX) {
                    let length = u16::try_from(piece.len()).map_err(io::Error::other)?;
                    let [low, high] = length.to_le_bytes();
                    sink.write_all(&[0, low, high, !low, !high])?;
                    sink.write_all(piece)?;
                }
                Ok(())
            }
        }
    }
}
