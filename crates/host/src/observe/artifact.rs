//! The node's note of what it took out of which download.

use desired::artifact::{Pinned, TakenOut};
use desired::observed::Answer;
use desired::{ArtifactName, Invalid};

use crate::root::Root;

/// The note of `artifact`; where its own digest is pinned nobody needs one, so none is looked for.
pub(crate) fn note(root: &Root, artifact: &ArtifactName, pinned: &Pinned) -> Answer<Option<TakenOut>> {
    if pinned.file_digest().is_some() {
        return Answer::Known(None);
    }
    let place = match TakenOut::place(artifact) {
        Ok(place) => place,
        Err(Invalid { why, .. }) => return Answer::unknown(format!("there is no place for its note: {why}")),
    };
    match root.read(place.as_str()) {
        Ok(bytes) => Answer::Known(bytes.and_then(|bytes| TakenOut::parse(&String::from_utf8_lossy(&bytes)))),
        Err(error) => Answer::unknown(format!("the note {place} can't be read: {error}")),
    }
}
