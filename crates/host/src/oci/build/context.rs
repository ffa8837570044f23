//! Files of a build context: found by pattern, never outside of it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use desired::Mode;

use super::BuildError;
use crate::archive::tar::Entry;
use crate::archive::tar::Source;

/// A file or folder that a source names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Its last part as the Dockerfile sees it, also when that is a link to something else.
    pub(super) name: String,
    /// Where it is, links resolved.
    pub(super) path: PathBuf,
    pub(super) folder: bool,
}

/// Why a source gives nothing.
pub(super) enum Miss {
    /// The Dockerfile's fault.
    Wrong(String),
    /// The file system's.
    Failed(BuildError),
}

impl From<BuildError> for Miss {
    fn from(error: BuildError) -> Self {
        Self::Failed(error)
    }
}

/// Everything `pattern` (with `*` and `?` inside a part) names in the context `root`, sorted.
pub(super) fn find(root: &Path, pattern: &str) -> Result<Vec<Found>, Miss> {
    if pattern.split('/').any(|part| part == "..") {
        return Err(Miss::Wrong(format!(
            "{pattern} climbs out of the context with `..`; copy from inside of it"
        )));
    }
    let root = fs::canonicalize(root).map_err(BuildError::read(root))?;
    let mut matches = vec![root.clone()];
    for part in pattern.split('/').filter(|part| !matches!(*part, "" | ".")) {
        let mut next = Vec::new();
        for folder in matches {
            if part.contains(['*', '?']) {
                next.extend(
                    names(&folder)?.into_iter().filter(|name| glob(part, name)).map(|name| folder.join(name)),
                );
            } else {
                next.push(folder.join(part));
            }
        }
        matches = next;
    }
    let mut found = Vec::new();
    for path in matches {
        let Ok(resolved) = fs::canonicalize(&path) else { continue };
        if !resolved.starts_with(&root) {
            return Err(Miss::Wrong(format!(
                "{pattern} is a symbolic link out of the context; copy the file itself into it"
            )));
        }
        let folder = resolved.is_dir();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        found.push(Found { name, path: resolved, folder });
    }
    if found.is_empty() {
        return Err(Miss::Wrong(format!("{pattern} is not in the context {}", root.display())));
    }
    Ok(found)
}

/// `path`, and everything below it when it is a folder, as entries at `target` (empty for the root itself, which
/// gives no entry of its own).
pub(super) fn entries(path: &Path, target: &str, entries: &mut Vec<Entry>) -> Result<(), Miss> {
    let metadata = fs::symlink_metadata(path).map_err(BuildError::read(path))?;
    let bits = metadata.permissions().mode();
    let mode = Mode::from_bits(bits & 0o777).map_err(|fault| Miss::Wrong(fault.to_string()))?;
    let kind = metadata.file_type();
    if kind.is_symlink() {
        let link = fs::read_link(path).map_err(BuildError::read(path))?;
        let Some(link) = link.to_str() else {
            return Err(Miss::Wrong(format!("the target of the link {} is not UTF-8", path.display())));
        };
        entries.push(Entry { source: Source::Link(link.to_owned()), ..Entry::bytes(target, mode, "") });
    } else if kind.is_dir() {
        if !target.is_empty() {
            entries.push(Entry::folder(target, mode));
        }
        for name in names(path)? {
            let below = if target.is_empty() { name.clone() } else { format!("{target}/{name}") };
            self::entries(&path.join(&name), &below, entries)?;
        }
    } else if !kind.is_file() {
        return Err(Miss::Wrong(format!("{} is no file, folder or link", path.display())));
    } else if bits & 0o7000 != 0 {
        return Err(Miss::Wrong(format!(
            "{} has setuid, setgid or sticky bits; take them away",
            path.display()
        )));
    } else {
        entries.push(Entry::file(target, mode, path, metadata.len()));
    }
    Ok(())
}

/// The names in a folder, sorted; none when it is no folder.
fn names(folder: &Path) -> Result<Vec<String>, Miss> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(BuildError::read(folder))? {
        let name = entry.map_err(BuildError::read(folder))?.file_name();
        match name.into_string() {
            Ok(name) => names.push(name),
            Err(name) => {
                return Err(Miss::Wrong(format!("{} in {} is not UTF-8", name.display(), folder.display())));
            }
        }
    }
    names.sort();
    Ok(names)
}

/// Whether `name` matches `pattern`, where `*` is any run of characters and `?` is one.
fn glob(pattern: &str, name: &str) -> bool {
    let mut pattern_rest = pattern.chars();
    let mut name_rest = name.chars();
    match (pattern_rest.next(), name_rest.next()) {
        (None, None) => true,
        (Some('*'), next) => {
            glob(pattern_rest.as_str(), name) || (next.is_some() && glob(pattern, name_rest.as_str()))
        }
        (Some('?'), Some(_)) => glob(pattern_rest.as_str(), name_rest.as_str()),
        (Some(wanted), Some(found)) => wanted == found && glob(pattern_rest.as_str(), name_rest.as_str()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn patterns_match_inside_a_name() {
        for (pattern, name, expected) in [
            ("*", "a", true),
            ("*.conf", "x.conf", true),
            ("*.conf", "x.confx", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a*b*c", "axxbyyc", true),
            ("ä*", "äx", true),
        ] {
            assert_eq!(glob(pattern, name), expected, "{pattern} {name}");
        }
    }
}
