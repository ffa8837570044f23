//! Digests as `algorithm:hex`, and the hasher that makes them while bytes pass by.

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use super::Invalid;

/// The two algorithms vendors publish: sha256 nearly everywhere, sha512 at npm and Debian's cloud images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DigestAlgorithm {
    /// SHA-256, 64 hexadecimal digits.
    Sha256,
    /// SHA-512, 128 hexadecimal digits.
    Sha512,
}

impl DigestAlgorithm {
    /// The word before the colon.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }
    const fn hex_length(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }
}

/// The digest of some bytes, written `sha256:` and lower-case hexadecimal digits as in OCI.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest {
    algorithm: DigestAlgorithm,
    hex: String,
}

impl Digest {
    /// The SHA-256 of `bytes`.
    #[must_use]
    pub fn sha256_of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(DigestAlgorithm::Sha256);
        hasher.update(bytes);
        hasher.finish()
    }
    /// Which algorithm made it.
    #[must_use]
    pub const fn algorithm(&self) -> DigestAlgorithm {
        self.algorithm
    }
    /// The hexadecimal digits alone, lower case.
    #[must_use]
    pub fn hex(&self) -> &str {
        &self.hex
    }
    /// The first twelve digits, for tables.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.hex[..12]
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}", self.algorithm.as_str(), self.hex)
    }
}

impl std::str::FromStr for Digest {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (algorithm, hex) = match text.split_once(':') {
            Some(("sha256", hex)) => (DigestAlgorithm::Sha256, hex),
            Some(("sha512", hex)) => (DigestAlgorithm::Sha512, hex),
            _ => return Err(Invalid::new("digest", text, "write sha256:<64 digits> or sha512:<128 digits>")),
        };
        if hex.len() != algorithm.hex_length() {
            let why = format!(
                "{} has {} hexadecimal digits, here are {}",
                algorithm.as_str(),
                algorithm.hex_length(),
                hex.len()
            );
            return Err(Invalid::new("digest", text, why));
        }
        if !hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(Invalid::new("digest", text, "digits are 0-9 and a-f, lower case"));
        }
        Ok(Self { algorithm, hex: hex.to_owned() })
    }
}

impl TryFrom<String> for Digest {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// Digests bytes as they pass; also an [`std::io::Write`], so copies can go through it.
#[derive(Debug, Clone)]
pub struct Hasher(State);

#[derive(Debug, Clone)]
enum State {
    Sha256(sha2::Sha256),
    Sha512(sha2::Sha512),
}

impl Hasher {
    /// A hasher that has seen nothing yet.
    #[must_use]
    pub fn new(algorithm: DigestAlgorithm) -> Self {
        Self(match algorithm {
            DigestAlgorithm::Sha256 => State::Sha256(sha2::Sha256::new()),
            DigestAlgorithm::Sha512 => State::Sha512(sha2::Sha512::new()),
        })
    }
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha256(state) => state.update(bytes),
            State::Sha512(state) => state.update(bytes),
        }
    }
    /// The digest of everything taken.
    #[must_use]
    pub fn finish(self) -> Digest {
        match self.0 {
            State::Sha256(state) => {
                Digest { algorithm: DigestAlgorithm::Sha256, hex: hex(&state.finalize()) }
            }
            State::Sha512(state) => {
                Digest { algorithm: DigestAlgorithm::Sha512, hex: hex(&state.finalize()) }
            }
        }
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

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        // FIPS 180-4 example vectors for "abc".
        assert_eq!(
            Digest::sha256_of(b"abc").to_string(),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        let mut hasher = Hasher::new(DigestAlgorithm::Sha512);
        hasher.update(b"a");
        hasher.update(b"bc");
        assert!(hasher.finish().hex().starts_with("ddaf35a193617abacc417349ae204131"));
    }

    #[test]
    fn refuses_what_is_no_digest() {
        for (text, why) in [
            ("ba7816bf", "write sha256:"),
            ("md5:900150983cd24fb0d6963f7d28e17f72", "write sha256:"),
            ("sha256:ba7816bf", "here are 8"),
            (&format!("sha256:{}", "G".repeat(64)), "lower case"),
        ] {
            let error = text.parse::<Digest>().unwrap_err();
            assert!(error.why.contains(why), "{text}: {}", error.why);
        }
    }
}
