//! Which processes there are and who started whom, as `/proc` tells.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;

use rustix::process::Pid;

/// All that live, by their parents.
fn by_parent() -> BTreeMap<i32, Vec<i32>> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        if let Some(parent) = living_parent(&stat) {
            children.entry(parent).or_default().push(pid);
        }
    }
    children
}

/// Every living process.
#[must_use]
pub(crate) fn all() -> Vec<Pid> {
    by_parent().into_values().flatten().filter_map(Pid::from_raw).collect()
}

/// All living processes below `top`, however deep; those that made themselves daemons belong to nobody.
#[must_use]
pub(crate) fn below(top: Pid) -> Vec<Pid> {
    let mut children = by_parent();
    let (mut found, mut next) = (Vec::new(), vec![top.as_raw_nonzero().get()]);
    while let Some(parent) = next.pop() {
        for child in children.remove(&parent).unwrap_or_default() {
            next.push(child);
            found.extend(Pid::from_raw(child));
        }
    }
    found
}

/// Every other process that has this file open, as far as the caller may see, with its name.
#[must_use]
pub(crate) fn holding(file: &File) -> Vec<(u32, String)> {
    let Ok(wanted) = file.metadata() else { return Vec::new() };
    let own = std::process::id();
    let mut found = Vec::new();
    for pid in
        all().into_iter().map(|pid| pid.as_raw_nonzero().get().unsigned_abs()).filter(|pid| *pid != own)
    {
        let files = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let is_it = |held: std::fs::DirEntry| {
            let seen = std::fs::metadata(held.path());
            seen.is_ok_and(|seen| (seen.dev(), seen.ino()) == (wanted.dev(), wanted.ino()))
        };
        if files.into_iter().any(is_it) {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            found.push((pid, name.trim().to_owned()));
        }
    }
    found
}

/// The parent in a line of /proc/PID/stat, unless the process has ended and only waits to be noticed. The name before
/// it is in parentheses and may hold any character.
fn living_parent(stat: &str) -> Option<i32> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_are_read_whatever_the_name() {
        assert_eq!(living_parent("12 (a) b) S 7 12 12 0"), Some(7));
        assert_eq!(living_parent("12 (sh) Z 7 12 12 0"), None, "already ended");
        assert_eq!(living_parent(""), None);
        assert_eq!(living_parent("12 (sh"), None);
    }
}
