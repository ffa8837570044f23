//! The kernel's command line without our words, the rest of it kept to the byte.

use std::io::Write as _;

use desired::Digest;
use desired::kernel_line::remove;

use super::super::PerformError;
use super::Undone;
use super::shared::{self, Shared};
use crate::journal::{PlaceBefore, Story};
use crate::root::Root;

/// Takes our words out. A file nobody else has changed since becomes what it was; in any other ours are found by name.
pub(super) fn undo(
    root: &Root,
    story: &Story,
    before: &PlaceBefore,
    words: &[String],
) -> Result<Undone, PerformError> {
    let failed = |act| PerformError::file(act, &before.path);
    let Shared { ownership, now, old } = match shared::read(root, before, "our words")? {
        Ok(shared) => shared,
        Err(undone) => return Ok(undone),
    };
    let rest = match old {
        Some(old) if story.made(&Digest::sha256_of(&now)) => old,
        // Cut off before anything was written.
        Some(old) if old == now => return Ok(Undone::Unchanged),
        _ => match remove(&now, words) {
            Ok(rest) => rest,
            Err(fault) => return Ok(Undone::Kept { why: fault.to_string() }),
        },
    };
    if rest == now {
        return Ok(Undone::Unchanged);
    }
    let place = root.place(&before.path).map_err(failed("reach"))?;
    place.write(ownership, |file| file.write_all(&rest)).map_err(failed("take our words out of"))?;
    Ok(Undone::Restored)
}
