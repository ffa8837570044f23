//! The host name: the file that the next start reads, and the kernel's.

use desired::NodeName;
use desired::resource::ResourceId;

use super::{PerformError, Performer};
use crate::journal::More;
use crate::observe;

const FILE: &str = "/etc/hostname";

impl Performer<'_> {
    pub(super) fn hostname(&mut self, id: &ResourceId, name: &NodeName) -> Result<(), PerformError> {
        let path = FILE.parse().map_err(|error: desired::Invalid| PerformError::Other(error.to_string()))?;
        let is_live = self.root.is_live();
        let more = is_live.then(|| {
            let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
            More::Hostname { name }
        });
        // A file that names it already, with comments say, is not rewritten.
        let named = observe::hostname(self.root).as_deref() == Some(name.as_str());
        let old = if named { self.root.read(FILE).ok().flatten() } else { None };
        let content = old.unwrap_or_else(|| format!("{name}\n").into_bytes());
        self.text_and(id, (&path, &content), more, |_| if is_live { set(name.as_str()) } else { Ok(()) })
    }
}

/// Gives the running kernel this name.
pub(super) fn set(name: &str) -> Result<(), PerformError> {
    rustix::system::sethostname(name.as_bytes())
        .map_err(|error| PerformError::file("give the kernel the host name", name)(error.into()))
}
