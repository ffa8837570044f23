//! The output folder: built aside, then put in its place in one step.
//!
//! In: the folder all output goes to (`dist`). Out: a [`Stage`], an empty folder beside the outputs that becomes
//! `dist/<name>` by one rename; whoever looks sees the old output or the new one, never a mixture.
//! A killed run leaves only a folder whose name starts with `.building-`, which the next run removes.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{CWD, FlockOperation, RenameFlags, flock, renameat_with};

const STAGE_PREFIX: &str = ".building-";

/// Why an output could not be prepared or put in place.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// A file operation failed.
    #[error("{act} `{}`", path.display())]
    Io {
        /// What was done ("create the output folder").
        act: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Another run is building into the same folder.
    #[error("another run is building into `{}`; wait for it to end, or choose another folder with --out", .0.display())]
    Busy(PathBuf),
    /// The run was asked to end before it was done.
    #[error("this run was asked to end; `{}` is as it was, and the same command begins again", .0.display())]
    Interrupted(PathBuf),
}

fn failed(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StageError {
    let path = path.to_owned();
    move |source| StageError::Io { act, path, source }
}

/// The folder all output goes to, held by this run alone.
#[derive(Debug)]
pub struct OutputFolder {
    path: PathBuf,
    /// Held for its lock; the kernel lets go of it when the process ends, however it ends.
    _lock: File,
}

impl OutputFolder {
    /// Makes the folder if it is missing, takes its lock, and removes what a killed run left.
    ///
    /// # Errors
    /// If the folder can't be made or read, or another run holds it.
    pub fn open(path: &Path) -> Result<Self, StageError> {
        fs::create_dir_all(path).map_err(failed("create the output folder", path))?;
        let lock_path = path.join(".lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(failed("open the lock file", &lock_path))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(StageError::Busy(path.to_owned())),
            Err(error) => return Err(failed("lock", &lock_path)(error.into())),
        }
        for entry in fs::read_dir(path).map_err(failed("read the output folder", path))? {
            let entry = entry.map_err(failed("read the output folder", path))?;
            if entry.file_name().to_string_lossy().starts_with(STAGE_PREFIX) {
                fs::remove_dir_all(entry.path()).map_err(failed("remove the left-over", &entry.path()))?;
            }
        }
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// An empty folder that will become `<output>/<name>`.
    ///
    /// # Errors
    /// If it can't be made.
    pub fn stage(&self, name: &str) -> Result<Stage<'_>, StageError> {
        let path = self.path.join(format!("{STAGE_PREFIX}{name}"));
        let mut open = open_stages();
        fs::create_dir_all(&path).map_err(failed("create", &path))?;
        open.insert(path.clone());
        Ok(Stage { output: self, name: name.to_owned(), path, committed: false })
    }
}

/// A folder that will become an output; removed again unless it is committed.
#[derive(Debug)]
pub struct Stage<'a> {
    output: &'a OutputFolder,
    name: String,
    path: PathBuf,
    committed: bool,
}

impl Stage<'_> {
    /// Where to write.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts it in the place of the old output, which is removed, and gives its final path.
    ///
    /// # Errors
    /// If the rename fails, or the run was asked to end; the old output then still stands.
    pub fn commit(mut self) -> Result<PathBuf, StageError> {
        let target = self.output.path.join(&self.name);
        // Held until the old output is gone too, so that an interrupted run ends before or after, never between.
        let mut open = open_stages();
        go_on(&target)?;
        let renamed = if target.exists() {
            renameat_with(CWD, &self.path, CWD, &target, RenameFlags::EXCHANGE)
        } else {
            renameat_with(CWD, &self.path, CWD, &target, RenameFlags::NOREPLACE)
        };
        renamed.map_err(|error| failed("put the finished output in place as", &target)(error.into()))?;
        self.committed = true;
        if self.path.exists() {
            fs::remove_dir_all(&self.path).map_err(failed("remove the old output", &self.path))?;
        }
        open.remove(&self.path);
        Ok(target)
    }

    /// Puts finished files of the stage at their final paths on the same file system, each in one step: all of them, or
    /// none where the run was asked to end.
    ///
    /// # Errors
    /// If a folder can't be made, a rename fails, or the run was asked to end.
    pub fn put(&self, files: &[(PathBuf, &Path)]) -> Result<(), StageError> {
        let open = open_stages();
        for (number, (from, to)) in files.iter().enumerate() {
            if number == 0 {
                go_on(to)?;
            }
            let folder = to.parent().unwrap_or(&self.output.path);
            fs::create_dir_all(folder).map_err(failed("create", folder))?;
            fs::rename(from, to).map_err(failed("put the finished output in place as", to))?;
        }
        drop(open);
        Ok(())
    }
}

/// Refuses where the run was asked to end: whoever is told so finds what was there before.
fn go_on(target: &Path) -> Result<(), StageError> {
    if crate::process::is_ending() {
        return Err(StageError::Interrupted(target.to_owned()));
    }
    Ok(())
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        if !self.committed {
            // What can't be removed now is removed by the next run, which looks for the prefix.
            let _ = fs::remove_dir_all(&self.path);
            open_stages().remove(&self.path);
        }
    }
}

/// Every stage of this process that is neither committed nor dropped.
fn open_stages() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    static OPEN: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    // A thread that panicked with the lock left the set as it was.
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes every open stage because the process is about to end, and lets none be committed any more.
#[cfg(feature = "interrupt")]
pub(crate) fn abandon() {
    let open = open_stages();
    for path in &*open {
        // Other threads may still be writing into it; what appears after the last look goes with the next run.
        for _ in 0..10 {
            if fs::remove_dir_all(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
                break;
            }
        }
    }
    std::mem::forget(open);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commit_swaps_and_an_error_leaves_the_old_output() {
        let folder = tempfile::tempdir().unwrap();
        let output = OutputFolder::open(folder.path()).unwrap();
        for text in ["old", "new"] {
            let stage = output.stage("a").unwrap();
            fs::write(stage.path().join("file"), text).unwrap();
            stage.commit().unwrap();
        }
        assert_eq!(fs::read_to_string(folder.path().join("a/file")).unwrap(), "new");
        let stage = output.stage("a").unwrap();
        fs::write(stage.path().join("file"), "broken").unwrap();
        drop(stage);
        assert_eq!(fs::read_to_string(folder.path().join("a/file")).unwrap(), "new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "only `a` and the lock");
    }

    #[test]
    fn finished_files_are_put_in_place_and_the_rest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let output = OutputFolder::open(folder.path()).unwrap();
        let stage = output.stage("a-cards").unwrap();
        for name in ["one", "two", "half"] {
            fs::write(stage.path().join(name), name).unwrap();
        }
        let (one, two) = (folder.path().join("cards/1.img"), folder.path().join("cards/2.img"));
        stage.put(&[(stage.path().join("one"), &one), (stage.path().join("two"), &two)]).unwrap();
        drop(stage);
        assert_eq!((fs::read(&one).unwrap(), fs::read(&two).unwrap()), (b"one".to_vec(), b"two".to_vec()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "only `cards` and the lock");
    }

    #[test]
    fn two_runs_do_not_share_a_folder_and_left_overs_go() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join(".building-a/half")).unwrap();
        let first = OutputFolder::open(folder.path()).unwrap();
        assert!(!folder.path().join(".building-a").exists());
        assert!(matches!(OutputFolder::open(folder.path()), Err(StageError::Busy(_))));
        drop(first);
        assert!(OutputFolder::open(folder.path()).is_ok());
    }
}
