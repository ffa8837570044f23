//! A file that others write too, before our part of it is taken out.

use super::super::{PerformError, place};
use super::{Undone, original};
use crate::journal::PlaceBefore;
use crate::root::{Ownership, Root};

/// The file as it is, and as it was.
pub(super) struct Shared {
    /// Whose it is and its mode, kept.
    pub ownership: Ownership,
    /// What is in it.
    pub now: Vec<u8>,
    /// What was in it before the journal began, where there was a file.
    pub old: Option<Vec<u8>>,
}

/// Reads the file, what a killed run left aside cleared away; or says why nothing is taken out. `part` is what we call
/// ours in it.
pub(super) fn read(
    root: &Root,
    before: &PlaceBefore,
    part: &str,
) -> Result<Result<Shared, Undone>, PerformError> {
    let path = &before.path;
    let failed = |act| PerformError::file(act, path);
    place::clear_leftovers(root, before)?;
    let seen = root.see(path.as_str()).map_err(failed("look at"))?;
    let Some(seen) = seen else { return Ok(Err(Undone::Unchanged)) };
    if seen.target().is_some() {
        return Ok(Err(Undone::Kept { why: format!("it has become a link; take {part} out by hand") }));
    }
    let now = root.read(path.as_str()).map_err(failed("read"))?.unwrap_or_default();
    Ok(Ok(Shared { ownership: Ownership::of(&seen.stat), now, old: original(root, before)? }))
}
