//! A bundle that lies unpacked in a folder.
//!
//! In: a folder. Out: its files shown one by one to the verifier. Links, devices, pipes, sockets, special permission
//! bits and names that are not UTF-8 end the walk; every file is opened without following a link at its end.

use std::fs::{DirEntry, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use desired::Mode;
use desired::manifest::{FOLDER, MANIFEST};
use rustix::fs::{OFlags, open};

use super::BundleError;
use super::found::{FileFault, Found};
use crate::archive::tar::Limits;

/// What `mkfs.ext4` makes at the top of every file system, for root alone; nothing of a bundle is read from it.
const LOST_AND_FOUND: &str = "lost+found";

/// The folder that holds the manifest: `place`, or its one folder as it lies in the archive.
pub(super) fn locate(place: &Path) -> Result<PathBuf, BundleError> {
    [place.to_owned(), place.join(FOLDER)]
        .into_iter()
        .find(|folder| folder.join(MANIFEST).symlink_metadata().is_ok())
        .ok_or_else(|| BundleError::NoBundle(place.to_owned()))
}

/// Shows every file below `root` to `found`.
pub(super) fn walk(root: &Path, found: &mut Found) -> Result<(), BundleError> {
    let (mut waiting, mut count) = (vec![(root.to_owned(), String::new())], 0);
    while let Some((folder, prefix)) = waiting.pop() {
        let entries = std::fs::read_dir(&folder).map_err(BundleError::unreadable(&folder))?;
        for entry in entries {
            let entry = entry.map_err(BundleError::unreadable(&folder))?;
            let path = relative(&prefix, &entry)?;
            count += 1;
            let most = Limits::BUNDLE.entries;
            if count > most {
                return Err(BundleError::refused(&path, format!("there are more than {most} entries")));
            }
            let kind = entry.file_type().map_err(BundleError::unreadable(&entry.path()))?;
            if kind.is_dir() && path == LOST_AND_FOUND {
                continue;
            }
            if kind.is_dir() {
                found.folder(&path)?;
                waiting.push((entry.path(), path));
            } else {
                file(&entry.path(), &path, found)?;
            }
        }
    }
    Ok(())
}

fn relative(prefix: &str, entry: &DirEntry) -> Result<String, BundleError> {
    let name = entry.file_name();
    let Some(name) = name.to_str() else {
        return Err(BundleError::refused(&name.to_string_lossy(), "its name is not UTF-8"));
    };
    Ok(if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") })
}

fn file(place: &Path, path: &str, found: &mut Found) -> Result<(), BundleError> {
    let unreadable = BundleError::unreadable(place);
    // Opened first and judged by what is open: a name can be exchanged between two looks. Without `NONBLOCK` a pipe
    // would hold us up.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut file = match open(place, flags, rustix::fs::Mode::empty()) {
        Ok(file) => File::from(file),
        Err(rustix::io::Errno::LOOP) => return Err(BundleError::refused(path, "it is a symbolic link")),
        Err(rustix::io::Errno::NXIO) => return Err(BundleError::refused(path, "it is a socket or device")),
        Err(error) => return Err(unreadable(error.into())),
    };
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(BundleError::refused(path, "it is no regular file"));
    }
    if metadata.nlink() > 1 {
        return Err(BundleError::refused(path, "it is a hard link, so its bytes can change from elsewhere"));
    }
    let bits = metadata.permissions().mode() & 0o7777;
    let Ok(mode) = Mode::from_bits(bits) else {
        let why = format!("its mode {bits:04o} has setuid, setgid or sticky bits");
        return Err(BundleError::refused(path, why));
    };
    found.file(path, mode, metadata.len(), &mut file).map_err(|fault| match fault {
        FileFault::Refused(why) => BundleError::refused(path, why),
        FileFault::Read(source) => BundleError::Unreadable { path: place.to_owned(), source },
    })
}
