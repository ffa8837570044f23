//! Values that must not be seen.
//!
//! In: the text a secret reference was resolved to. Out: the same text, but only through [`Secret::expose`], whose
//! few callers are easy to review. A secret has no `Display`, prints as `[secret]` and can't become an argument
//! of a process, because it converts to no string type.

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
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("[secret]")
    }
}
