//! Our block in a file that others write too.

use std::io::Write as _;

use desired::AbsPath;
use desired::block::Markers;
use desired::resource::ResourceId;

use super::content::after;
use super::{PerformError, Performer, place};
use crate::journal::{After, Before, More, State};
use crate::observe;
use crate::root::Ownership;

impl Performer<'_> {
    pub(super) fn block(
        &mut self,
        id: &ResourceId,
        path: &AbsPath,
        (comment, name): (&str, &str),
        content: &str,
    ) -> Result<(), PerformError> {
        let broken = |why: String| PerformError::InTheWay { path: path.clone(), why };
        let old = self.root.read(path.as_str()).map_err(PerformError::file("read", path))?;
        let markers = Markers::new(comment, name);
        let file = old.unwrap_or_default();
        let new = if content.is_empty() { markers.remove(&file) } else { markers.splice(&file, content) };
        let new = new.map_err(|fault| broken(fault.to_string()))?;
        let before = self.place_before(id, path)?;
        let ownership = match before.state {
            State::File { ownership, .. } => ownership,
            State::Absent => Ownership::private(0o644),
            State::Folder(_) | State::Link { .. } => {
                return Err(broken("it is no regular file, so nobody knows whose it is".to_owned()));
            }
        };
        let more = More::Block { comment: comment.to_owned(), name: name.to_owned() };
        let journaled = Before { place: Some(before.clone()), more: Some(more) };
        let start = observe::this_start(self.root).filter(|_| observe::is_read_at_start(path));
        let intended = After { start, ..after(ownership, &new) };
        self.change(id, journaled, Some(intended.clone()), |this| {
            place::write(this.root, &before, ownership, |file| Ok(file.write_all(&new)?))?;
            Ok(intended)
        })
    }
}
