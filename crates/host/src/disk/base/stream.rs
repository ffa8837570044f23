//! The bytes of the disk in order, counted and digested, and the verdict at their end.

use std::fs::File;
use std::io::{self, Read};

use desired::ByteSize;

use super::packed::{self, Ending};
use super::{BaseError, Codec, Pin};
use crate::digest::Hasher;

/// What comes out of the decoder.
pub(in crate::disk) struct Stream {
    decoder: Box<dyn Read + Send>,
    codec: Codec,
    /// How much has come out, in bytes.
    offset: u64,
    hasher: Option<Hasher>,
    ending: Ending,
    pin: Pin,
    size: Option<u64>,
    least: u64,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Stream").field("codec", &self.codec).field("offset", &self.offset).finish()
    }
}

impl Stream {
    /// Begins to read `file`, whose disk is `size` bytes long if that is known.
    pub(super) fn new(file: File, codec: Codec, pin: &Pin, size: Option<u64>) -> io::Result<Self> {
        let (packed, ending) = packed::read(file, pin.file.as_ref());
        let hasher = pin.unpacked.as_ref().map(|digest| Hasher::new(digest.algorithm()));
        let decoder = codec.unpack(packed)?;
        Ok(Self { decoder, codec, offset: 0, hasher, ending, pin: pin.clone(), size, least: 0 })
    }

    /// How long the disk is, if that is known.
    pub(super) const fn known_size(&self) -> Option<u64> {
        self.size
    }

    /// It is cut off if it ends before.
    pub(super) const fn must_reach(&mut self, end: u64) {
        self.least = end;
    }

    /// Fills the buffer; fewer bytes only at the end.
    ///
    /// # Errors
    /// [`BaseError::Unpack`], and [`BaseError::Length`] as soon as there is more than was promised.
    pub(in crate::disk) fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, BaseError> {
        let mut count = 0;
        while count < buffer.len() {
            match self.decoder.read(&mut buffer[count..]) {
                Ok(0) => break,
                Ok(more) => count += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    let offset = self.offset + count as u64;
                    return Err(BaseError::Unpack { codec: self.codec, offset, source });
                }
            }
        }
        self.offset += count as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..count]);
        }
        match self.size {
            Some(wanted) if self.offset > wanted => Err(BaseError::Length { found: self.offset, wanted }),
            _ => Ok(count),
        }
    }

    /// Judges what has come out, after its last byte, and gives its length.
    ///
    /// # Errors
    /// [`BaseError::Length`], [`BaseError::Short`] or [`BaseError::Digest`].
    pub(in crate::disk) fn finish(self) -> Result<u64, BaseError> {
        let found = self.offset;
        if let Some(wanted) = self.size.filter(|wanted| *wanted != found) {
            return Err(BaseError::Length { found, wanted });
        }
        if found < self.least {
            return Err(BaseError::Short { size: ByteSize(found), wanted: ByteSize(self.least) });
        }
        // The decoder has asked for the end of the file, so its digest is there.
        drop(self.decoder);
        let file = self.ending.get().cloned();
        for (what, wanted, digest) in [
            ("file", self.pin.file, file),
            ("unpacked image", self.pin.unpacked, self.hasher.map(Hasher::finish)),
        ] {
            match (wanted, digest) {
                (Some(wanted), Some(found)) if wanted != found => {
                    return Err(BaseError::Digest { what, found, wanted });
                }
                // No digest, no success.
                (Some(_), None) => {
                    let source = io::Error::other("its end was not reached");
                    return Err(BaseError::Unpack { codec: self.codec, offset: found, source });
                }
                _ => {}
            }
        }
        Ok(found)
    }
}
