//! Folders as sorted lists of files, and file sets poured into folders.
//!
//! In: a folder or a [`FileSet`]. Out: paths in one order on every machine; files with the modes the set names,
//! whatever the umask.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use desired::fileset::FileEntry;
use desired::{FileSet, Mode};

use crate::parallel;

/// Every file below `folder`, sorted by path; folders and what is no regular file are left out.
///
/// # Errors
/// If a folder can't be read.
pub fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(current) = waiting.pop() {
        for entry in fs::read_dir(&current)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                waiting.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Writes `content` to a new file at `path` with exactly `mode`, making the folders above it.
///
/// # Errors
/// If a folder or the file can't be made, or the disk is full.
pub fn write_file(path: &Path, mode: Mode, content: &[u8]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    write_in_place(path, mode, content)
}

/// As [`write_file`], in a folder that is there.
fn write_in_place(path: &Path, mode: Mode, content: &[u8]) -> io::Result<()> {
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode.bits()).open(path)?;
    file.write_all(content)?;
    // What was there keeps its mode otherwise, and the umask takes bits from what is new.
    file.set_permissions(fs::Permissions::from_mode(mode.bits()))
}

/// The folders that hold `paths`, by depth, those above first: each level can be made when the one before it is there.
fn folders<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<BTreeSet<&'a str>> {
    let mut levels: Vec<BTreeSet<&str>> = Vec::new();
    let mut last = "";
    for path in paths {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        if folder.is_empty() || folder == last {
            continue;
        }
        last = folder;
        let ends = folder.match_indices('/').map(|(end, _)| end).chain([folder.len()]);
        for (depth, end) in ends.enumerate() {
            if levels.len() == depth {
                levels.push(BTreeSet::new());
            }
            levels[depth].insert(&folder[..end]);
        }
    }
    levels
}

/// Makes one folder in a folder that is there; it may be there already, but nothing else of its name.
fn make_folder(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made,
    }
}

/// Writes every file of `set` below `folder`, which is made.
///
/// # Errors
/// As [`write_entries`].
pub fn pour(folder: &Path, set: &FileSet) -> io::Result<()> {
    fs::create_dir_all(folder).map_err(at(folder, "make"))?;
    write_entries(folder, &set.iter().collect::<Vec<_>>())
}

/// Writes these files of a set below `folder`, which is there, on all cores; the folders between are made level by level.
///
/// # Errors
/// As [`write_file`], with the path in the message.
pub fn write_entries(folder: &Path, entries: &[(&str, &FileEntry)]) -> io::Result<()> {
    for level in folders(entries.iter().map(|(path, _)| *path)) {
        let level: Vec<PathBuf> = level.into_iter().map(|below| folder.join(below)).collect();
        parallel::each(&level, |below| make_folder(below).map_err(at(below, "make")))?;
    }
    parallel::each(entries, |(path, entry)| {
        let target = folder.join(path);
        write_in_place(&target, entry.mode, &entry.content).map_err(at(&target, "write"))
    })?;
    Ok(())
}

fn at(path: &Path, act: &'static str) -> impl FnOnce(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{act} `{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_poured_with_its_modes_and_listed_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let mut set = FileSet::new();
        set.insert("b/run.sh", Mode::EXECUTABLE, "#!/bin/sh\n").unwrap();
        set.insert("a", Mode::PRIVATE, "x").unwrap();
        pour(folder.path(), &set).unwrap();
        // Again over a file whose mode somebody changed.
        fs::set_permissions(folder.path().join("a"), fs::Permissions::from_mode(0o644)).unwrap();
        pour(folder.path(), &set).unwrap();
        let listed = files(folder.path()).unwrap();
        assert_eq!(listed, [folder.path().join("a"), folder.path().join("b/run.sh")]);
        let modes: Vec<_> =
            listed.iter().map(|file| fs::metadata(file).unwrap().permissions().mode() & 0o777).collect();
        assert_eq!(modes, [0o600, 0o755]);
    }

    #[test]
    fn folders_come_by_depth_and_a_file_in_the_way_is_said() {
        let levels = folders(["a/b/c/file", "a/b/d/file", "a/b/d/other", "e/file", "top"].into_iter());
        let listed: Vec<Vec<&str>> = levels.into_iter().map(|level| level.into_iter().collect()).collect();
        assert_eq!(listed, [vec!["a", "e"], vec!["a/b"], vec!["a/b/c", "a/b/d"]]);
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "").unwrap();
        let mut set = FileSet::new();
        set.insert("a/b", Mode::PUBLIC, "").unwrap();
        let error = pour(folder.path(), &set).unwrap_err();
        assert!(
            error.to_string().contains(&format!("make `{}`", folder.path().join("a").display())),
            "{error}"
        );
    }
}
