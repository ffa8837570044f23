//! A folder that is kept the same as a file set.
//!
//! In: a folder, a set, and the part of the folder the set speaks for. Out: [`Changes`], which can be shown or made. Files
//! that are the same are not touched; files a former run made and this one doesn't go; files of others are never overwritten.

use anyhow::Context as _;
use desired::{FileSet, Mode};
use host::parallel;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::exit::{Code, Failure};

/// Names, one a line, what former runs wrote.
const LIST: &str = ".rendered";

/// What makes a folder the same as a set.
#[derive(Debug)]
pub struct Changes {
    folder: PathBuf,
    /// Written by former runs, outside of what the set speaks for.
    others: BTreeSet<String>,
    listed: BTreeSet<String>,
    /// Files that are not there, or differ.
    pub written: Vec<String>,
    /// How many are as they shall be.
    pub unchanged: usize,
    /// Files a former run wrote and nothing makes any more.
    pub removed: Vec<String>,
}

/// Compares. The set speaks for the paths that begin with `part`.
///
/// # Errors
/// Code 7 if a file would be overwritten that no former run wrote.
pub fn compare(folder: &Path, part: &str, set: &FileSet) -> Result<Changes, Failure> {
    let listed = listed(folder)?;
    let (ours, others): (BTreeSet<_>, BTreeSet<_>) =
        listed.iter().cloned().partition(|path| path.starts_with(part));
    let wanted: Vec<_> = set.iter().collect();
    let is_new = !folder.exists();
    let same = parallel::each(&wanted, |(path, entry)| {
        match if is_new { None } else { present(&folder.join(path))? } {
            Some((mode, content)) if mode == entry.mode.bits() && content == entry.content => Ok(true),
            Some((_, content)) if content != entry.content && !ours.contains(*path) => {
                let sentence = format!(
                    "{} was not made by render, and would be overwritten: name another folder with --out",
                    folder.join(path).display()
                );
                Err(Failure::new(Code::Refused, sentence))
            }
            _ => Ok(false),
        }
    })?;
    let differs = wanted.iter().zip(&same).filter(|(_, same)| !**same);
    let written: Vec<String> = differs.map(|((path, _), _)| (*path).to_owned()).collect();
    let unchanged = wanted.len() - written.len();
    let removed = ours.into_iter().filter(|path| set.get(path).is_none()).collect();
    Ok(Changes { folder: folder.to_owned(), others, listed, written, unchanged, removed })
}

impl Changes {
    /// Makes them. What will be written is listed first, so that a run after an interrupted one knows its files.
    ///
    /// # Errors
    /// If a file can't be written or removed.
    pub fn make(&self, set: &FileSet) -> anyhow::Result<()> {
        let made = set.iter().map(|(path, _)| path.to_owned());
        let after: BTreeSet<String> = self.others.iter().cloned().chain(made).collect();
        if after != self.listed {
            self.list(&after.union(&self.listed).cloned().collect())?;
        }
        let entry = |path| Ok::<_, anyhow::Error>((path, set.get(path).context("find a file of the set")?));
        let written: Vec<_> =
            self.written.iter().map(|path| entry(path.as_str())).collect::<Result<_, _>>()?;
        host::tree::write_entries(&self.folder, &written)?;
        for path in &self.removed {
            self.remove(&self.folder.join(path))?;
        }
        if after != self.listed { self.list(&after) } else { Ok(()) }
    }

    /// Removes a file, and the folders above it that it leaves empty.
    fn remove(&self, path: &Path) -> anyhow::Result<()> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("remove {}", path.display()));
            }
            _ => {}
        }
        let above = path.ancestors().skip(1).take_while(|folder| *folder != self.folder);
        // The first folder that still holds something ends it.
        for folder in above {
            if std::fs::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(())
    }

    fn list(&self, paths: &BTreeSet<String>) -> anyhow::Result<()> {
        let text: String = paths.iter().map(|path| format!("{path}\n")).collect();
        let target = self.folder.join(LIST);
        host::tree::write_file(&target, Mode::PUBLIC, text.as_bytes())
            .with_context(|| format!("write {}", target.display()))
    }

    /// Every change as a unified diff.
    ///
    /// # Errors
    /// If a file can't be read.
    pub fn diff(&self, set: &FileSet) -> Result<String, Failure> {
        let mut text = String::new();
        for path in self.written.iter().chain(&self.removed) {
            let there = present(&self.folder.join(path))?;
            let before = there.as_ref().map(|(_, content)| String::from_utf8_lossy(content));
            let after = set.get(path).map(|entry| String::from_utf8_lossy(&entry.content));
            let name = |side: &str, there: bool| {
                if there { format!("{side}/{path}") } else { "/dev/null".to_owned() }
            };
            let (old, new) = (name("a", before.is_some()), name("b", after.is_some()));
            let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
            if before == after {
                text.push_str(&format!("{path}: the mode differs\n"));
                continue;
            }
            let compared = similar::TextDiff::from_lines(before.as_ref(), after.as_ref());
            text.push_str(&compared.unified_diff().header(&old, &new).to_string());
        }
        Ok(text)
    }
}

/// Mode and content of a file, if it is there.
fn present(path: &Path) -> Result<Option<(u32, Vec<u8>)>, Failure> {
    let read = std::fs::read(path)
        .and_then(|content| Ok((std::fs::metadata(path)?.permissions().mode() & 0o7777, content)));
    match read {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(anyhow::Error::new(error).context(format!("read {}", path.display())).into()),
    }
}

/// What former runs wrote. Lines that a set could not hold are left out: nothing outside the folder is ever removed.
fn listed(folder: &Path) -> Result<BTreeSet<String>, Failure> {
    let text = present(&folder.join(LIST))?.map(|(_, content)| content).unwrap_or_default();
    let mut set = FileSet::new();
    Ok(String::from_utf8_lossy(&text)
        .lines()
        .filter(|line| set.insert(line, Mode::PUBLIC, "").is_ok())
        .map(str::to_owned)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(files: &[(&str, &str)]) -> FileSet {
        let mut set = FileSet::new();
        for (path, content) in files {
            set.insert(path, Mode::PUBLIC, *content).unwrap();
        }
        set
    }

    fn render(folder: &Path, part: &str, files: &[(&str, &str)]) -> Changes {
        let set = set(files);
        let changes = compare(folder, part, &set).unwrap();
        changes.make(&set).unwrap();
        changes
    }

    #[test]
    fn only_what_differs_is_written_and_only_ours_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        assert_eq!(render(path, "", &[("a/x", "1\n"), ("b/y", "2\n")]).written, ["a/x", "b/y"]);
        std::fs::write(path.join("b/mine"), "kept").unwrap();
        let second = render(path, "", &[("a/x", "1\n"), ("b/y", "3\n")]);
        assert_eq!((second.written, second.unchanged), (vec!["b/y".to_owned()], 1));
        assert!(render(path, "a/", &[("a/z", "1\n")]).removed == ["a/x"] && path.join("b/y").exists());
        assert_eq!(render(path, "", &[("c", "")]).removed, ["a/z", "b/y"]);
        assert!(!path.join("a").exists() && path.join("b/mine").exists());
    }

    #[test]
    fn what_others_wrote_is_refused_and_nothing_outside_goes() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("README"), "mine").unwrap();
        assert_eq!(compare(folder.path(), "", &set(&[("README", "ours")])).unwrap_err().code, Code::Refused);
        std::fs::write(folder.path().join(LIST), "../outside\n/etc/passwd\n").unwrap();
        assert!(compare(folder.path(), "", &FileSet::new()).unwrap().removed.is_empty());
    }

    #[test]
    fn changes_are_shown_as_a_unified_diff() {
        let folder = tempfile::tempdir().unwrap();
        render(folder.path(), "", &[("a", "1\n"), ("b", "x\n")]);
        let after = set(&[("a", "2\n")]);
        let text = compare(folder.path(), "", &after).unwrap().diff(&after).unwrap();
        assert!(text.contains("--- a/a\n+++ b/a\n@@ -1 +1 @@\n-1\n+2\n"), "{text}");
        assert!(text.contains("--- a/b\n+++ /dev/null\n"), "{text}");
    }
}
