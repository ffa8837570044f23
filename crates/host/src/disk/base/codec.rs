//! How the bytes of a base are packed, told by its first bytes, and unpacked as they come.
//!
//! In: the packed bytes in order. Out: the bytes of the disk. The end is an answer of its own: whatever is cut off, damaged
//! or followed by something that does not belong to it is an error, never a short disk (FIELD F6).

use std::io::{self, BufRead, BufReader, Read};
use std::num::NonZeroUsize;

use flate2::bufread::MultiGzDecoder;
use liblzma::stream::{Action, MtStreamBuilder, Status, Stream};

use super::BaseError;

/// Memory up to which blocks of an xz file are unpacked side by side; with less it goes one block after the other.
const XZ_SIDE_BY_SIDE: u64 = 768 << 20;
/// Memory which an xz file may need at all.
const XZ_AT_ALL: u64 = 1 << 30;
/// The longest look back of a zstd file, as a power of two: 128 MiB, what `zstd --long` makes.
const ZSTD_WINDOW_LOG: u32 = 27;
const XZ_MAGIC: &[u8] = b"\xfd7zXZ\0";

/// A way of packing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// Not packed.
    Raw,
    /// gzip, of one or more members.
    Gzip,
    /// xz, of one or more streams.
    Xz,
    /// zstd, of one or more frames.
    Zstd,
}

/// What people have instead of an image, by its first bytes.
const OTHERS: [(&[u8], &str); 7] = [
    (b"PK\x03\x04", "a zip archive"),
    (b"BZh", "a bzip2 file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x04\x22\x4d\x18", "an lz4 file"),
    (b"QFI\xfb", "a qcow2 image of a virtual machine"),
    (b"KDMV", "a VMDK image of a virtual machine"),
    (b"<!DO", "a page of a website"),
];

impl Codec {
    /// Which one it is, by the first bytes of the file.
    ///
    /// # Errors
    /// [`BaseError::Another`] if it is something else that is known.
    pub fn of(start: &[u8]) -> Result<Self, BaseError> {
        if let Some((_, what)) = OTHERS.iter().find(|(magic, _)| start.starts_with(magic)) {
            return Err(BaseError::Another { what });
        }
        // A skippable frame may come first.
        let is_skippable = start.len() >= 4 && start[0] & 0xf0 == 0x50 && start[1..4] == [0x2a, 0x4d, 0x18];
        Ok(if start.starts_with(XZ_MAGIC) {
            Self::Xz
        } else if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) || is_skippable {
            Self::Zstd
        } else if start.starts_with(&[0x1f, 0x8b]) {
            Self::Gzip
        } else {
            Self::Raw
        })
    }

    /// Unpacks what `packed` gives.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn unpack<R: BufRead + Send + 'static>(self, packed: R) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::Raw => Box::new(packed),
            Self::Gzip => Box::new(MultiGzDecoder::new(packed)),
            Self::Xz => Box::new(Xz { packed, stream: xz_stream()?, is_between: false }),
            Self::Zstd => {
                // Its own reader wants no more than a buffer, and both kinds of end are checked by it.
                let mut decoder = zstd::stream::read::Decoder::with_buffer(packed)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                Box::new(BufReader::with_capacity(1 << 17, decoder))
            }
        })
    }
}

impl std::fmt::Display for Codec {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Raw => "raw",
            Self::Gzip => "gzip",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
        })
    }
}

fn xz_stream() -> io::Result<Stream> {
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let stream = MtStreamBuilder::new()
        .threads(u32::try_from(threads).unwrap_or(1))
        .memlimit_threading(XZ_SIDE_BY_SIDE)
        .memlimit_stop(XZ_AT_ALL)
        .decoder();
    stream.map_err(io::Error::from)
}

/// The decoder of the library that works side by side knows one stream only; what comes after it is looked at here.
struct Xz<R> {
    packed: R,
    stream: Stream,
    /// One stream has ended, and none has begun.
    is_between: bool,
}

impl<R: BufRead> Xz<R> {
    /// Skips the zeroes that may follow a stream; says whether another stream follows.
    fn next_stream(&mut self) -> io::Result<bool> {
        let mut padding = 0_usize;
        loop {
            let input = self.packed.fill_buf()?;
            let zeroes = input.iter().take_while(|byte| **byte == 0).count();
            let (is_end, is_more) = (input.is_empty(), zeroes < input.len());
            self.packed.consume(zeroes);
            padding += zeroes;
            let invalid = |why: &str| Err(io::Error::new(io::ErrorKind::InvalidData, why.to_owned()));
            match (is_end, is_more) {
                (false, false) => {}
                _ if !padding.is_multiple_of(4) => {
                    return invalid("its padding has no multiple of four bytes");
                }
                (true, _) => return Ok(false),
                (false, true) => {
                    if self.packed.fill_buf()?[0] != XZ_MAGIC[0] {
                        return invalid("something that is not xz follows its end");
                    }
                    self.stream = xz_stream()?;
                    self.is_between = false;
                    return Ok(true);
                }
            }
        }
    }
}

impl<R: BufRead> Read for Xz<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || (self.is_between && !self.next_stream()?) {
            return Ok(0);
        }
        loop {
            let input = self.packed.fill_buf()?;
            let is_end = input.is_empty();
            let (before_in, before_out) = (self.stream.total_in(), self.stream.total_out());
            let action = if is_end { Action::Finish } else { Action::Run };
            let status = self.stream.process(input, buffer, action)?;
            let consumed = usize::try_from(self.stream.total_in() - before_in).unwrap_or(0);
            let made = usize::try_from(self.stream.total_out() - before_out).unwrap_or(0);
            self.packed.consume(consumed);
            if status == Status::StreamEnd {
                self.is_between = true;
                if made == 0 && !self.next_stream()? {
                    return Ok(0);
                }
            } else if made == 0 && is_end {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it is cut off"));
            } else if made == 0 && consumed == 0 && status == Status::MemNeeded {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "it is damaged"));
            }
            if made > 0 {
                return Ok(made);
            }
        }
    }
}
