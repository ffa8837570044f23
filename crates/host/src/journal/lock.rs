//! One run at a time.
//!
//! In: a root and the verb that wants to work on it. Out: the state folder, made if needed, and a lock in it that the
//! kernel lets go of however the process ends. Programs it starts hold the lock too: one that outlives a run that was
//! killed keeps the next from working against it. Whoever comes second is told who was first.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use desired::AbsPath;
use rustix::fs::{FlockOperation, flock, fstat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::{JournalError, path};
use crate::processes;
use crate::root::{Ownership, Root};

/// How often, and in what steps, a lock is tried again that nobody is seen to hold.
const PATIENCE: u32 = 20;
const GLANCE: Duration = Duration::from_millis(50);

/// Who holds the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holder {
    /// Its process.
    pub pid: u32,
    /// What it does.
    pub verb: String,
    /// Since when, in seconds since 1970.
    pub since: u64,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = now().saturating_sub(self.since);
        write!(formatter, "`bootstrap {}`, process {}, for {seconds} s", self.verb, self.pid)
    }
}

/// Seconds since 1970; 0 where the clock is before that.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs())
}

/// A program that a run started which is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// Its process.
    pub pid: u32,
    /// Its name.
    pub name: String,
}

impl std::fmt::Display for Orphan {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "`{}`, process {}", self.name, self.pid)
    }
}

/// The held lock.
#[derive(Debug)]
pub struct RunLock {
    /// Held for its lock.
    file: File,
    /// Folders above the state folder that were made for it, outermost first.
    pub(super) folders: Vec<AbsPath>,
}

impl RunLock {
    /// Makes the state folder if it is missing and takes its lock for `verb`.
    ///
    /// # Errors
    /// [`JournalError::Held`] if another run has it; [`JournalError::File`] if the folder can't be made.
    pub fn take(root: &Root, verb: &str) -> Result<Self, JournalError> {
        let own = path("lock");
        let failed = |act| JournalError::file(act, &own);
        let folders = make_folders(root, &own).map_err(failed("make the folder of"))?;
        let mut patience = PATIENCE;
        loop {
            let place = root.place(&own).map_err(failed("reach"))?;
            let mut file = place.append().map_err(failed("open"))?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => match held(&mut file) {
                    Some(error) => return Err(error),
                    // It ended between two glances. Where nobody can be seen, in another container, that may be wrong.
                    None if patience > 0 => {
                        patience -= 1;
                        std::thread::sleep(GLANCE);
                        continue;
                    }
                    None => return Err(JournalError::Held(holder(&mut file).unwrap_or_else(starting))),
                },
                Err(error) => return Err(failed("lock")(error.into())),
            }
            // `leave` removes the file it holds; whoever opened it just before holds a lock on nothing.
            let (here, held) = (place.stat().map_err(failed("look at"))?, fstat(&file));
            let held = held.map_err(|error| failed("look at")(error.into()))?;
            if here.is_some_and(|here| (here.st_dev, here.st_ino) == (held.st_dev, held.st_ino)) {
                let holder = Holder { pid: std::process::id(), verb: verb.to_owned(), since: now() };
                // Who holds it is a courtesy to the second; a full disk is told by the journal.
                let _ = sign(&mut file, &holder);
                // Children get it as well: the lock is free when the last of them has ended.
                rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty())
                    .map_err(|error| failed("share")(error.into()))?;
                return Ok(Self { file, folders });
            }
        }
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // A run that ends in order waits for its children; a daemon that one of them left behind holds nobody up.
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

/// Whoever signed, as long as it lives; else what it left behind; none if nobody has it any more.
fn held(file: &mut File) -> Option<JournalError> {
    let mut glances = 0..PATIENCE;
    loop {
        let holder = holder(file);
        let holders = processes::holding(file);
        if holders.is_empty() {
            return None;
        }
        let lives = holder.as_ref().is_some_and(|holder| holders.iter().any(|(pid, _)| *pid == holder.pid));
        // Who has just begun has not signed: the file is empty for a moment, or names who had it before.
        if !lives && glances.next().is_some() {
            std::thread::sleep(GLANCE);
            continue;
        }
        return Some(match holder {
            Some(_) if !lives => {
                let orphans = holders.into_iter().map(|(pid, name)| Orphan { pid, name });
                JournalError::Orphans(orphans.collect())
            }
            holder => JournalError::Held(holder.unwrap_or_else(starting)),
        });
    }
}

/// The state folder and what is missing above it; gives the latter.
fn make_folders(root: &Root, own: &AbsPath) -> std::io::Result<Vec<AbsPath>> {
    let mut missing = root.missing_folders(own)?;
    let Some(state) = missing.pop() else { return Ok(Vec::new()) };
    for folder in &missing {
        root.place(folder)?.make_folder(Ownership::private(0o755))?;
    }
    match root.place(&state)?.make_folder(Ownership::private(0o700)) {
        // The other run of two that start at once was quicker; the lock decides.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(Vec::new()),
        Err(error) => Err(error),
        Ok(()) => Ok(missing),
    }
}

fn sign(file: &mut File, holder: &Holder) -> std::io::Result<()> {
    file.set_len(0)?;
    file.write_all(serde_json::to_string(holder)?.as_bytes())
}

/// Who signed; none while the file is empty or half-written.
fn holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().and_then(|()| file.read_to_string(&mut text)).ok()?;
    serde_json::from_str(&text).ok()
}

/// It has the lock and can't sign, as on a full disk.
fn starting() -> Holder {
    Holder { pid: 0, verb: "(starting)".to_owned(), since: now() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Invocation;

    /// A lock of this very process, which nobody is seen to hold.
    fn unseen(folder: &std::path::Path) -> (Root, File) {
        let root = Root::open(folder).unwrap();
        drop(RunLock::take(&root, "join").unwrap());
        let file = root.place(&path("lock")).unwrap().append().unwrap();
        flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
        (root, file)
    }

    #[test]
    fn a_lock_of_someone_unseen_is_tried_again_and_taken_once_it_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let (root, file) = unseen(folder.path());
        let other = std::thread::spawn(move || {
            std::thread::sleep(GLANCE * 4);
            flock(&file, FlockOperation::Unlock).unwrap();
        });
        RunLock::take(&root, "leave").unwrap();
        other.join().unwrap();
    }

    #[test]
    fn a_lock_of_someone_unseen_is_not_waited_for_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let (root, _file) = unseen(folder.path());
        let Err(JournalError::Held(holder)) = RunLock::take(&root, "leave") else { panic!("it was taken") };
        assert_eq!((holder.verb.as_str(), holder.pid), ("join", std::process::id()));
    }

    /// Another process has the lock and is about to sign; meanwhile the file holds `before`.
    fn told_while_signing(before: &str) -> (Holder, Holder) {
        let folder = tempfile::tempdir().unwrap();
        let (root, mut file) = unseen(folder.path());
        let (hold, note) = (folder.path().join("hold"), folder.path().join("note"));
        std::fs::write(&hold, "").unwrap();
        let script = r#"echo $$ >"$0"; while [ -e "$1" ]; do sleep 0.02; done"#;
        let own = std::sync::Arc::new(file.try_clone().unwrap());
        let call = Invocation::new("sh").args(["-c", script]).arg(&note).arg(&hold).stdin_file(own);
        let run = std::thread::spawn(move || call.run());
        let pid = loop {
            let text = std::fs::read_to_string(&note).unwrap_or_default();
            if text.ends_with('\n') {
                break text.trim().parse().unwrap();
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let signed = Holder { pid, verb: "join".to_owned(), since: now() };
        file.set_len(0).unwrap();
        file.write_all(before.as_bytes()).unwrap();
        let signing = signed.clone();
        let signing = std::thread::spawn(move || {
            std::thread::sleep(GLANCE * 3);
            sign(&mut file, &signing).unwrap();
        });
        let told = RunLock::take(&root, "leave");
        signing.join().unwrap();
        std::fs::remove_file(&hold).unwrap();
        run.join().unwrap().unwrap();
        let Err(JournalError::Held(told)) = told else { panic!("{told:?}") };
        (told, signed)
    }

    #[test]
    fn one_that_has_not_signed_yet_is_looked_at_again() {
        let (told, signed) = told_while_signing("");
        assert_eq!(told, signed);
    }

    #[test]
    fn one_that_has_not_signed_yet_is_nobodys_left_over() {
        // No process has this number.
        let before = Holder { pid: u32::MAX, verb: "join".to_owned(), since: 0 };
        let (told, signed) = told_while_signing(&serde_json::to_string(&before).unwrap());
        assert_eq!(told, signed);
    }
}
