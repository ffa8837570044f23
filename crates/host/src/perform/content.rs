//! Files of ours with a content that is known beforehand.

use std::io::Write as _;

use desired::resource::ResourceId;
use desired::{AbsPath, Digest};

use super::{PerformError, Performer, place};
use crate::journal::{After, Before, More, PlaceBefore, State};
use crate::root::Ownership;

impl Performer<'_> {
    /// Makes the file `path` hold `content`.
    pub(super) fn text(
        &mut self,
        id: &ResourceId,
        path: &AbsPath,
        ownership: Ownership,
        content: &[u8],
    ) -> Result<(), PerformError> {
        let before = self.place_before(id, path)?;
        let intended = after(ownership, content);
        let journaled = Before { place: Some(before.clone()), more: None };
        self.change(id, journaled, Some(intended.clone()), |this| {
            this.put(&before, ownership, content)?;
            Ok(intended)
        })
    }
    /// As [`Self::text`], together with something that no file tells.
    pub(super) fn text_and(
        &mut self,
        id: &ResourceId,
        (path, content): (&AbsPath, &[u8]),
        more: Option<More>,
        act: impl FnOnce(&mut Self) -> Result<(), PerformError>,
    ) -> Result<(), PerformError> {
        let ownership = Ownership::private(0o644);
        let before = self.place_before(id, path)?;
        let intended = after(ownership, content);
        let journaled = Before { place: Some(before.clone()), more };
        self.change(id, journaled, Some(intended.clone()), |this| {
            this.put(&before, ownership, content)?;
            act(this)?;
            Ok(intended)
        })
    }

    /// What is at `path` now; saved unless it is of our making.
    pub(super) fn place_before(&self, id: &ResourceId, path: &AbsPath) -> Result<PlaceBefore, PerformError> {
        let story = self.journal.history().of(id);
        place::before(self.root, &self.journal, path, |seen| place::is_ours(story, seen))
    }

    fn put(&self, before: &PlaceBefore, ownership: Ownership, content: &[u8]) -> Result<(), PerformError> {
        if let State::File { digest: Some(digest), .. } = &before.state
            && *digest == Digest::sha256_of(content)
        {
            let set = self.root.place(&before.path).and_then(|place| place.set(ownership));
            return set.map_err(PerformError::file("set owner and mode of", &before.path));
        }
        place::write(self.root, before, ownership, |file| Ok(file.write_all(content)?))
    }
}

/// The state after a file of ours was put there.
pub(super) fn after(ownership: Ownership, content: &[u8]) -> After {
    let (size, digest) = (content.len() as u64, Some(Digest::sha256_of(content)));
    After { state: Some(State::File { ownership, size, digest, saved: None }), ..After::default() }
}
