//! The running system as seen from a container that was started to change it.
//!
//! In: the folder that a caller named as root. Out: whether that is a plain folder, this very system, or the system that
//! process 1 lives in while we live in a container; that one can be entered, so that its own programs, services and
//! kernel are asked as on any node. Entering is for a process without further threads.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Where process 1 has its root.
const ROOT: &str = "/proc/1/root";
/// Made by systemd once it runs, and on no disk: `/run` is in memory.
const MARK: &str = "run/systemd/system";
/// What a process shares with the system it belongs to; the files last, since these paths are gone after them.
const SPACES: [(&str, LinkNameSpaceType); 5] = [
    ("uts", LinkNameSpaceType::HostNameAndNISDomainName),
    ("ipc", LinkNameSpaceType::InterProcessCommunication),
    ("net", LinkNameSpaceType::Network),
    ("cgroup", LinkNameSpaceType::ControlGroup),
    ("mnt", LinkNameSpaceType::Mount),
];

/// What a folder is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The root of the system we run in.
    Ours,
    /// The root of the system that process 1 lives in, and we do not.
    Around,
    /// The root of a running system whose processes we do not see.
    OutOfReach,
    /// A folder with files.
    Folder,
}

/// What `root` is to us.
///
/// # Errors
/// If it can't be looked at.
pub fn standing(root: &Path) -> io::Result<Standing> {
    let seen = root.metadata()?;
    let is_same = |other: &Path| {
        other.metadata().is_ok_and(|other| (other.dev(), other.ino()) == (seen.dev(), seen.ino()))
    };
    Ok(if root == Path::new("/") {
        Standing::Ours
    } else if is_same(Path::new(ROOT)) && !is_same(Path::new("/")) {
        Standing::Around
    } else if root.join(MARK).is_dir() && !is_same(Path::new("/")) {
        Standing::OutOfReach
    } else {
        Standing::Folder
    })
}

/// Makes this process one of the system that process 1 lives in; `/` is that system's root afterwards.
///
/// # Errors
/// If the caller has no right to, or the kernel refuses (further threads).
pub fn enter() -> io::Result<()> {
    let open = |(name, kind)| -> io::Result<(File, LinkNameSpaceType)> {
        Ok((File::open(format!("/proc/1/ns/{name}"))?, kind))
    };
    let spaces = SPACES.into_iter().map(open).collect::<io::Result<Vec<_>>>()?;
    for (space, kind) in &spaces {
        move_into_link_name_space(space.as_fd(), Some(*kind))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_told_from_a_running_system() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(standing(folder.path()).unwrap(), Standing::Folder);
        assert_eq!(standing(Path::new("/")).unwrap(), Standing::Ours);
        std::fs::create_dir_all(folder.path().join(MARK)).unwrap();
        assert_eq!(standing(folder.path()).unwrap(), Standing::OutOfReach);
        assert!(standing(Path::new("/nothing/here")).is_err());
    }
}
