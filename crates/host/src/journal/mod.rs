//! The journal: what was there before we touched it, on the disk before we touch it.
//!
//! In: changes as they begin and end. Out: JSON lines below `/var/lib/rootstock`, each forced to the disk before the
//! next step, with copies of what is replaced beside them; [`History`] reads them back, so that `leave` restores the
//! node and a cut-off run is made up for. Everything here is for root alone.

mod error;
mod history;
mod key;
mod lock;
mod record;
mod remembered;

use std::fs::File;
use std::io::{self, Write as _};

use desired::resource::ResourceId;
use desired::{AbsPath, Digest};
use rustix::fs::FileType;

pub use error::JournalError;
pub use history::{History, Story};
pub(crate) use key::Key;
pub use lock::{Holder, Orphan, RunLock};
pub use record::{After, Before, Ground, Header, More, PlaceBefore, Record, Run, Sealed, State, Step};
pub use remembered::Remembered;

use crate::root::{Ownership, Root};

/// The version of the lines.
pub const FORMAT: u32 = 1;
/// Where all of it lies.
pub const FOLDER: &str = "/var/lib/rootstock";
const JOURNAL: &str = "journal.jsonl";
const SAVED: &str = "saved";

/// A path in the state folder.
fn path(name: &str) -> AbsPath {
    format!("{FOLDER}/{name}").parse().expect("names in the state folder are clean")
}

/// Where the saved copy of this number lies.
pub(crate) fn saved(number: u64) -> AbsPath {
    path(&format!("{SAVED}/{number}"))
}

/// The folder for what a program of the node fetches for us.
pub(crate) fn incoming(name: &str) -> AbsPath {
    path(&format!("incoming/{name}"))
}

fn is_folder(stat: &rustix::fs::Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

/// The journal, open for writing by the one run that holds the lock.
#[derive(Debug)]
pub struct Journal<'a> {
    root: &'a Root,
    file: File,
    run: Run,
    history: History,
    length: u64,
    _lock: RunLock,
}

/// Removes what lies at `own`, a folder with everything in it; links are not followed.
pub(crate) fn remove_all(root: &Root, own: &AbsPath) -> io::Result<()> {
    let place = root.place(own)?;
    match place.stat()? {
        None => Ok(()),
        Some(stat) if is_folder(&stat) => {
            for inner in root.list(own.as_str()) {
                remove_all(root, &own.join(&inner).map_err(io::Error::other)?)?;
            }
            place.remove_folder().map(drop)
        }
        Some(_) => place.remove(),
    }
}

impl<'a> Journal<'a> {
    /// Takes the lock for `verb` and opens the journal, which is made if there is none; an incomplete last line is cut.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn open(
        root: &'a Root,
        verb: &str,
        tool: &str,
        bundle: Option<&Digest>,
    ) -> Result<Self, JournalError> {
        let lock = RunLock::take(root, verb)?;
        let history = History::read(root)?;
        let own = path(JOURNAL);
        let place = root.place(&own).map_err(JournalError::file("reach", &own))?;
        let file = place.append().map_err(JournalError::file("open", &own))?;
        let length = history.whole;
        file.set_len(length).map_err(JournalError::file("cut the incomplete last line of", &own))?;
        let run = Run {
            id: format!("{}-{}", lock::now(), std::process::id()),
            tool: tool.to_owned(),
            bundle: bundle.cloned(),
        };
        let mut journal = Self { root, file, run, history, length, _lock: lock };
        if journal.history.header().is_none() {
            let header = Header { format: FORMAT, folders: journal._lock.folders.clone() };
            journal.append(&header)?;
            journal.history.start(header);
        }
        Ok(journal)
    }
    /// The past, this run's part of it included.
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.history
    }
    /// Keeps a copy of `content` under the number that the next line will have, and gives that number.
    ///
    /// # Errors
    /// If the disk is full or refuses.
    pub(crate) fn save(&self, fill: impl FnOnce(&mut File) -> io::Result<()>) -> Result<u64, JournalError> {
        let own = saved(self.history.next);
        let failed = || JournalError::file("keep a copy of what is replaced in", &own);
        self.make_folder(&own).map_err(failed())?;
        let place = self.root.place(&own).map_err(failed())?;
        place.write(Ownership::private(0o600), fill).map_err(failed())?;
        Ok(self.history.next)
    }
    /// Makes the folder in the state folder that `own` lies in.
    pub(crate) fn make_folder(&self, own: &AbsPath) -> io::Result<()> {
        for folder in self.root.missing_folders(own)? {
            self.root.place(&folder)?.make_folder(Ownership::private(0o700))?;
        }
        Ok(())
    }
    /// Writes one line about `resource` and forces it to the disk.
    ///
    /// # Errors
    /// If the disk is full or refuses; then the line is not there.
    pub fn note(&mut self, resource: &ResourceId, step: Step) -> Result<(), JournalError> {
        let record =
            Record { sequence: self.history.next, run: self.run.clone(), resource: resource.clone(), step };
        self.append(&record)?;
        self.history.take(record);
        Ok(())
    }

    fn append(&mut self, line: &impl serde::Serialize) -> Result<(), JournalError> {
        let failed = JournalError::file("write a line of", path(JOURNAL));
        let written = serde_json::to_vec(line).map_err(io::Error::from).and_then(|mut bytes| {
            bytes.push(b'\n');
            self.file.write_all(&bytes)?;
            self.file.sync_data()?;
            Ok(bytes.len() as u64)
        });
        match written {
            Ok(count) => {
                self.length += count;
                Ok(())
            }
            Err(error) => {
                // What a full disk took of the line must not stand before the next; a reader would cut it as well.
                let _ = self.file.set_len(self.length);
                Err(failed(error))
            }
        }
    }

    /// Removes the journal and everything beside it, at the end of `leave`; the folders that were made for it too.
    ///
    /// # Errors
    /// If something can't be removed.
    pub fn close(self) -> Result<(), JournalError> {
        let folders = self.history.folders().to_vec();
        let remove = || -> io::Result<()> {
            let state: AbsPath = FOLDER.parse().map_err(io::Error::other)?;
            // The journal goes after what it names, the lock last: until then a second run waits.
            let late = [JOURNAL, "lock"];
            let names = self.root.list(FOLDER).into_iter().filter(|name| !late.contains(&name.as_str()));
            for name in names.collect::<Vec<_>>().iter().map(String::as_str).chain(late) {
                remove_all(self.root, &path(name))?;
            }
            for folder in std::iter::once(&state).chain(folders.iter().rev()) {
                self.root.place(folder)?.remove_folder()?;
            }
            Ok(())
        };
        remove().map_err(JournalError::file("remove the state in", FOLDER))
    }
}
