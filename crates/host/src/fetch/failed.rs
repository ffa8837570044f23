//! The end of an attempt that gave nothing.

use super::SourceFailure;
use crate::cache::CacheError;

/// Why a source gave nothing: itself, or our own disk.
#[derive(Debug)]
pub(super) enum Failed {
    Source(SourceFailure),
    Cache(CacheError),
}

impl From<SourceFailure> for Failed {
    fn from(failure: SourceFailure) -> Self {
        Self::Source(failure)
    }
}

impl From<CacheError> for Failed {
    fn from(error: CacheError) -> Self {
        Self::Cache(error)
    }
}
