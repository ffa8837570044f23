//! A root folder that nothing leads out of: `/` on a node, any folder in tests and at the desk.
//!
//! In: paths as the node sees them. Out: what lies there, with every symbolic link resolved inside the root, as the
//! node itself would. The walk goes from open folder to open folder, so a link that is exchanged meanwhile can't
//! redirect it (openat2(2) would do the same, but qemu's user mode and old kernels lack it).

mod accounts;
mod write;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

pub use accounts::{Accounts, NoAccount};
pub use write::{Ownership, Place};

use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, openat, readlinkat};
use rustix::io::Errno;

/// As many links as the kernel follows in one path, path_resolution(7).
const LINKS: u32 = 40;
/// No configuration file that is read whole is longer.
const LONGEST: u64 = 256 << 20;

/// The root of a node's files.
#[derive(Debug)]
pub struct Root {
    folder: OwnedFd,
    path: PathBuf,
}

/// What lies at a path, its last link not followed.
#[derive(Debug)]
pub struct Seen {
    /// Owner, mode, size, type.
    pub stat: Stat,
    parent: OwnedFd,
    name: String,
}

impl Seen {
    /// Its type.
    #[must_use]
    pub fn kind(&self) -> FileType {
        FileType::from_raw_mode(self.stat.st_mode)
    }
    /// Opens it for reading if it is a regular file; never follows a link or waits for a pipe.
    ///
    /// # Errors
    /// The system's refusal, or that it is no regular file (any more).
    pub fn open(&self) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(openat(&self.parent, &self.name, flags, Mode::empty())?);
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no regular file")) }
    }
    /// Where it points to, if it is a symbolic link.
    #[must_use]
    pub fn target(&self) -> Option<String> {
        let target = readlinkat(&self.parent, &self.name, Vec::new()).ok()?;
        Some(target.to_string_lossy().into_owned())
    }
}

impl Root {
    /// The root at `path`.
    ///
    /// # Errors
    /// If it is no folder or can't be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(path, flags, Mode::empty())?;
        Ok(Self { folder, path: path.to_owned() })
    }
    /// Where it lies on this machine.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
    /// Whether the caller may change everything here, as root alone may.
    #[must_use]
    pub fn is_writable_by_caller(&self) -> bool {
        rustix::process::geteuid().is_root()
    }
    /// Whether this is the running system, whose kernel and services can be asked too.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.path == Path::new("/")
    }
    /// What lies at `path` (absolute or relative to the root); `None` if nothing does.
    ///
    /// # Errors
    /// If a folder on the way can't be entered, or links run in a circle.
    pub fn see(&self, path: &str) -> io::Result<Option<Seen>> {
        absent(self.walk(path, false))
    }
    /// The whole content of the regular file at `path`, links followed; `None` if there is nothing.
    ///
    /// # Errors
    /// If it can't be read, is no regular file or is unreasonably long.
    pub fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let Some(seen) = absent(self.walk(path, true))? else { return Ok(None) };
        let mut content = Vec::new();
        seen.open()?.take(LONGEST + 1).read_to_end(&mut content)?;
        if content.len() as u64 > LONGEST {
            return Err(io::Error::other(format!("it is longer than {LONGEST} bytes")));
        }
        Ok(Some(content))
    }
    /// As [`Self::read`], bad UTF-8 replaced.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_text(&self, path: &str) -> io::Result<Option<String>> {
        Ok(self.read(path)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }
    /// The names in the folder `path`, sorted; none if there is no such folder. Names that aren't UTF-8 are left out.
    #[must_use]
    pub fn list(&self, path: &str) -> Vec<String> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = |seen: Seen| openat(&seen.parent, &seen.name, flags, Mode::empty()).ok();
        let Some(folder) = self.walk(path, true).ok().and_then(open) else { return Vec::new() };
        let Ok(entries) = rustix::fs::Dir::read_from(folder) else { return Vec::new() };
        let names = entries.flatten().filter_map(|entry| Some(entry.file_name().to_str().ok()?.to_owned()));
        let mut names: Vec<String> = names.filter(|name| name != "." && name != "..").collect();
        names.sort();
        names
    }
    /// The file system that the folder `path` lies on, by its number, and how many bytes whoever is not root may still
    /// write to it; `None` if there is no such folder.
    ///
    /// # Errors
    /// If it can't be looked at.
    pub fn room(&self, path: &str) -> io::Result<Option<(u64, u64)>> {
        let Some(seen) = absent(self.walk(path, true))? else { return Ok(None) };
        if seen.kind() != FileType::Directory {
            return Ok(None);
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let room = rustix::fs::fstatvfs(openat(&seen.parent, &seen.name, flags, Mode::empty())?)?;
        Ok(Some((seen.stat.st_dev, room.f_bavail.saturating_mul(room.f_frsize))))
    }
    /// Answers once everything that anybody has written to its file system is on the disk (syncfs(2)).
    ///
    /// # Errors
    /// If the disk does not take it.
    pub(crate) fn settle(&self) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(rustix::fs::syncfs(openat(&self.folder, ".", flags, Mode::empty())?)?)
    }

    fn walk(&self, path: &str, follow_last: bool) -> Result<Seen, Errno> {
        let parts = |path: &str| -> Vec<String> {
            path.split('/').filter(|part| !matches!(*part, "" | ".")).map(str::to_owned).collect()
        };
        let mut left: VecDeque<String> = parts(path).into();
        let mut folders: Vec<OwnedFd> = Vec::new();
        let mut links = 0;
        while let Some(name) = left.pop_front() {
            if name == ".." {
                // Above the root lies the root, as on the node.
                folders.pop();
                continue;
            }
            let parent = folders.last().unwrap_or(&self.folder);
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let here = openat(parent, &name, flags, Mode::empty())?;
            let stat = fstat(&here)?;
            let kind = FileType::from_raw_mode(stat.st_mode);
            if kind == FileType::Symlink && (follow_last || !left.is_empty()) {
                links += 1;
                if links > LINKS {
                    return Err(Errno::LOOP);
                }
                let target = readlinkat(&here, "", Vec::new())?.to_string_lossy().into_owned();
                if target.starts_with('/') {
                    folders.clear();
                }
                parts(&target).into_iter().rev().for_each(|part| left.push_front(part));
            } else if left.is_empty() {
                let parent = folders.pop().map_or_else(|| rustix::io::dup(&self.folder), Ok)?;
                return Ok(Seen { stat, parent, name });
            } else if kind == FileType::Directory {
                folders.push(here);
            } else {
                return Err(Errno::NOTDIR);
            }
        }
        let parent = folders.pop().map_or_else(|| rustix::io::dup(&self.folder), Ok)?;
        Ok(Seen { stat: fstat(&parent)?, parent, name: ".".to_owned() })
    }
}

fn absent(seen: Result<Seen, Errno>) -> io::Result<Option<Seen>> {
    match seen {
        Ok(seen) => Ok(Some(seen)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn no_link_leads_out() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("root");
        fs::create_dir_all(path.join("etc/deep")).unwrap();
        fs::write(outer.path().join("hostname"), "the desk").unwrap();
        fs::write(path.join("etc/real"), "the node").unwrap();
        symlink("../../../../hostname", path.join("etc/climbs")).unwrap();
        symlink("/etc/real", path.join("etc/absolute")).unwrap();
        symlink(outer.path(), path.join("etc/outside")).unwrap();
        symlink("round", path.join("etc/round")).unwrap();
        let root = Root::open(&path).unwrap();
        let read = |path: &str| root.read_text(path).unwrap();
        assert_eq!(read("/etc/climbs"), None);
        assert_eq!(read("/etc/outside/hostname"), None);
        assert_eq!(read("/../../hostname"), None);
        assert_eq!(read("/etc/absolute").as_deref(), Some("the node"));
        assert_eq!(read("/etc/deep/../absolute").as_deref(), Some("the node"));
        assert_eq!(read("/etc/real/below"), None);
        assert!(root.read("/etc/round").is_err());
        assert_eq!(root.see("/etc/climbs").unwrap().unwrap().kind(), FileType::Symlink);
        assert_eq!(root.see("/").unwrap().unwrap().kind(), FileType::Directory);
        assert_eq!(root.list("/etc/outside"), [] as [&str; 0]);
        assert_eq!(root.list("/"), ["etc"]);
        assert!(root.read("/etc").is_err(), "a folder has no content");
    }
}
