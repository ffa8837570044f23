//! Types whose values are proof: a [`NodeName`] is a legal host name, an [`AbsPath`] is absolute and clean.
//!
//! In: text. Out: a value or [`Invalid`], which says what is wrong and what would be right.
//! All serialize as the text they came from and parse again on the way in.

mod arch;
mod digest;
mod hardware;
mod name;
mod path;
mod secret;
mod size;

pub use arch::Arch;
pub use digest::{Digest, DigestAlgorithm, Hasher};
pub use hardware::{MacAddress, SerialNumber};
pub use name::{ArtifactName, ClusterName, NodeName, UnitName};
pub use path::AbsPath;
pub use secret::SecretReference;
pub use size::{ByteSize, Mode};

/// A text that is not a value of the type it was read as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not a valid {what}: {why}")]
pub struct Invalid {
    /// The type, in the words of the documentation ("node name").
    pub what: &'static str,
    /// What was written.
    pub value: String,
    /// What is wrong with it, as a clause that can stand after a colon.
    pub why: String,
}

impl Invalid {
    pub(crate) fn new(what: &'static str, value: &str, why: impl Into<String>) -> Self {
        Self { what, value: value.to_owned(), why: why.into() }
    }
}

/// Gives a newtype over `String` its conversions: `FromStr`, `Display`, `AsRef<str>`, serde as text.
macro_rules! text_type {
    ($name:ident) => {
        impl $name {
            /// The text, exactly as it was read.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.pad(&self.0)
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        impl TryFrom<String> for $name {
            type Error = $crate::types::Invalid;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }
    };
}
pub(crate) use text_type;
