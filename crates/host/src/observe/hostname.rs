//! The static host name, hostname(5): one line, comments allowed.

use crate::root::Root;

/// The name in `/etc/hostname`; none when there is no such file or nothing in it.
#[must_use]
pub fn hostname(root: &Root) -> Option<String> {
    let text = root.read_text("/etc/hostname").ok()??;
    let name = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    Some(name.to_owned())
}
