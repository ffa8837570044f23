//! Values that must not be seen.
//!
//! In: a secret reference. Out: its value, but only through [`Secret::expose`], whose few callers are easy to review.
//! A secret has no `Display`, prints as `[secret]` and can't become an argument of a process, because it converts to
//! no string type. Errors name the reference, never what was found there.

use desired::SecretReference;

use crate::root::Root;

/// A secret's value for the short time it is needed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the value as it was read.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }
    /// The value itself; for an environment variable, standard input or a request header, never for a log.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
    /// The value of a text file or of piped input: all of it less one newline at its end.
    ///
    /// # Errors
    /// If it is not UTF-8, as a clause.
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Result<Self, String> {
        let text = String::from_utf8(bytes).map_err(|_| "which is not UTF-8".to_owned())?;
        Ok(Self::new(text.strip_suffix('\n').unwrap_or(&text)))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("[secret]")
    }
}

/// The value of `reference` at the desk, where only what lies on this machine can be read.
///
/// # Errors
/// Why it can't be read, as a clause.
#[cfg(feature = "net")]
pub fn at_the_desk(reference: &SecretReference) -> Result<Secret, String> {
    let root =
        Root::open(std::path::Path::new("/")).map_err(|error| format!("since / can't be opened: {error}"))?;
    read(&root, reference)
}

/// The value of `reference` as far as it can be read on the node without asking anybody; else why not, as a clause.
pub(crate) fn read(root: &Root, reference: &SecretReference) -> Result<Secret, String> {
    match reference {
        SecretReference::Environment(name) => {
            std::env::var(name).map(Secret::new).map_err(|_| "which is not set here".to_owned())
        }
        SecretReference::File(path) => match root.read(path.as_str()) {
            Ok(Some(bytes)) => Secret::from_bytes(bytes),
            Ok(None) => Err("which is not there".to_owned()),
            Err(error) => Err(format!("which can't be read: {error}")),
        },
        SecretReference::Infisical { .. } | SecretReference::Stdin => Err("which is read at join".to_owned()),
    }
}
