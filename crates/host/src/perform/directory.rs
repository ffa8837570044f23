//! Folders.

use desired::resource::{Owner, ResourceId};
use desired::{AbsPath, Mode};

use super::{PerformError, Performer, place};
use crate::journal::{After, Before, State};

impl Performer<'_> {
    pub(super) fn directory(
        &mut self,
        id: &ResourceId,
        path: &AbsPath,
        mode: Mode,
        owner: &Owner,
    ) -> Result<(), PerformError> {
        let ownership = self.accounts.ownership(mode, owner)?;
        let before = place::before(self.root, &self.journal, path, |_| false)?;
        let intended = After { state: Some(State::Folder(ownership)), ..After::default() };
        let journaled = Before { place: Some(before.clone()), more: None };
        self.change(id, journaled, Some(intended.clone()), |this| {
            place::make_folders(this.root, &before.folders)?;
            let place = this.root.place(path).map_err(PerformError::file("reach", path))?;
            match before.state {
                State::Folder(_) => place.set(ownership),
                State::Absent => place.make_folder(ownership),
                // The copy is saved; a link's target is in the journal.
                State::File { .. } | State::Link { .. } => {
                    place.remove().and_then(|()| place.make_folder(ownership))
                }
            }
            .map_err(PerformError::file("make the folder", path))?;
            Ok(intended)
        })
    }
}
