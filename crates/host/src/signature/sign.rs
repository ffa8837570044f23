//! Signing, at the desk.

use std::path::{Path, PathBuf};

use desired::Mode;
use minisign::{SecretKey, SecretKeyBox};

use crate::secret::Secret;

/// A secret key that signs.
#[derive(Clone)]
pub struct Signer {
    key: SecretKey,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "[key {}]", self.key_id())
    }
}

/// Why nothing can be signed.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// The key's file can't be read.
    #[error("can't read the signing key {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// It is none, or the password is wrong.
    #[error("{} is not usable as a signing key: {why}; `minisign -G` makes one", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The key signs nothing.
    #[error("can't sign: {0}")]
    Failed(String),
}

impl Signer {
    /// Reads a secret key as minisign(1) writes it; one without a password where none is given.
    ///
    /// # Errors
    /// [`SigningError`].
    pub fn read(path: &Path, password: Option<&Secret>) -> Result<Self, SigningError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| SigningError::Unreadable { path: path.to_owned(), source })?;
        let unusable = |error: minisign::PError| SigningError::Unusable {
            path: path.to_owned(),
            why: error.to_string(),
        };
        let sealed = SecretKeyBox::from_string(&text).map_err(unusable)?;
        let key = match password {
            // Never asked for on the terminal: an empty password would be.
            Some(password) => sealed.into_secret_key(Some(password.expose().to_owned())),
            None => sealed.into_unencrypted_secret_key(),
        };
        Ok(Self { key: key.map_err(unusable)? })
    }
    /// Makes a pair of keys without a password, as `minisign -G -W` does, for who has no minisign.
    ///
    /// # Errors
    /// [`SigningError`].
    pub fn generate(secret: &Path, public: &Path) -> Result<(), SigningError> {
        let failed = |error: minisign::PError| SigningError::Failed(error.to_string());
        let pair = minisign::KeyPair::generate_unencrypted_keypair().map_err(failed)?;
        let texts = [
            (secret, Mode::PRIVATE, pair.sk.to_box(None).map_err(failed)?.into_string()),
            (public, Mode::PUBLIC, pair.pk.to_box().map_err(failed)?.into_string()),
        ];
        for (path, mode, text) in texts {
            crate::tree::write_file(path, mode, text.as_bytes()).map_err(|error| {
                SigningError::Failed(format!("{} can't be written: {error}", path.display()))
            })?;
        }
        Ok(())
    }
    /// The key's name, as minisign(1) shows it.
    #[must_use]
    pub fn key_id(&self) -> String {
        self.key.keynum().iter().rev().map(|byte| format!("{byte:02X}")).collect()
    }
    /// The signature of `text`, with a comment that is signed too.
    ///
    /// # Errors
    /// [`SigningError::Failed`].
    pub fn sign(&self, text: &[u8], comment: &str) -> Result<String, SigningError> {
        let failed = |error: minisign::PError| SigningError::Failed(error.to_string());
        let untrusted = format!("signature of rootstock with the key {}", self.key_id());
        let signed =
            minisign::sign(None, &self.key, text, Some(comment), Some(&untrusted)).map_err(failed)?;
        Ok(signed.into_string())
    }
}
