//! A reader that digests and counts what passes through it.

use std::io::{self, Read};

use desired::Digest;
use desired::types::DigestAlgorithm;

use crate::digest::Hasher;

/// SHA-256 and length of some bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// SHA-256.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
}

/// Passes bytes on unchanged and keeps their [`Sum`].
#[derive(Debug)]
pub struct DigestingReader<R> {
    inner: R,
    hasher: Hasher,
    size: u64,
}

impl<R: Read> DigestingReader<R> {
    /// Reads from `inner`.
    pub fn new(inner: R) -> Self {
        Self { inner, hasher: Hasher::new(DigestAlgorithm::Sha256), size: 0 }
    }
    /// The sum of everything read so far.
    pub fn finish(self) -> Sum {
        Sum { digest: self.hasher.finish(), size: self.size }
    }
}

impl<R: Read> Read for DigestingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        self.size += count as u64;
        Ok(count)
    }
}
