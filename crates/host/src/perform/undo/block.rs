//! A file without our block, the rest of it kept to the byte.

use std::io::Write as _;

use desired::block::Markers;

use super::super::PerformError;
use super::Undone;
use super::shared::{self, Shared};
use crate::journal::{PlaceBefore, State};
use crate::root::Root;

/// Takes our lines out, whoever edited them or the rest since; a file that was not there and holds nothing else goes.
pub(super) fn undo(
    root: &Root,
    before: &PlaceBefore,
    (comment, name): (&str, &str),
) -> Result<Undone, PerformError> {
    let failed = |act| PerformError::file(act, &before.path);
    let Shared { ownership, now, old: original } = match shared::read(root, before, "our block")? {
        Ok(shared) => shared,
        Err(undone) => return Ok(undone),
    };
    let markers = Markers::new(comment, name);
    let kept = |why: String| Ok(Undone::Kept { why });
    // Our block may have been there before the journal began; then its lines come back.
    let old = original.as_deref().map_or(Ok(None), |original| markers.find(original)).unwrap_or(None);
    let rest = match old {
        Some(lines) => match std::str::from_utf8(lines) {
            Ok(lines) => markers.splice(&now, lines),
            Err(_) => return kept("what was in it is not UTF-8".to_owned()),
        },
        None => markers.remove(&now),
    };
    let mut rest = match rest {
        Ok(rest) => rest,
        Err(fault) => return kept(fault.to_string()),
    };
    if let Some(original) = &original
        // A marker needs a line of its own, so the last line was given its end.
        && !original.ends_with(b"\n") && rest.strip_suffix(b"\n") == Some(original)
    {
        rest.pop();
    }
    let place = root.place(&before.path).map_err(failed("reach"))?;
    if before.state == State::Absent && rest.is_empty() {
        place.remove().map_err(failed("remove"))?;
        return Ok(Undone::Restored);
    }
    if rest == now {
        return Ok(Undone::Unchanged);
    }
    place.write(ownership, |file| file.write_all(&rest)).map_err(failed("take our block out of"))?;
    Ok(Undone::Restored)
}
