//! From a place to a verified bundle: every byte is read once, nothing is written.
//!
//! In: a folder or a `tar.gz`. Out: the [`Bundle`], or the first thing that makes it untrustworthy; differences to the
//! manifest are collected, everything worse ends the reading at once.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use desired::manifest::FOLDER;

use super::found::{FileFault, Found};
use super::{Bundle, BundleError, folder};
use crate::archive::{ArchiveError, gzip, tar};
use crate::signature::PublicKey;
use crate::verified::Verified;

/// The gzip header that we write. The decoder skips time and system, so another one would go unnoticed.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// Reads the bundle at `place` and holds every byte of it against its manifest, and that against its signature where a
/// key is pinned.
///
/// # Errors
/// [`BundleError`].
pub fn verify(place: &Path, key: Option<&PublicKey>) -> Result<Verified<Bundle>, BundleError> {
    let metadata = std::fs::metadata(place).map_err(BundleError::unreadable(place))?;
    let mut found = Found::default();
    if metadata.is_dir() {
        let root = folder::locate(place)?;
        folder::walk(&root, &mut found)?;
    } else {
        let mut file = File::open(place).map_err(BundleError::unreadable(place))?;
        let mut header = [0; GZIP_HEADER.len()];
        match file.read_exact(&mut header) {
            Ok(()) if header == GZIP_HEADER => {}
            Ok(()) if header.starts_with(&GZIP_HEADER[..2]) => {
                let why = "its gzip header is not the one that is written; fetch or build it again";
                return Err(BundleError::refused(&place.to_string_lossy(), why));
            }
            Ok(()) => return Err(BundleError::NoBundle(place.to_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Err(BundleError::NoBundle(place.to_owned()));
            }
            Err(error) => return Err(BundleError::unreadable(place)(error)),
        }
        archive((&header[..]).chain(file), &mut found)?;
    }
    found.finish(place, key).map(Verified::new)
}

fn archive(stream: impl Read, found: &mut Found) -> Result<(), BundleError> {
    tar::read(gzip::Reader::new(stream), &tar::Limits::BUNDLE, |member| {
        let path = match member.path.strip_prefix(FOLDER) {
            Some("") if member.kind == tar::Kind::Folder => return Ok(()),
            Some(rest) if rest.starts_with('/') => rest[1..].to_owned(),
            _ => return Err(BundleError::refused(&member.path, format!("it lies outside of {FOLDER}/"))),
        };
        match &member.kind {
            tar::Kind::Folder => found.folder(&path),
            tar::Kind::File => {
                let (mode, size) = (member.mode, member.size);
                found.file(&path, mode, size, member).map_err(|fault| match fault {
                    FileFault::Refused(why) => BundleError::refused(&path, why),
                    FileFault::Read(source) => {
                        BundleError::Archive(ArchiveError::Damaged { after: path.clone(), source })
                    }
                })
            }
            tar::Kind::Link(_) => Err(BundleError::refused(&path, "it is a symbolic link")),
        }
    })
}
