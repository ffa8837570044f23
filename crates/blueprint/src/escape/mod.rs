//! Escaping: one function a target language, used at the hole where a value enters a text.
//!
//! In: any value. Out: the same value as that language writes it, or [`Inexpressible`]: never a changed value.
//! Structured formats (YAML, JSON, TOML) go through their serializers instead.

pub mod compose;
pub mod exports;
pub mod fstab;
pub mod go_template;
pub mod sh;
pub mod systemd;
pub mod toml;
pub mod yaml;

/// A value that a language has no way to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} cannot be written in {language}: {why}")]
pub struct Inexpressible {
    /// The language, in the words of its documentation.
    pub language: &'static str,
    /// What was to be written; never a secret, those stay references.
    pub value: String,
    /// What stands against it, as a clause.
    pub why: &'static str,
}

impl Inexpressible {
    pub(crate) fn new(language: &'static str, value: &str, why: &'static str) -> Self {
        Self { language, value: value.to_owned(), why }
    }
}
