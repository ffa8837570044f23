//! minisign signatures: made at the desk, required on a node that has a key.
//!
//! In: a text, its signature and a public key as minisign(1) writes them. Out: whether the key's owner signed that text, or
//! why not. At the desk (feature `net`) a [`Signer`] makes signatures of a secret key, whose password is a reference.

#[cfg(feature = "net")]
mod sign;

#[cfg(feature = "net")]
pub use sign::{Signer, SigningError};

/// No key or signature is longer.
pub const LONGEST: u64 = 4096;

/// The key whose owner is believed.
#[derive(Debug, Clone)]
pub struct PublicKey(minisign_verify::PublicKey);

impl PublicKey {
    /// Reads a key file: a comment line and the key, or the key alone.
    ///
    /// # Errors
    /// Why it is none, as a clause.
    pub fn parse(text: &str) -> Result<Self, String> {
        let line = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
        let key = minisign_verify::PublicKey::from_base64(line);
        key.map(Self).map_err(|error| format!("it is no minisign public key ({error})"))
    }
    /// Whether `signature` is this key's of `text`.
    ///
    /// # Errors
    /// Why it is not, as a clause.
    pub fn verify(&self, text: &[u8], signature: &str) -> Result<(), String> {
        let signature = minisign_verify::Signature::decode(signature);
        let signature = signature.map_err(|error| format!("its signature can't be read ({error})"))?;
        self.0.verify(text, &signature, false).map_err(|error| match error {
            minisign_verify::Error::UnexpectedKeyId => "it is signed with another key".to_owned(),
            _ => "its signature is not of this content".to_owned(),
        })
    }
}

#[cfg(test)]
#[cfg(feature = "net")]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_text_and_key_alone() {
        let folder = tempfile::tempdir().unwrap();
        let pair = |name: &str| {
            let pair = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
            let path = folder.path().join(name);
            std::fs::write(&path, pair.sk.to_box(None).unwrap().into_string()).unwrap();
            (
                Signer::read(&path, None).unwrap(),
                PublicKey::parse(&pair.pk.to_box().unwrap().into_string()).unwrap(),
            )
        };
        let ((signer, key), (stranger, _)) = (pair("own"), pair("other"));
        let signature = signer.sign(b"manifest", "cluster vnext").unwrap();
        key.verify(b"manifest", &signature).unwrap();
        assert!(key.verify(b"manifesT", &signature).unwrap_err().contains("not of this content"));
        let other = stranger.sign(b"manifest", "cluster vnext").unwrap();
        assert!(key.verify(b"manifest", &other).unwrap_err().contains("another key"));
        // The comment in it is signed too.
        let edited = signature.replace("vnext", "vnexT");
        assert!(key.verify(b"manifest", &edited).unwrap_err().contains("not of this content"));
        for cut in 0..signature.trim_end().len() - 1 {
            assert!(key.verify(b"manifest", &signature[..cut]).is_err(), "cut at {cut}");
        }
        assert!(PublicKey::parse("RWQ").is_err() && PublicKey::parse("").is_err());
    }
}
