//! The kernel's command line without our words, the rest of it kept to the byte.

use std::io::Write as _;

use desired::Digest;
use desired::kernel_line::remove;

use super::super::{PerformError, place};
use super::{Undone, original};
use crate::journal::{PlaceBefore, Story};
use crate::root::{Ownership, Root};

/// Takes our words out. A file nobody else has changed since becomes what it was; in any other ours are found by name.
pub(super) fn undo(
    root: &Root,
    story: &Story,
    before: &PlaceBefore,
    words: &[String],
) -> Result<Undone, PerformError> {
    let path = &before.path;
    let failed = |act| PerformError::file(act, path);
    place::clear_leftovers(root, before)?;
    let seen = root.see(path.as_str()).map_err(failed("look at"))?;
    let Some(seen) = seen else { return Ok(Undone::Unchanged) };
    let ownership = Ownership::of(&seen.stat);
    if seen.target().is_some() {
        return Ok(Undone::Kept { why: "it has become a link; take our words out by hand".to_owned() });
    }
    let now = root.read(path.as_str()).map_err(failed("read"))?.unwrap_or_default();
    let old = original(root, before)?;
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
    let place = root.place(path).map_err(failed("reach"))?;
    place.write(ownership, |file| file.write_all(&rest)).map_err(failed("take our words out of"))?;
    Ok(Undone::Restored)
}
