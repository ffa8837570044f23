//! Proof that bytes were checked.
//!
//! In: a value whose every byte was compared with its digest. Out: [`Verified`], which nothing outside this crate
//! can make, so a function that takes one needs no second check and can't be handed anything else.

/// A value whose bytes matched their digests when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// For the functions of this crate that did the check, and nobody else.
    pub(crate) const fn new(value: T) -> Self {
        Self(value)
    }
    /// The value, without the proof.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> std::ops::Deref for Verified<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}
