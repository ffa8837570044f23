//! A file system that is full after a given number of bytes.

use std::path::{Path, PathBuf};

/// A size-limited tmpfs, unmounted when dropped.
pub(crate) struct SmallDisk {
    // Declared first: the mount must be gone before its folder is.
    mount: Mount,
    _folder: tempfile::TempDir,
}

struct Mount(PathBuf);

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(&self.0, rustix::mount::UnmountFlags::DETACH);
    }
}

impl SmallDisk {
    /// Mounts one of `kib` KiB; none, with the reason printed, where that is not allowed.
    pub(crate) fn mount(kib: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let options = std::ffi::CString::new(format!("size={kib}k")).unwrap();
        let flags = rustix::mount::MountFlags::empty();
        match rustix::mount::mount("tmpfs", folder.path(), "tmpfs", flags, options.as_c_str()) {
            Ok(()) => Some(Self { mount: Mount(folder.path().to_owned()), _folder: folder }),
            Err(error) => {
                println!("skipped: mounting a small tmpfs needs root: {error}");
                None
            }
        }
    }
    pub(crate) fn path(&self) -> &Path {
        &self.mount.0
    }
    /// Names of the files on it.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}
