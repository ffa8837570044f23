//! File sets: files for a tree, a bundle or a layer, before anything is written.
//!
//! In: entries in any order. Out: a set sorted by path, relative, without climbing, each path once; the same
//! set can be poured into a folder, an archive or compared with what is there.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::types::{Invalid, Mode};

/// One file of a [`FileSet`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Permission bits it shall have.
    pub mode: Mode,
    /// The bytes.
    pub content: Vec<u8>,
}

/// Files by relative path, sorted, each once. Folders are implied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileSet(BTreeMap<String, FileEntry>);

impl FileSet {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file.
    ///
    /// # Errors
    /// If `path` is absolute, climbs, holds empty parts or control characters, or is in the set already.
    pub fn insert(&mut self, path: &str, mode: Mode, content: impl Into<Vec<u8>>) -> Result<(), Invalid> {
        let fault = |why: &str| Err(Invalid::new("file set path", path, why));
        if path.is_empty() || path.starts_with('/') {
            return fault("it must be relative and not empty");
        }
        if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return fault("it holds an empty part, `.` or `..`");
        }
        if path.chars().any(char::is_control) {
            return fault("it holds a control character");
        }
        if self.0.contains_key(path) {
            return fault("two files want this path");
        }
        self.0.insert(path.to_owned(), FileEntry { mode, content: content.into() });
        Ok(())
    }

    /// Adds every file of `other` below the folder `prefix`.
    ///
    /// # Errors
    /// As [`FileSet::insert`].
    pub fn nest(&mut self, prefix: &str, other: Self) -> Result<(), Invalid> {
        for (path, entry) in other.0 {
            self.insert(&format!("{prefix}/{path}"), entry.mode, entry.content)?;
        }
        Ok(())
    }

    /// Adds every file of `other`.
    ///
    /// # Errors
    /// If both have a path.
    pub fn merge(&mut self, other: Self) -> Result<(), Invalid> {
        for (path, entry) in other.0 {
            match self.0.entry(path) {
                Entry::Vacant(place) => drop(place.insert(entry)),
                Entry::Occupied(taken) => {
                    return Err(Invalid::new("file set path", taken.key(), "two files want this path"));
                }
            }
        }
        Ok(())
    }

    /// The files in path order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &FileEntry)> {
        self.0.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    /// The file at `path`.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&FileEntry> {
        self.0.get(path)
    }

    /// How many files.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside_and_unique() {
        let mut set = FileSet::new();
        set.insert("b", Mode::PUBLIC, "2").unwrap();
        set.insert("a/c", Mode::PUBLIC, "1").unwrap();
        assert_eq!(set.iter().map(|(path, _)| path).collect::<Vec<_>>(), ["a/c", "b"]);
        for bad in ["", "/a", "../a", "a/../b", "a//b", "a/", "a\nb", "b"] {
            assert!(set.insert(bad, Mode::PUBLIC, "").is_err(), "{bad:?}");
        }
    }
}
