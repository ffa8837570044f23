//! Digests of bytes that pass.
//!
//! In: bytes. Out: a [`Digest`](desired::Digest). At the desk (feature `net`) by `ring`, which the TLS of downloads brings
//! along and which has assembly for processors without SHA instructions too; the node's program, which holds no C, stays
//! with `sha2`. Both take and give the same.

#[cfg(not(feature = "net"))]
pub(crate) use desired::types::Hasher;
#[cfg(feature = "net")]
pub(crate) use fast::Hasher;

#[cfg(feature = "net")]
mod fast {
    use std::fmt::Write as _;

    use desired::Digest;
    use desired::types::DigestAlgorithm;
    use ring::digest::{Context, SHA256, SHA512};

    /// As [`desired::types::Hasher`].
    #[derive(Clone)]
    pub(crate) struct Hasher {
        algorithm: DigestAlgorithm,
        context: Context,
    }

    impl Hasher {
        pub(crate) fn new(algorithm: DigestAlgorithm) -> Self {
            let context = Context::new(match algorithm {
                DigestAlgorithm::Sha256 => &SHA256,
                DigestAlgorithm::Sha512 => &SHA512,
            });
            Self { algorithm, context }
        }
        pub(crate) fn update(&mut self, bytes: &[u8]) {
            self.context.update(bytes);
        }
        pub(crate) fn finish(self) -> Digest {
            let mut text = format!("{}:", self.algorithm.as_str());
            for byte in self.context.finish().as_ref() {
                // Writing to a String cannot fail.
                let _ = write!(text, "{byte:02x}");
            }
            text.parse().expect("the algorithm's name and all of its digits are a digest")
        }
    }

    impl std::io::Write for Hasher {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.update(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl std::fmt::Debug for Hasher {
        fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.debug_struct("Hasher").field("algorithm", &self.algorithm).finish_non_exhaustive()
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn both_implementations_agree() {
            for algorithm in [DigestAlgorithm::Sha256, DigestAlgorithm::Sha512] {
                for length in [0, 1, 63, 64, 65, 127, 128, 100_000] {
                    let bytes: Vec<u8> = (0..=255).cycle().take(length).collect();
                    let (mut fast, mut plain) =
                        (Hasher::new(algorithm), desired::types::Hasher::new(algorithm));
                    bytes.chunks(1000).for_each(|chunk| fast.update(chunk));
                    plain.update(&bytes);
                    assert_eq!(fast.finish(), plain.finish(), "{length} bytes");
                }
            }
        }
    }
}
