//! What lies at a path before a change, and putting something there.
//!
//! In: a path. Out: the state for the journal, with a copy of whatever is not of our own making; then the file or folder,
//! whole or not at all. A folder with something in it, a device, a pipe or a socket is never replaced.

use std::fs::File;
use std::io;

use desired::types::DigestAlgorithm;
use desired::{AbsPath, Digest};
use rustix::fs::FileType;

use super::PerformError;
use crate::digest::Hasher;
use crate::journal::{Journal, PlaceBefore, State, Story};
use crate::root::{Ownership, Root};

/// What is at `path`, without saving anything.
pub(super) fn state(root: &Root, path: &AbsPath) -> Result<State, PerformError> {
    let failed = || PerformError::file("look at", path);
    let Some(seen) = root.see(path.as_str()).map_err(failed())? else { return Ok(State::Absent) };
    let ownership = Ownership::of(&seen.stat);
    match seen.kind() {
        FileType::Directory => Ok(State::Folder(ownership)),
        FileType::Symlink => {
            let target = root.place(path).and_then(|place| place.target()).map_err(failed())?;
            Ok(State::Link { target })
        }
        FileType::RegularFile => {
            let (size, digest) = seen.open().and_then(digest).map_err(failed())?;
            Ok(State::File { ownership, size, digest: Some(digest), saved: None })
        }
        _ => Err(PerformError::InTheWay {
            path: path.clone(),
            why: "there is a device, pipe or socket; remove it if it is not needed".to_owned(),
        }),
    }
}

fn digest(mut file: File) -> io::Result<(u64, Digest)> {
    let mut hasher = Hasher::new(DigestAlgorithm::Sha256);
    let size = io::copy(&mut file, &mut hasher)?;
    Ok((size, hasher.finish()))
}

/// What is at `path` for the journal. A file that `is_ours` does not know is kept in a saved copy.
pub(super) fn before(
    root: &Root,
    journal: &Journal<'_>,
    path: &AbsPath,
    is_ours: impl FnOnce(&Digest) -> bool,
) -> Result<PlaceBefore, PerformError> {
    let folders = root.missing_folders(path).map_err(PerformError::file("look above", path))?;
    let mut state = state(root, path)?;
    if let State::File { digest: Some(digest), saved, .. } = &mut state
        && !is_ours(digest)
    {
        let seen = root.see(path.as_str()).map_err(PerformError::file("look at", path))?;
        let Some(seen) = seen else {
            return Ok(PlaceBefore { path: path.clone(), state: State::Absent, folders });
        };
        let mut file = seen.open().map_err(PerformError::file("read", path))?;
        *saved = Some(journal.save(|copy| io::copy(&mut file, copy).map(drop))?);
    }
    Ok(PlaceBefore { path: path.clone(), state, folders })
}

/// Whether a file with this digest is of our making, as far as the journal of this resource tells.
pub(super) fn is_ours(story: Option<&Story>, digest: &Digest) -> bool {
    story.is_some_and(|story| story.made(digest))
}

/// Removes what a cut-off run left aside of a place and of the folders made for it; where a folder is gone, so is that.
pub(super) fn clear_leftovers(root: &Root, before: &PlaceBefore) -> Result<(), PerformError> {
    for path in before.folders.iter().chain([&before.path]) {
        if let Ok(place) = root.place(path) {
            let cleared = place.clear_leftover();
            cleared.map_err(PerformError::file("remove what a cut-off run left beside", path))?;
        }
    }
    Ok(())
}

/// Makes the folders above a place that are not there.
pub(super) fn make_folders(root: &Root, folders: &[AbsPath]) -> Result<(), PerformError> {
    for folder in folders {
        root.place(folder)
            .and_then(|place| place.make_folder(Ownership::private(0o755)))
            .map_err(PerformError::file("make the folder", folder))?;
    }
    Ok(())
}

/// Puts a file at the place whose state before is given; `fill` writes its content.
pub(super) fn write(
    root: &Root,
    before: &PlaceBefore,
    ownership: Ownership,
    fill: impl FnOnce(&mut File) -> Result<(), PerformError>,
) -> Result<(), PerformError> {
    let path = &before.path;
    make_folders(root, &before.folders)?;
    let place = root.place(path).map_err(PerformError::file("reach", path))?;
    if matches!(before.state, State::Folder(_)) {
        clear_folder(&place, path)?;
    }
    place.write(ownership, fill).map_err(|error| match error {
        // What happened inside of the file is told with the file's name.
        PerformError::File { source, .. } => PerformError::file("write", path)(source),
        other => other,
    })
}

/// Removes an empty folder that is in the way.
pub(super) fn clear_folder(place: &crate::root::Place, path: &AbsPath) -> Result<(), PerformError> {
    if place.remove_folder().map_err(PerformError::file("remove the folder", path))? {
        return Ok(());
    }
    let why = "there is a folder with something in it; move it away".to_owned();
    Err(PerformError::InTheWay { path: path.clone(), why })
}
