//! One file out of a verified bundle.
//!
//! In: the bundle and a path of its manifest. Out: the bytes, read again from where the bundle lies; whoever takes them
//! holds them against the manifest's digest on the way, since the place may have changed since it was verified.

use std::fs::File;
use std::io::Read;

use desired::manifest::{BundlePath, FOLDER};
use rustix::fs::{Mode, OFlags, open};

use super::{Bundle, BundleError, folder};
use crate::archive::{ArchiveError, gzip, tar};
use crate::verified::Verified;

/// Why the reading of an archive ended.
enum Stop<E> {
    /// The file was taken; the rest is of no interest.
    Taken,
    Failed(E),
}

impl<E: From<BundleError>> From<ArchiveError> for Stop<E> {
    fn from(error: ArchiveError) -> Self {
        Self::Failed(BundleError::from(error).into())
    }
}

/// Hands the bytes of the file `path` to `copy`.
///
/// # Errors
/// [`BundleError`] if it can't be read or is gone; whatever `copy` gives.
pub fn take<E: From<BundleError>>(
    bundle: &Verified<Bundle>,
    path: &BundlePath,
    copy: impl FnOnce(&mut dyn Read) -> Result<(), E>,
) -> Result<(), E> {
    let unreadable = |error: std::io::Error| BundleError::unreadable(&bundle.place)(error);
    if bundle.place.is_dir() {
        let file = folder::locate(&bundle.place)?.join(path.as_str());
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let open = open(&file, flags, Mode::empty())
            .map_err(|error| BundleError::unreadable(&file)(error.into()))?;
        return copy(&mut File::from(open));
    }
    let file = File::open(&bundle.place).map_err(unreadable)?;
    let (wanted, mut copy) = (format!("{FOLDER}/{path}"), Some(copy));
    let read = tar::read(gzip::Reader::new(file), &tar::Limits::BUNDLE, |member| {
        match copy.take_if(|_| member.path == wanted) {
            Some(copy) => match copy(member) {
                Ok(()) => Err(Stop::Taken),
                Err(error) => Err(Stop::Failed(error)),
            },
            None => Ok(()),
        }
    });
    match read {
        Err(Stop::Taken) => Ok(()),
        Err(Stop::Failed(error)) => Err(error),
        Ok(()) => Err(BundleError::refused(path.as_str(), "it was in the bundle and is gone").into()),
    }
}
