//! SHA-256 where much passes: the desk hashes both streams of every archive.
//!
//! In: bytes. Out: a [`Digest`]. `ring`, which the TLS of downloads brings along, is about twice as fast as `sha2` on
//! processors without SHA instructions; the node's program, which holds no C, stays with `sha2`.

use std::fmt::Write as _;

use desired::Digest;
use ring::digest::{Context, SHA256};

/// A SHA-256 that grows.
pub(crate) struct FastDigest(Context);

impl FastDigest {
    pub(crate) fn new() -> Self {
        Self(Context::new(&SHA256))
    }
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
    pub(crate) fn finish(self) -> Digest {
        let mut text = String::from("sha256:");
        for byte in self.0.finish().as_ref() {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text.parse().expect("64 hexadecimal digits are a SHA-256")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_implementations_agree() {
        for length in [0, 1, 63, 64, 65, 100_000] {
            let bytes: Vec<u8> = (0..length).map(|index: u32| (index % 251) as u8).collect();
            let mut fast = FastDigest::new();
            bytes.chunks(1000).for_each(|chunk| fast.update(chunk));
            assert_eq!(fast.finish(), Digest::sha256_of(&bytes));
        }
    }
}
