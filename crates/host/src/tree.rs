//! Folders as sorted lists of files, and file sets poured into folders.
//!
//! In: a folder or a [`FileSet`]. Out: paths in one order on every machine; files with the modes the set names,
//! whatever the umask.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use desired::{FileSet, Mode};

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
    fs::write(path, content)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode.bits()))
}

/// Writes every file of `set` below `folder`.
///
/// # Errors
/// As [`write_file`], with the path in the message.
pub fn pour(folder: &Path, set: &FileSet) -> io::Result<()> {
    for (path, entry) in set.iter() {
        let target = folder.join(path);
        write_file(&target, entry.mode, &entry.content).map_err(|error| {
            io::Error::new(error.kind(), format!("write `{}`: {error}", target.display()))
        })?;
    }
    Ok(())
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
        let listed = files(folder.path()).unwrap();
        assert_eq!(listed, [folder.path().join("a"), folder.path().join("b/run.sh")]);
        let modes: Vec<_> =
            listed.iter().map(|file| fs::metadata(file).unwrap().permissions().mode() & 0o777).collect();
        assert_eq!(modes, [0o600, 0o755]);
    }
}
