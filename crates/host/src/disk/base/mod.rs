//! A vendor's image as the source of cards: unpacked once, its start kept, the rest streamed.
//!
//! In: a file, and the pin it is held against if there is one. Out: a [`Base`]: the partition table and everything up to
//! the end of the boot partition in a [`Spool`], what they tell as an [`Insight`], and the rest still packed. Whether the
//! file is what was pinned is known with its last byte; whoever writes it holds back what makes a card boot until then.

mod codec;
mod error;
mod held;
mod packed;
mod spool;
mod stream;
#[cfg(test)]
mod tests;
pub mod xz_index;

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use desired::{ByteSize, Digest};

pub use codec::Codec;
pub use error::BaseError;
pub use spool::Spool;
pub(in crate::disk) use stream::Stream;

use super::Whole;
use super::insight::Insight;
use super::table::Table;

/// Bytes in a step; also what is held back of every disk's start.
pub const STEP: usize = 1 << 20;

/// What a base is held against. Each part that is there is checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pin {
    /// The digest of the file as it is fetched.
    pub file: Option<Digest>,
    /// The digest of the disk that comes out.
    pub unpacked: Option<Digest>,
    /// How long that disk is.
    pub size: Option<ByteSize>,
}

/// A base that can become cards.
#[derive(Debug)]
pub struct Base {
    pub(super) codec: Codec,
    pub(super) spool: Spool,
    pub(super) table: Table,
    /// What is still packed; none if all of it lies in the spool, checked.
    pub(super) stream: Option<Stream>,
    /// Tells this base from others before its last byte was read.
    pub(super) key: Digest,
    insight: Insight,
    size: Option<u64>,
}

/// How much of it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// Up to the end of the boot partition.
    Start,
    /// Everything.
    All,
}

impl Base {
    /// Unpacks the start of the file at `path`. Everything is unpacked, and a remark says so, where the boot partition lies
    /// behind a large other one, or the table can only be read from its copy at the end.
    ///
    /// # Errors
    /// [`BaseError`]: it can't be read, is no disk image, is cut off or damaged.
    pub fn open(path: impl AsRef<Path>, pin: Option<&Pin>) -> Result<Self, BaseError> {
        Self::open_in(path.as_ref(), pin, &Spool::usual_folder(), Keep::Start, &mut |_, _| ())
    }

    /// Unpacks all of it into the spool, so that its insight knows the root's files too and its digest is checked before
    /// anything is written. Takes as much room in the temporary folder as the disk has bytes that are not zero. `watch` hears
    /// how many bytes are unpacked, and of how many where that is known.
    ///
    /// # Errors
    /// As [`Self::open`], and [`BaseError::Digest`] if it is not what was pinned.
    pub fn open_whole(
        path: impl AsRef<Path>,
        pin: Option<&Pin>,
        watch: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<Self, BaseError> {
        Self::open_in(path.as_ref(), pin, &Spool::usual_folder(), Keep::All, watch)
    }

    fn open_in(
        path: &Path,
        pin: Option<&Pin>,
        folder: &Path,
        keep: Keep,
        watch: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<Self, BaseError> {
        let pin = pin.cloned().unwrap_or_default();
        let mut spool = Spool::new(folder).map_err(BaseError::io("make a temporary file in", folder))?;
        let (codec, mut stream) = start(path, &pin)?;
        let mut buffer = vec![0; STEP];
        let mut kept = 0;
        let mut take = |stream: &mut Stream, spool: &mut Spool| -> Result<bool, BaseError> {
            let count = stream.fill(&mut buffer)?;
            spool.keep(kept, &buffer[..count]).map_err(BaseError::io("write to", folder))?;
            kept += count as u64;
            watch(kept, stream.known_size());
            Ok(count == STEP)
        };
        let mut is_more = take(&mut stream, &mut spool)?;
        let found = held::look(&spool, stream.known_size(), keep == Keep::All)?;
        while is_more && found.until.is_none_or(|until| spool.kept() < until) {
            is_more = take(&mut stream, &mut spool)?;
        }
        let key = key(path, &pin, &spool)?;
        let (known, mut stream) = (stream.known_size(), Some(stream));
        if !is_more && let Some(ended) = stream.take() {
            ended.finish()?;
        }
        let size = if stream.is_none() { Some(spool.kept()) } else { known };
        let table = match found.table {
            Some(table) => table,
            None => Table::read(&spool)?,
        };
        let end = table.partitions.iter().map(super::table::Partition::end).max().unwrap_or(0);
        if let Some(size) = size.filter(|size| *size < end) {
            return Err(BaseError::Short { size: ByteSize(size), wanted: ByteSize(end) });
        }
        if let Some(stream) = &mut stream {
            stream.must_reach(end);
        }
        spool.set_size(size.unwrap_or(end)).map_err(BaseError::io("write to", folder))?;
        // What was read from the copy at the end is put where every reader looks first.
        for (offset, bytes) in super::table::first_copy(&spool, &table) {
            spool.keep(offset, &bytes).map_err(BaseError::io("write to", folder))?;
        }
        let mut insight = Insight::with(&spool, &table);
        insight.remarks.extend(found.remark);
        Ok(Self { codec, spool, table, stream, key, insight, size })
    }

    /// Table, boot partition and what lies around them; zeroes elsewhere, unless all of it was unpacked.
    #[must_use]
    pub const fn head(&self) -> &Spool {
        &self.spool
    }

    /// What the head tells. Of a base that is streamed the root partition is not known yet, nor its files.
    #[must_use]
    pub const fn insight(&self) -> &Insight {
        &self.insight
    }

    /// How long the disk is, where that is known before its last byte.
    #[must_use]
    pub fn size(&self) -> Option<ByteSize> {
        self.size.map(ByteSize)
    }

    /// How it is packed.
    #[must_use]
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// The least room a medium must have, in bytes: the disk's length, or where its last partition ends.
    #[must_use]
    pub fn least(&self) -> u64 {
        let end = self.table.partitions.iter().map(super::table::Partition::end).max();
        self.size.or(end).unwrap_or(0).max(self.spool.kept())
    }
}

/// Opens the file, tells how it is packed and how long it is unpacked.
fn start(path: &Path, pin: &Pin) -> Result<(Codec, Stream), BaseError> {
    let io = |act| BaseError::io(act, path);
    let whole = Whole::open(path).map_err(io("open"))?;
    let mut file = File::open(path).map_err(io("open"))?;
    let mut first = Vec::new();
    file.by_ref().take(16).read_to_end(&mut first).map_err(io("read"))?;
    file.rewind().map_err(io("read"))?;
    let codec = Codec::of(&first)?;
    let own = match codec {
        Codec::Raw => Some(super::ReadAt::size(&whole)),
        Codec::Xz => xz_index::unpacked_size(&whole),
        // A frame of zstd tells of itself alone, and gzip of the last four bytes of a length.
        Codec::Gzip | Codec::Zstd => None,
    };
    let pinned = pin.size.map(|size| size.0);
    if let (Some(found), Some(wanted)) = (own, pinned)
        && found != wanted
    {
        return Err(BaseError::Length { found, wanted });
    }
    let stream = Stream::new(file, codec, pin, own.or(pinned)).map_err(io("unpack"))?;
    Ok((codec, stream))
}

/// A name for this very content: its pin, or what the file's ends and length say.
fn key(path: &Path, pin: &Pin, spool: &Spool) -> Result<Digest, BaseError> {
    if let Some(digest) = pin.file.as_ref().or(pin.unpacked.as_ref()) {
        return Ok(digest.clone());
    }
    let io = |act| BaseError::io(act, path);
    let file = File::open(path).map_err(io("open"))?;
    let length = file.metadata().map_err(io("look at"))?.len();
    let mut text = super::ReadAt::bytes(spool, 0, usize::try_from(spool.kept()).unwrap_or(STEP).min(STEP))?;
    let mut end = vec![0; usize::try_from(length).unwrap_or(STEP).min(STEP)];
    let last = length - end.len() as u64;
    file.read_exact_at(&mut end, last).map_err(io("read"))?;
    text.extend_from_slice(&end);
    text.extend_from_slice(&length.to_le_bytes());
    Ok(Digest::sha256_of(&text))
}
