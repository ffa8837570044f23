//! Fetched files by their digest, shared by all clusters and all runs of one person.
//!
//! In: finished, verified files. Out: [`Verified`] ones. `sha256/<hex>` holds them read-only, `stamps/<hex>` their
//! size, times and inode from when they were last hashed: while those hold, a file is trusted without being read again
//! (a second run over hundreds of MiB takes no time), and whoever copies its bytes can still read them through
//! [`CachedFile::open`], which compares the digest at the end. `partial/` holds only what can be continued;
//! `locks/` keeps two runs from doing the same work.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use desired::Digest;
use desired::types::DigestAlgorithm;
use rustix::fs::FlockOperation;

use crate::digest::Hasher;
use crate::verified::Verified;

/// The environment variable that puts the cache elsewhere.
pub const CACHE_VARIABLE: &str = "ROOTSTOCK_CACHE";

/// An act on the cache that the system refused.
#[derive(Debug, thiserror::Error)]
#[error("can't {act} {}: {source}; set {CACHE_VARIABLE} to a folder that can be written and has room", path.display())]
pub struct CacheError {
    act: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// The folder.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

/// A file of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedFile {
    /// Where it is; read-only.
    pub path: PathBuf,
    /// The SHA-256 of its bytes.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

impl CachedFile {
    /// Opens it for copying: the last read fails when the bytes are no longer those of the digest.
    ///
    /// # Errors
    /// If it can't be opened.
    pub fn open(&self) -> Result<CheckedReader, CacheError> {
        let file = File::open(&self.path).map_err(refused("open", &self.path))?;
        let hasher = Hasher::new(DigestAlgorithm::Sha256);
        Ok(CheckedReader { file, hasher: Some(hasher), digest: self.digest.clone(), path: self.path.clone() })
    }
}

/// Reads a cached file and compares its digest at the end.
#[derive(Debug)]
pub struct CheckedReader {
    file: File,
    hasher: Option<Hasher>,
    digest: Digest,
    path: PathBuf,
}

impl Read for CheckedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        if count > 0 || buffer.is_empty() {
            if let Some(hasher) = &mut self.hasher {
                hasher.update(&buffer[..count]);
            }
            return Ok(count);
        }
        match self.hasher.take().map(Hasher::finish) {
            Some(digest) if digest != self.digest => {
                let message = format!("{} changed in the cache: it is {digest} now", self.path.display());
                Err(io::Error::new(io::ErrorKind::InvalidData, message))
            }
            _ => Ok(0),
        }
    }
}

impl Cache {
    /// The person's cache: `ROOTSTOCK_CACHE`, else `rootstock` in `XDG_CACHE_HOME` or `~/.cache`.
    ///
    /// # Errors
    /// If none of the variables says where, or the folder can't be made.
    pub fn of_this_person() -> Result<Self, CacheError> {
        let absolute =
            |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let root = absolute(CACHE_VARIABLE)
            .or_else(|| absolute("XDG_CACHE_HOME").map(|folder| folder.join("rootstock")))
            .or_else(|| absolute("HOME").map(|folder| folder.join(".cache/rootstock")));
        let unknown = || CacheError {
            act: "find",
            path: "the cache folder".into(),
            source: io::Error::new(io::ErrorKind::NotFound, "HOME is not set"),
        };
        Self::at(root.ok_or_else(unknown)?)
    }
    /// A cache in this folder.
    ///
    /// # Errors
    /// If the folder can't be made.
    pub fn at(root: impl Into<PathBuf>) -> Result<Self, CacheError> {
        let root = root.into();
        for name in ["sha256", "stamps", "partial", "locks"] {
            let folder = root.join(name);
            fs::create_dir_all(&folder).map_err(refused("make", &folder))?;
        }
        Ok(Self { root })
    }
    /// Its folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }
    /// The file with this SHA-256, if it is here. One whose bytes changed is thrown away.
    ///
    /// # Errors
    /// If it is here and can't be read.
    pub fn get(&self, digest: &Digest) -> Result<Option<Verified<CachedFile>>, CacheError> {
        let path = self.blob(digest);
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(refused("look at", &path)(error)),
        };
        let stamp = self.root.join("stamps").join(digest.hex());
        let stamped = fs::read_to_string(&stamp).is_ok_and(|text| text == stamp_of(&metadata));
        if !stamped {
            let same = metadata.is_file() && hash(&path, DigestAlgorithm::Sha256)? == *digest;
            if !same {
                fs::remove_file(&path).map_err(refused("remove", &path))?;
                return Ok(None);
            }
            self.write_stamp(digest, &metadata)?;
        }
        Ok(Some(Verified::new(CachedFile { path, digest: digest.clone(), size: metadata.len() })))
    }
    /// The file that was once taken out of a download with this digest, if it is still here.
    ///
    /// # Errors
    /// If it is here and can't be read.
    pub fn get_member(
        &self,
        download: &Digest,
        member: &str,
    ) -> Result<Option<Verified<CachedFile>>, CacheError> {
        let digest =
            fs::read_to_string(self.member_note(download, member)).ok().and_then(|text| text.parse().ok());
        digest.map_or(Ok(None), |digest| self.get(&digest))
    }
    /// Notes which file a member of a verified download is.
    ///
    /// # Errors
    /// If it can't be written.
    pub(crate) fn note_member(
        &self,
        download: &Digest,
        member: &str,
        file: &Digest,
    ) -> Result<(), CacheError> {
        let path = self.member_note(download, member);
        write_whole(&path, &file.to_string())
    }
    /// Takes a finished file in. The digest must have been computed from the bytes of `from` by the caller.
    ///
    /// # Errors
    /// If it can't be moved or marked read-only.
    pub(crate) fn take(&self, from: &Path, digest: &Digest) -> Result<Verified<CachedFile>, CacheError> {
        let path = self.blob(digest);
        fs::set_permissions(from, fs::Permissions::from_mode(0o444))
            .map_err(refused("mark read-only", from))?;
        fs::rename(from, &path).map_err(refused("move a file to", &path))?;
        let metadata = fs::symlink_metadata(&path).map_err(refused("look at", &path))?;
        self.write_stamp(digest, &metadata)?;
        Ok(Verified::new(CachedFile { path, digest: digest.clone(), size: metadata.len() }))
    }
    /// Keeps every other run and thread out of the work named `key` until the guard is dropped.
    ///
    /// # Errors
    /// If the lock file can't be made or locked.
    pub(crate) fn lock(&self, key: &str, on_wait: impl FnOnce()) -> Result<WorkLock, CacheError> {
        let path = self.root.join("locks").join(key);
        let open = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = open.map_err(refused("open", &path))?;
        if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            on_wait();
            let lock = || rustix::fs::flock(&file, FlockOperation::LockExclusive);
            rustix::io::retry_on_intr(lock).map_err(|error| refused("lock", &path)(error.into()))?;
        }
        Ok(WorkLock { _file: file })
    }
    /// Where an unfinished file named `name` lives.
    pub(crate) fn partial(&self, name: &str) -> PathBuf {
        self.root.join("partial").join(name)
    }

    fn blob(&self, digest: &Digest) -> PathBuf {
        self.root.join("sha256").join(digest.hex())
    }
    fn member_note(&self, download: &Digest, member: &str) -> PathBuf {
        let member = Digest::sha256_of(member.as_bytes());
        self.root.join("stamps").join(format!("{}-{}", &download.hex()[..64], member.short()))
    }
    fn write_stamp(&self, digest: &Digest, metadata: &fs::Metadata) -> Result<(), CacheError> {
        write_whole(&self.root.join("stamps").join(digest.hex()), &stamp_of(metadata))
    }
}

/// Holds other runs off while it lives.
#[derive(Debug)]
pub(crate) struct WorkLock {
    _file: File,
}

/// What changes whenever bytes do: a change of content moves the change time, and a copy has another inode.
fn stamp_of(metadata: &fs::Metadata) -> String {
    let times = (metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec());
    format!("{} {times:?} {}\n", metadata.len(), metadata.ino())
}

/// The digest of a file's bytes.
pub(crate) fn hash(path: &Path, algorithm: DigestAlgorithm) -> Result<Digest, CacheError> {
    let mut hasher = Hasher::new(algorithm);
    let mut file = File::open(path).map_err(refused("open", path))?;
    io::copy(&mut file, &mut hasher).map_err(refused("read", path))?;
    Ok(hasher.finish())
}

/// For `map_err`: what was done to what.
pub(crate) fn refused(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CacheError {
    let path = path.to_owned();
    move |source| CacheError { act, path, source }
}

/// Writes a small file so that it is either there as a whole or not at all.
pub(crate) fn write_whole(path: &Path, text: &str) -> Result<(), CacheError> {
    let aside = path.with_extension(format!("tmp-{}", std::process::id()));
    let write = || -> io::Result<()> {
        File::create(&aside)?.write_all(text.as_bytes())?;
        fs::rename(&aside, path)
    };
    write().map_err(|error| {
        drop(fs::remove_file(&aside));
        refused("write", path)(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_file(content: &[u8]) -> (tempfile::TempDir, Cache, Verified<CachedFile>) {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().join("cache")).unwrap();
        fs::write(cache.partial("x"), content).unwrap();
        let file = cache.take(&cache.partial("x"), &Digest::sha256_of(content)).unwrap();
        (folder, cache, file)
    }

    #[test]
    fn what_was_taken_is_found_read_only_and_nothing_is_left_aside() {
        let (_folder, cache, file) = with_file(b"bytes");
        assert_eq!(cache.get(&Digest::sha256_of(b"bytes")).unwrap(), Some(file.clone()));
        assert_eq!(fs::metadata(&file.path).unwrap().mode() & 0o777, 0o444);
        assert_eq!(fs::read_dir(cache.root().join("partial")).unwrap().count(), 0);
        assert_eq!(cache.get(&Digest::sha256_of(b"other")).unwrap(), None);
        let mut bytes = Vec::new();
        file.open().unwrap().read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"bytes");
    }

    #[test]
    fn changed_bytes_are_noticed_in_the_cache_and_while_copying() {
        let (_folder, cache, file) = with_file(b"bytes");
        fs::set_permissions(&file.path, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(&file.path, b"bytez").unwrap();
        let error = file.open().unwrap().read_to_end(&mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("changed in the cache"), "{error}");
        assert_eq!(cache.get(&file.digest).unwrap(), None);
        assert!(!file.path.exists(), "it was thrown away");
    }

    #[test]
    fn a_copied_cache_is_hashed_once_and_then_trusted() {
        let (folder, cache, file) = with_file(b"bytes");
        let copy = Cache::at(folder.path().join("copy")).unwrap();
        fs::copy(&file.path, copy.blob(&file.digest)).unwrap();
        fs::copy(
            cache.root().join("stamps").join(file.digest.hex()),
            copy.root().join("stamps").join(file.digest.hex()),
        )
        .unwrap();
        assert!(copy.get(&file.digest).unwrap().is_some());
        let stamp = fs::read_to_string(copy.root().join("stamps").join(file.digest.hex())).unwrap();
        assert_eq!(stamp, stamp_of(&fs::metadata(copy.blob(&file.digest)).unwrap()));
    }

    #[test]
    fn members_are_found_by_their_download() {
        let (_folder, cache, file) = with_file(b"bytes");
        let download = Digest::sha256_of(b"archive");
        cache.note_member(&download, "bin/x", &file.digest).unwrap();
        assert_eq!(cache.get_member(&download, "bin/x").unwrap(), Some(file));
        assert_eq!(cache.get_member(&download, "bin/y").unwrap(), None);
    }

    #[test]
    fn the_second_waits_for_the_first() {
        let (_folder, cache, _) = with_file(b"");
        let first = cache.lock("k", || panic!("nobody else is here")).unwrap();
        let (told, waiting) = std::sync::mpsc::channel();
        let second =
            std::thread::spawn(move || drop(cache.lock("k", move || told.send(()).unwrap()).unwrap()));
        waiting.recv().unwrap();
        assert!(!second.is_finished());
        drop(first);
        second.join().unwrap();
    }

    #[test]
    fn a_cache_that_cant_be_made_says_what_to_do() {
        let error = Cache::at("/proc/nowhere").unwrap_err().to_string();
        assert!(
            error.contains("can't make /proc/nowhere/sha256") && error.contains(CACHE_VARIABLE),
            "{error}"
        );
    }
}
