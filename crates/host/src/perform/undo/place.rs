//! A path as it was: content, owner and mode, or nothing there at all.

use std::io;

use desired::AbsPath;

use super::super::{PerformError, place};
use super::Undone;
use crate::journal::{Key, PlaceBefore, State, Story, saved};
use crate::root::Root;

/// Puts back what was at the path, if what is there is of our making or `force` is given.
pub(super) fn undo(
    root: &Root,
    story: &Story,
    before: &PlaceBefore,
    force: bool,
) -> Result<Undone, PerformError> {
    let path = &before.path;
    // What a killed run left aside goes in any case.
    place::clear_leftovers(root, before)?;
    let now = match place::state(root, path) {
        Ok(now) => now,
        Err(PerformError::InTheWay { why, .. }) => return Ok(Undone::Kept { why }),
        Err(error) => return Err(error),
    };
    if is_same(root, &now, &before.state)? {
        return Ok(Undone::Unchanged);
    }
    if !force && !is_ours(root, story, before, &now)? {
        return Ok(Undone::Kept {
            why: "somebody else has changed it since; --force gives it back too".to_owned(),
        });
    }
    put_back(root, before, &now)
}

/// Whether nothing is to be done.
fn is_same(root: &Root, now: &State, before: &State) -> Result<bool, PerformError> {
    Ok(match (now, before) {
        (
            State::File { ownership, digest, .. },
            State::File { ownership: old_ownership, digest: old, saved: copy, .. },
        ) => {
            let old = match (old, copy) {
                (None, Some(number)) => match place::state(root, &saved(*number))? {
                    State::File { digest, .. } => digest,
                    _ => None,
                },
                (old, _) => old.clone(),
            };
            ownership == old_ownership && digest.is_some() && *digest == old
        }
        _ => now == before,
    })
}

/// Whether what is there is what we made, or what was there before with another owner or mode.
fn is_ours(root: &Root, story: &Story, before: &PlaceBefore, now: &State) -> Result<bool, PerformError> {
    Ok(match now {
        State::Absent => true,
        State::Link { .. } => false,
        State::Folder(_) => {
            let made = story.afters.iter().any(|after| matches!(after.state, Some(State::Folder(_))));
            made || matches!(before.state, State::Folder(_))
        }
        State::File { digest: Some(digest), .. } => {
            let was = matches!(&before.state, State::File { digest: Some(old), .. } if old == digest);
            was || story.made(digest) || is_sealed(root, story, &before.path)?
        }
        State::File { digest: None, .. } => false,
    })
}

/// Whether the file is one with secrets that we made.
fn is_sealed(root: &Root, story: &Story, path: &AbsPath) -> Result<bool, PerformError> {
    let sealed: Vec<_> = story.afters.iter().filter_map(|after| after.secret.as_ref()).collect();
    let (false, Some(key)) = (sealed.is_empty(), Key::read(root)) else { return Ok(false) };
    let content = root.read(path.as_str()).map_err(PerformError::file("read", path))?;
    let content = key.seal(&content.unwrap_or_default());
    Ok(sealed.iter().any(|sealed| sealed.content == content))
}

fn put_back(root: &Root, before: &PlaceBefore, now: &State) -> Result<Undone, PerformError> {
    let path = &before.path;
    if before.state == State::Absent {
        return remove(root, path, now);
    }
    let missing = root.missing_folders(path).map_err(PerformError::file("look above", path))?;
    place::make_folders(root, &missing)?;
    let here = root.place(path).map_err(PerformError::file("reach", path))?;
    let failed = || PerformError::file("put back", path);
    if matches!((now, &before.state), (State::Folder(_), State::File { .. } | State::Link { .. })) {
        place::clear_folder(&here, path)?;
    }
    match (&before.state, now) {
        (State::Folder(ownership), State::Folder(_)) => here.set(*ownership).map_err(failed())?,
        (State::Folder(ownership), _) => {
            here.remove().and_then(|()| here.make_folder(*ownership)).map_err(failed())?;
        }
        (State::Link { target }, _) => here.link(target).map_err(failed())?,
        (State::File { ownership, digest: Some(old), .. }, State::File { digest: Some(digest), .. })
            if old == digest =>
        {
            here.set(*ownership).map_err(failed())?;
        }
        (State::File { ownership, saved: Some(number), .. }, _) => {
            let copy = saved(*number);
            let seen = root.see(copy.as_str()).map_err(PerformError::file("read", &copy))?;
            let seen = seen.ok_or_else(|| PerformError::Other(format!("the saved copy {copy} is gone")))?;
            let mut from = seen.open().map_err(PerformError::file("read", &copy))?;
            here.write(*ownership, |file| io::copy(&mut from, file).map(drop)).map_err(failed())?;
        }
        (State::File { .. }, _) => {
            return Err(PerformError::Other(format!("no copy of what {path} held was kept")));
        }
        (State::Absent, _) => {}
    }
    Ok(Undone::Restored)
}

fn remove(root: &Root, path: &AbsPath, now: &State) -> Result<Undone, PerformError> {
    let here = root.place(path).map_err(PerformError::file("reach", path))?;
    if matches!(now, State::Folder(_)) {
        let gone = here.remove_folder().map_err(PerformError::file("remove the folder", path))?;
        return Ok(if gone {
            Undone::Restored
        } else {
            Undone::Partly { why: "it stays, there is something else in it".to_owned() }
        });
    }
    here.remove().map_err(PerformError::file("remove", path))?;
    Ok(Undone::Restored)
}

/// Removes the folders that were made on the way, innermost first; gives the first that has to stay.
pub(super) fn clear_folders(root: &Root, folders: &[AbsPath]) -> Result<Option<AbsPath>, PerformError> {
    for folder in folders.iter().rev() {
        let failed = || PerformError::file("remove the folder", folder);
        match root.see(folder.as_str()).map_err(failed())? {
            Some(seen) if seen.kind() == rustix::fs::FileType::Directory => {}
            _ => continue,
        }
        if !root.place(folder).and_then(|place| place.remove_folder()).map_err(failed())? {
            return Ok(Some(folder.clone()));
        }
    }
    Ok(None)
}
