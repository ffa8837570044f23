//! Kernel settings: a file of ours for every boot, and the value now.

use desired::AbsPath;
use desired::resource::ResourceId;

use super::{PerformError, Performer};
use crate::journal::{After, Before, More};
use crate::observe::sysctl;

impl Performer<'_> {
    pub(super) fn sysctl(&mut self, id: &ResourceId, key: &str, value: &str) -> Result<(), PerformError> {
        let place = sysctl::place(key);
        // Files count by name and the last one wins; Debian's own last one is 99-sysctl.conf.
        let path: AbsPath = format!("/etc/sysctl.d/99-zz-rootstock-{}.conf", place.replace('/', "."))
            .parse()
            .map_err(|error: desired::Invalid| PerformError::Other(error.to_string()))?;
        let is_live = self.root.is_live();
        let more = if is_live { now(self.root, &place) } else { None };
        let give = |_: &mut Self| if is_live { set(&place, value) } else { Ok(()) };
        if sysctl::at_boot(self.root).get(&place).map(String::as_str) == Some(value) {
            let before = Before { place: None, more };
            return self.change(id, before, None, |this| give(this).map(|()| After::default()));
        }
        let content = format!("{place} = {value}\n");
        self.text_and(id, (&path, content.as_bytes()), more, give)
    }
}

/// The value a setting has, for the journal.
fn now(root: &crate::root::Root, place: &str) -> Option<More> {
    let value = root.read_text(&format!("/proc/sys/{place}")).ok()??;
    Some(More::Sysctl { place: place.to_owned(), value: sysctl::spaced(&value) })
}

/// Gives the running kernel this value. The kernel's files are written in place: they are no files.
pub(super) fn set(place: &str, value: &str) -> Result<(), PerformError> {
    let path = format!("/proc/sys/{place}");
    std::fs::write(&path, format!("{value}\n")).map_err(PerformError::file("set", path))
}
