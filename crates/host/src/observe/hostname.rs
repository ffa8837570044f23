//! The host name: the static one, hostname(5), one line, comments allowed; and the kernel's.

use desired::observed::{Answer, Observed};

use crate::root::Root;

/// The name in `/etc/hostname`; none when there is no such file or nothing in it.
#[must_use]
pub fn hostname(root: &Root) -> Option<String> {
    let text = root.read_text("/etc/hostname").ok()??;
    let name = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    Some(name.to_owned())
}

pub(super) fn observe(root: &Root) -> Observed {
    let now = if root.is_live() {
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Answer::Known(name)
    } else {
        Answer::later("the kernel takes it when the node starts")
    };
    Observed::Hostname { name: hostname(root), now }
}
