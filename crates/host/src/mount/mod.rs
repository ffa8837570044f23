//! Waiting for a real mount (FIELD M8): an automount point is itself mounted as autofs before the share is there.
//!
//! In: a mount point, the accepted types, perhaps a sentinel file. Out: the file system type once it is there, or the
//! last reason why not. `/proc/self/mountinfo` is read anew at each look; touching the path triggers the automount.

use std::path::Path;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use desired::AbsPath;

use crate::root::Root;

pub(crate) mod info;

/// What to wait for.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// The mount point.
    pub path: &'a AbsPath,
    /// Accepted types; when empty, any but autofs.
    pub types: &'a [String],
    /// A file below the mount point that must be there.
    pub sentinel: Option<&'a Path>,
}

/// The type mounted at `path` now; nothing is touched, so no automount is triggered.
///
/// # Errors
/// What is there instead, as a clause.
pub fn state(root: &Root, path: &AbsPath) -> Result<String, String> {
    match root.read_text("/proc/self/mountinfo") {
        Ok(Some(text)) => info::accept(&text, path.as_str(), &[]),
        _ => Err("mounts can't be seen from here".to_owned()),
    }
}

/// All mount points of this machine, in the order they were mounted.
#[must_use]
pub(crate) fn points() -> Vec<String> {
    let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    info::points(&text)
}

/// Looks every `interval` until the mount is there or `timeout` is over; looks once at least.
///
/// # Errors
/// Why it was not there at the last look, as a clause.
pub fn wait(wanted: &Wanted<'_>, timeout: Duration, interval: Duration) -> Result<String, String> {
    let deadline = Instant::now() + timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let why = match look(wanted, left.max(Duration::from_millis(100))) {
            Ok(filesystem) => return Ok(filesystem),
            Err(why) => why,
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(why);
        }
        std::thread::sleep(interval.min(left));
    }
}

/// One look. Touching a share whose server is gone can block for ever, so that is left to a thread of its own.
fn look(wanted: &Wanted<'_>, patience: Duration) -> Result<String, String> {
    let (sender, receiver) = channel();
    let (point, sentinel) = (wanted.path.to_string(), wanted.sentinel.map(Path::to_owned));
    let touch = move || {
        // Reading the folder is what makes automount mount; its own error shows in mountinfo.
        let _ = std::fs::read_dir(&point).map(|mut entries| entries.next().is_some());
        let there = sentinel.is_none_or(|file| Path::new(&point).join(file).symlink_metadata().is_ok());
        // Nobody listens any more when it took too long.
        let _ = sender.send(there);
    };
    let thread = std::thread::Builder::new().name("touch".to_owned()).spawn(touch);
    thread.map_err(|error| format!("no thread could be started: {error}"))?;
    let Ok(sentinel_there) = receiver.recv_timeout(patience) else {
        return Err("the path does not answer; is the server up?".to_owned());
    };
    let text =
        std::fs::read("/proc/self/mountinfo").map_err(|error| format!("mountinfo can't be read: {error}"))?;
    let filesystem = info::accept(&String::from_utf8_lossy(&text), wanted.path.as_str(), wanted.types)?;
    match (sentinel_there, wanted.sentinel) {
        (false, Some(file)) => {
            Err(format!("{filesystem} is mounted, but the sentinel {} is not there", file.display()))
        }
        _ => Ok(filesystem),
    }
}
