//! Writing below a root: whole or not at all, and never through a link at the end.
//!
//! In: a [`Place`], which is an open folder and a name in it. Out: a file, folder or link that is there completely, on
//! the disk, with its owner and mode; or an error and what was there before. A file is made aside under a name that
//! depends only on its own, so what a kill left behind is found and removed.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use desired::{AbsPath, Digest};
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Stat, Uid, chownat, fchmod, fstat, fsync, mkdirat, openat,
    readlinkat, renameat, statat, symlinkat, unlinkat,
};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::Root;

/// Numeric owner and permission bits, as the file system has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ownership {
    /// All mode bits, setuid and friends too.
    pub bits: u32,
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl Ownership {
    /// For the caller alone (root, in earnest): what is private to this tool.
    #[must_use]
    pub fn private(bits: u32) -> Self {
        let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        Self { bits, uid, gid }
    }
    /// What `stat` says.
    #[must_use]
    pub const fn of(stat: &Stat) -> Self {
        Self { bits: stat.st_mode & 0o7777, uid: stat.st_uid, gid: stat.st_gid }
    }
}

/// A name in an open folder, where something is or shall be.
#[derive(Debug)]
pub struct Place {
    parent: OwnedFd,
    name: String,
}

impl Root {
    /// The place `path`, whose folder must be there; links on the way are resolved inside the root, the last part is
    /// taken as it is.
    ///
    /// # Errors
    /// If the folder is not there or can't be entered, or `path` is the root itself.
    pub fn place(&self, path: &AbsPath) -> io::Result<Place> {
        let (Some(folder), Some((_, name))) = (path.parent(), path.as_str().rsplit_once('/')) else {
            return Err(io::Error::other("the root itself is not written"));
        };
        Ok(Place { parent: self.folder(&folder)?, name: name.to_owned() })
    }
    /// Which of the folders above `path` are not there, outermost first.
    ///
    /// # Errors
    /// If one of them can't be entered.
    pub fn missing_folders(&self, path: &AbsPath) -> io::Result<Vec<AbsPath>> {
        let mut missing = Vec::new();
        for folder in std::iter::successors(path.parent(), AbsPath::parent) {
            if self.see(folder.as_str())?.is_some() {
                break;
            }
            missing.push(folder);
        }
        missing.reverse();
        Ok(missing)
    }
    /// Where the folder `path` really lies on this machine, for a program that takes paths only.
    ///
    /// # Errors
    /// If it is not there.
    pub fn real_path(&self, path: &AbsPath) -> io::Result<PathBuf> {
        use std::os::fd::AsRawFd as _;
        let folder = self.folder(path)?;
        std::fs::read_link(format!("/proc/self/fd/{}", folder.as_raw_fd()))
    }

    fn folder(&self, path: &AbsPath) -> io::Result<OwnedFd> {
        let seen = self.walk(path.as_str(), true)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(openat(&seen.parent, &seen.name, flags, Mode::empty())?)
    }
}

impl Place {
    /// Makes or replaces the file here: `fill` writes it aside, then it takes its name in one step and is on the disk.
    ///
    /// # Errors
    /// What `fill` gives, or the system's refusal (a full disk); then what was here before is untouched.
    pub fn write<E: From<io::Error>>(
        &self,
        ownership: Ownership,
        fill: impl FnOnce(&mut File) -> Result<(), E>,
    ) -> Result<(), E> {
        self.clear_leftover()?;
        let written = self.write_aside(ownership, fill);
        if written.is_err() {
            // The first error is the one to tell; what can't be removed now is removed by the next run.
            let _ = self.clear_leftover();
        }
        written
    }

    fn write_aside<E: From<io::Error>>(
        &self,
        ownership: Ownership,
        fill: impl FnOnce(&mut File) -> Result<(), E>,
    ) -> Result<(), E> {
        let aside = self.aside();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file =
            openat(&self.parent, &aside, flags, Mode::from_raw_mode(0o600)).map_err(io::Error::from)?;
        let mut file = File::from(file);
        fill(&mut file)?;
        let stat = fstat(&file).map_err(io::Error::from)?;
        self.own(&aside, &stat, ownership)?;
        if Ownership::of(&stat).bits != ownership.bits {
            fchmod(&file, Mode::from_raw_mode(ownership.bits)).map_err(io::Error::from)?;
        }
        file.sync_all()?;
        renameat(&self.parent, &aside, &self.parent, &self.name).map_err(io::Error::from)?;
        Ok(self.sync()?)
    }

    /// Makes the folder here: aside, then it takes its name in one step, with its owner and mode.
    ///
    /// # Errors
    /// If something is here already, or the system refuses.
    pub fn make_folder(&self, ownership: Ownership) -> io::Result<()> {
        if self.stat()?.is_some() {
            return Err(Errno::EXIST.into());
        }
        self.clear_leftover()?;
        mkdirat(&self.parent, self.aside(), Mode::from_raw_mode(ownership.bits & 0o700))?;
        let aside = Self { parent: rustix::io::dup(&self.parent)?, name: self.aside() };
        let named = aside
            .set(ownership)
            .and_then(|()| Ok(renameat(&self.parent, &aside.name, &self.parent, &self.name)?));
        if named.is_err() {
            // The first error is the one to tell; what can't be removed now is removed by the next run.
            let _ = self.clear_leftover();
        }
        named?;
        self.sync()
    }
    /// Makes the symbolic link here, in the place of whatever file or link there is.
    ///
    /// # Errors
    /// If a folder is here, or the system refuses.
    pub fn link(&self, target: &str) -> io::Result<()> {
        self.clear_leftover()?;
        symlinkat(target, &self.parent, self.aside())?;
        renameat(&self.parent, self.aside(), &self.parent, &self.name)?;
        self.sync()
    }
    /// Gives the file or folder here this owner and mode, where they differ.
    ///
    /// # Errors
    /// If nothing or a link is here, or the system refuses.
    pub fn set(&self, ownership: Ownership) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let open = openat(&self.parent, &self.name, flags, Mode::empty())?;
        let stat = fstat(&open)?;
        self.own(&self.name, &stat, ownership)?;
        if fstat(&open)?.st_mode & 0o7777 != ownership.bits {
            fchmod(&open, Mode::from_raw_mode(ownership.bits))?;
        }
        Ok(fsync(&open)?)
    }
    /// Removes the file or link here.
    ///
    /// # Errors
    /// If a folder is here, or the system refuses; nothing being here is none.
    pub fn remove(&self) -> io::Result<()> {
        gone(unlinkat(&self.parent, &self.name, AtFlags::empty()))?;
        self.sync()
    }
    /// Removes the folder here if it is empty; tells whether it is gone.
    ///
    /// # Errors
    /// If a file is here, or the system refuses for another reason than something lying in it.
    pub fn remove_folder(&self) -> io::Result<bool> {
        match gone(unlinkat(&self.parent, &self.name, AtFlags::REMOVEDIR)) {
            // A mount point is in use like a folder with something in it.
            Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::NOTEMPTY | Errno::BUSY)) => {
                Ok(false)
            }
            Err(error) => Err(error),
            Ok(()) => self.sync().map(|()| true),
        }
    }
    /// Removes what a killed run left aside of this place.
    ///
    /// # Errors
    /// The system's refusal.
    pub fn clear_leftover(&self) -> io::Result<()> {
        match unlinkat(&self.parent, self.aside(), AtFlags::empty()) {
            // A folder gets its name before anything is put into it.
            Err(Errno::ISDIR) => gone(unlinkat(&self.parent, self.aside(), AtFlags::REMOVEDIR)),
            removed => gone(removed),
        }
    }
    /// What is here, links not followed; `None` if nothing is.
    ///
    /// # Errors
    /// The system's refusal.
    pub fn stat(&self) -> io::Result<Option<Stat>> {
        match statat(&self.parent, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
    /// Opens the file here to append to it, made for the caller alone if it is not there.
    ///
    /// # Errors
    /// If it is no regular file, or the system refuses.
    pub fn append(&self) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(openat(&self.parent, &self.name, flags, Mode::from_raw_mode(0o600))?);
        if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
            return Err(io::Error::other("it is no regular file"));
        }
        self.sync()?;
        Ok(file)
    }
    /// Where the symbolic link here points to.
    ///
    /// # Errors
    /// If there is none.
    pub fn target(&self) -> io::Result<String> {
        Ok(readlinkat(&self.parent, &self.name, Vec::new())?.to_string_lossy().into_owned())
    }

    fn own(&self, name: &str, stat: &Stat, ownership: Ownership) -> io::Result<()> {
        if (stat.st_uid, stat.st_gid) == (ownership.uid, ownership.gid) {
            return Ok(());
        }
        let (user, group) = (Uid::from_raw(ownership.uid), Gid::from_raw(ownership.gid));
        Ok(chownat(&self.parent, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)?)
    }
    /// The name a file has until it is whole; short, because the name it gets may be as long as names may be.
    fn aside(&self) -> String {
        format!(".rootstock-{}", Digest::sha256_of(self.name.as_bytes()).short())
    }
    /// A name is only safe once its folder is on the disk.
    fn sync(&self) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(fsync(openat(&self.parent, ".", flags, Mode::empty())?)?)
    }
}

fn gone(removed: Result<(), Errno>) -> io::Result<()> {
    match removed {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn path(text: &str) -> AbsPath {
        text.parse().unwrap()
    }

    fn text(place: &Place, text: &str) -> io::Result<()> {
        place.write(Ownership::private(0o640), |file| file.write_all(text.as_bytes()))
    }

    #[test]
    fn a_file_is_whole_or_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        let place = root.place(&path("/x")).unwrap();
        text(&place, "one").unwrap();
        let failed = place.write(Ownership::private(0o600), |file| {
            file.write_all(b"half")?;
            Err(io::Error::other("the disk is full"))
        });
        assert_eq!(failed.unwrap_err().to_string(), "the disk is full");
        assert_eq!(fs::read_to_string(folder.path().join("x")).unwrap(), "one");
        assert_eq!(fs::metadata(folder.path().join("x")).unwrap().permissions().mode() & 0o7777, 0o640);
        // As a kill would leave it: the next write is not disturbed, and nothing stays.
        fs::write(folder.path().join(place.aside()), "half").unwrap();
        text(&place, "two").unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("x")).unwrap(), "two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_at_the_end_is_replaced_and_one_on_the_way_stays_inside() {
        let outer = tempfile::tempdir().unwrap();
        let inner = outer.path().join("root");
        fs::create_dir_all(inner.join("etc")).unwrap();
        fs::write(outer.path().join("outside"), "precious").unwrap();
        symlink("../../outside", inner.join("etc/x")).unwrap();
        symlink(outer.path(), inner.join("srv")).unwrap();
        let root = Root::open(&inner).unwrap();
        text(&root.place(&path("/etc/x")).unwrap(), "ours").unwrap();
        assert!(root.place(&path("/srv/outside")).is_err(), "there is no such folder inside");
        assert!(root.place(&path("/etc/x")).unwrap().make_folder(Ownership::private(0o755)).is_err());
        assert_eq!(fs::read_to_string(outer.path().join("outside")).unwrap(), "precious");
        assert_eq!(fs::read_to_string(inner.join("etc/x")).unwrap(), "ours");
    }

    #[test]
    fn folders_are_made_and_only_empty_ones_removed() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        let missing = root.missing_folders(&path("/a/b/c")).unwrap();
        assert_eq!(missing, [path("/a"), path("/a/b")]);
        for folder in &missing {
            root.place(folder).unwrap().make_folder(Ownership::private(0o2755)).unwrap();
        }
        assert_eq!(fs::metadata(folder.path().join("a/b")).unwrap().permissions().mode() & 0o7777, 0o2755);
        // As a kill would leave it: not in the way, and gone afterwards.
        let place = root.place(&path("/a/d")).unwrap();
        fs::create_dir(folder.path().join("a").join(place.aside())).unwrap();
        place.make_folder(Ownership::private(0o755)).unwrap();
        assert!(place.make_folder(Ownership::private(0o755)).is_err(), "it is there");
        assert_eq!(fs::read_dir(folder.path().join("a")).unwrap().count(), 2);
        assert!(place.remove_folder().unwrap());
        assert!(!root.place(&path("/a")).unwrap().remove_folder().unwrap());
        assert!(root.place(&path("/a/b")).unwrap().remove_folder().unwrap());
        assert!(root.place(&path("/")).is_err());
    }
}
