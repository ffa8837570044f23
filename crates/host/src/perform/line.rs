//! Our words on the kernel's command line.

use std::io::Write as _;

use desired::AbsPath;
use desired::kernel_line::{merge, missing};
use desired::resource::ResourceId;

use super::content::after;
use super::{PerformError, Performer, place};
use crate::journal::{Before, More, State};

impl Performer<'_> {
    pub(super) fn line(
        &mut self,
        id: &ResourceId,
        path: &AbsPath,
        words: &[String],
    ) -> Result<(), PerformError> {
        let broken = |why: String| PerformError::InTheWay { path: path.clone(), why };
        let before = self.place_before(id, path)?;
        // A machine without a command line of its own does not start, so none is ever made.
        let State::File { ownership, .. } = before.state else {
            return Err(broken("it is not there, or no regular file".to_owned()));
        };
        let old = self.root.read(path.as_str()).map_err(PerformError::file("read", path))?;
        let old = old.unwrap_or_default();
        let lacked = missing(&old, words).map_err(|fault| broken(fault.to_string()))?;
        let new = merge(&old, words).map_err(|fault| broken(fault.to_string()))?;
        let more = More::Line { words: lacked };
        let journaled = Before { place: Some(before.clone()), more: Some(more) };
        let intended = after(ownership, &new);
        self.change(id, journaled, Some(intended.clone()), |this| {
            place::write(this.root, &before, ownership, |file| Ok(file.write_all(&new)?))?;
            Ok(intended)
        })
    }
}
