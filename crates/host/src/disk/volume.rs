//! Files put on a FAT volume that lies under an [`Overlay`].
//!
//! In: an overlay of a boot partition, files, a name for the volume. Out: the overlay with them; times are fixed, so the
//! same files always make the same blocks. What does not fit is refused before anything is written, files that are there
//! stay unless they are named.

use std::collections::BTreeSet;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use desired::ByteSize;
use fatfs::{FileSystem, FsOptions};

use super::fat::Fat;
use super::overlay::Overlay;
use super::{DiskError, ReadAt};

/// Bytes in an entry of a folder.
const ENTRY: usize = 32;
/// What the name of a deleted entry begins with.
const DELETED: u8 = 0xe5;

/// Where a file's bytes are.
#[derive(Debug, Clone, Copy)]
pub enum Content<'a> {
    /// In memory.
    Bytes(&'a [u8]),
    /// In a file at the desk.
    File(&'a Path),
}

/// Why files can't be put on a volume.
#[derive(Debug, thiserror::Error)]
pub enum VolumeError {
    /// The partition holds no FAT.
    #[error("the boot partition is not FAT, so nothing can be put on it")]
    NoFat,
    /// It is damaged.
    #[error("the boot partition can't be read")]
    Damaged(#[from] DiskError),
    /// It is too small.
    #[error(
        "the boot partition has {free} left, and the files take {needed}: nothing was written; leave the bundle out, so that the node fetches it"
    )]
    Full {
        /// Free bytes.
        free: ByteSize,
        /// Wanted bytes, in whole clusters.
        needed: ByteSize,
    },
    /// A file at the desk can't be read.
    #[error("can't read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The file system refused.
    #[error("can't put {path} on the boot partition")]
    Refused {
        /// The file's path there.
        path: String,
        /// The answer.
        source: io::Error,
    },
    /// The volume can't take the name.
    #[error("the boot partition can't be named {0}")]
    Label(String),
}

impl Content<'_> {
    fn size(&self) -> Result<u64, VolumeError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.len() as u64),
            Self::File(path) => std::fs::metadata(path)
                .map(|data| data.len())
                .map_err(|source| VolumeError::Unreadable { path: path.to_path_buf(), source }),
        }
    }
}

/// Bytes that are free on a volume, and its length.
///
/// # Errors
/// [`VolumeError`] if it is no FAT, or damaged.
pub fn room<R: ReadAt + ?Sized>(volume: &R) -> Result<(ByteSize, ByteSize), VolumeError> {
    let fat = Fat::open(volume)?.ok_or(VolumeError::NoFat)?;
    Ok((ByteSize(fat.free()), ByteSize(volume.size())))
}

/// The volume with `files`, by path, and named `label` if one is given.
///
/// # Errors
/// [`VolumeError`]; what was changed then is in the overlay alone, which is dropped.
pub fn put<'a, R: ReadAt + ?Sized>(
    overlay: Overlay<'a, R>,
    files: &[(&str, Content<'_>)],
    label: Option<&str>,
) -> Result<Overlay<'a, R>, VolumeError> {
    fits(&overlay, files)?;
    let refused = |path: &str| {
        let path = path.to_owned();
        move |source| VolumeError::Refused { path, source }
    };
    let mut overlay = overlay;
    {
        let system = FileSystem::new(&mut overlay, FsOptions::new().update_accessed_date(false))
            .map_err(refused("/"))?;
        let root = system.root_dir();
        for (path, content) in files {
            let names: Vec<&str> = path.split('/').collect();
            for depth in 1..names.len() {
                root.create_dir(&names[..depth].join("/")).map_err(refused(path))?;
            }
            let mut file = root.create_file(path).map_err(refused(path))?;
            file.truncate().map_err(refused(path))?;
            match content {
                Content::Bytes(bytes) => file.write_all(bytes).map_err(refused(path))?,
                Content::File(source) => {
                    let copied =
                        std::fs::File::open(source).and_then(|mut from| io::copy(&mut from, &mut file));
                    copied.map(drop).map_err(refused(path))?;
                }
            }
            file.flush().map_err(refused(path))?;
        }
        drop(root);
        system.unmount().map_err(refused("/"))?;
    }
    let overlay = tidied(overlay, files)?;
    match label {
        Some(label) => named(overlay, label),
        None => Ok(overlay),
    }
}

/// Refuses what does not fit: every file in whole clusters, and two more for each folder it may need.
fn fits<R: ReadAt + ?Sized>(volume: &R, files: &[(&str, Content<'_>)]) -> Result<(), VolumeError> {
    let fat = Fat::open(volume)?.ok_or(VolumeError::NoFat)?;
    let whole = |size: u64| size.div_ceil(fat.cluster()) * fat.cluster();
    let (mut needed, mut free, mut folders) = (0, fat.free(), BTreeSet::from([""]));
    for (path, content) in files {
        needed += whole(content.size()?);
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        folders.insert(folder);
        // What is replaced gives its clusters back.
        let old = fat.list(folder)?.unwrap_or_default();
        free += old
            .iter()
            .find(|entry| entry.name.eq_ignore_ascii_case(name))
            .map_or(0, |entry| whole(u64::from(entry.size)));
    }
    needed += folders.len() as u64 * 2 * fat.cluster();
    if needed > free {
        return Err(VolumeError::Full { free: ByteSize(free), needed: ByteSize(needed) });
    }
    Ok(())
}

/// Folders as everybody else makes them: `fatfs` gives `.` and `..` long names too, which takes them from the first two
/// places where they must be, and writes the root's cluster where 0 stands for it; fsck.vfat calls both damage.
fn tidied<'a, R: ReadAt + ?Sized>(
    mut overlay: Overlay<'a, R>,
    files: &[(&str, Content<'_>)],
) -> Result<Overlay<'a, R>, VolumeError> {
    let depths =
        |path: &str| path.match_indices('/').map(|(at, _)| path[..at].to_owned()).collect::<Vec<_>>();
    let folders: BTreeSet<String> = files.iter().flat_map(|(path, _)| depths(path)).collect();
    for folder in folders {
        let place = Fat::open(&overlay)?.ok_or(VolumeError::NoFat)?.folder_place(&folder)?;
        let Some(place) = place else { continue };
        let mut slots = ReadAt::bytes(&overlay, place, 4 * ENTRY)?;
        let is_long = |at: usize| slots[at * ENTRY + 11] & 0x3f == 0x0f;
        let is_dot = |at: usize, name: &[u8]| slots[at * ENTRY..].starts_with(name);
        if !(is_long(0) && is_dot(1, b".  ") && is_long(2) && is_dot(3, b".. ")) {
            continue;
        }
        slots.copy_within(ENTRY..2 * ENTRY, 0);
        slots.copy_within(3 * ENTRY.., ENTRY);
        slots[2 * ENTRY..].fill(0);
        if !folder.contains('/') {
            // The root's place is written as 0 there, also where it has a cluster (FAT specification, section 6.5).
            slots[ENTRY + 20..ENTRY + 22].fill(0);
            slots[ENTRY + 26..ENTRY + 28].fill(0);
        }
        (slots[2 * ENTRY], slots[3 * ENTRY]) = (DELETED, DELETED);
        let refused = |source| VolumeError::Refused { path: folder.clone(), source };
        overlay.seek(SeekFrom::Start(place)).and_then(|_| overlay.write_all(&slots)).map_err(refused)?;
    }
    Ok(overlay)
}

/// Gives the volume its name, in the root folder and in the boot sector and its copy, which must agree.
fn named<'a, R: ReadAt + ?Sized>(
    mut overlay: Overlay<'a, R>,
    label: &str,
) -> Result<Overlay<'a, R>, VolumeError> {
    let is_name = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    let wrong = || VolumeError::Label(label.to_owned());
    if label.is_empty() || label.len() > 11 || !label.bytes().all(is_name) {
        return Err(wrong());
    }
    let name = format!("{label:<11}");
    let (slot, places) = {
        let fat = Fat::open(&overlay)?.ok_or(VolumeError::NoFat)?;
        (fat.label_slot()?.ok_or_else(wrong)?, fat.label_places())
    };
    let mut entry = [0; 32];
    entry[..11].copy_from_slice(name.as_bytes());
    entry[11] = 0x08;
    // The day FAT's time begins, as all other times of ours.
    entry[24..26].copy_from_slice(&0x21_u16.to_le_bytes());
    let writes = places.into_iter().map(|at| (at, name.as_bytes())).chain([(slot, &entry[..])]);
    for (at, bytes) in writes {
        let refused = |source| VolumeError::Refused { path: "its name".to_owned(), source };
        overlay.seek(SeekFrom::Start(at)).and_then(|_| overlay.write_all(bytes)).map_err(refused)?;
    }
    Ok(overlay)
}

#[cfg(test)]
mod tests {
    use fatfs::{FatType, FormatVolumeOptions, format_volume};

    use super::*;
    use crate::disk::Part;
    use crate::disk::overlay::{Patch, Patched};

    const START: usize = 1 << 20;

    /// A disk with a volume of `mebibytes` from its second MiB on, with a file that was there before.
    fn disk(mebibytes: usize, kind: FatType) -> Vec<u8> {
        let mut disk = vec![0xa5; START * (mebibytes + 1)];
        let mut volume = io::Cursor::new(&mut disk[START..]);
        let options = FormatVolumeOptions::new().fat_type(kind);
        let options = if kind == FatType::Fat32 { options.bytes_per_cluster(512) } else { options };
        format_volume(&mut volume, options).unwrap();
        let system = FileSystem::new(&mut volume, FsOptions::new()).unwrap();
        system.root_dir().create_file("cmdline.txt").unwrap().write_all(b"root=X\n").unwrap();
        drop(system);
        disk
    }

    fn made(disk: &[u8], files: &[(&str, Content<'_>)], label: Option<&str>) -> Result<Patch, VolumeError> {
        let overlay = Overlay::new(disk, START as u64, (disk.len() - START) as u64);
        Ok(put(overlay, files, label)?.into_patch()?)
    }

    #[test]
    fn files_are_put_beside_those_that_are_there() {
        let long = vec![7; 300_000];
        for (mebibytes, kind) in [(4, FatType::Fat12), (16, FatType::Fat16), (40, FatType::Fat32)] {
            let base = disk(mebibytes, kind);
            let files = [
                ("user-data", Content::Bytes(b"#cloud-config\n")),
                ("rootstock/a-bundle-with-a-long-name.tar.gz", Content::Bytes(&long)),
                ("rootstock/after/user-data", Content::Bytes(b"x")),
            ];
            let patch = made(&base, &files, Some("CIDATA")).unwrap();
            assert_eq!(patch.digest(), made(&base, &files, Some("CIDATA")).unwrap().digest(), "{kind:?}");
            let card = Patched::new(&base[..], &patch);
            let part = Part::new(&card, START as u64, (base.len() - START) as u64);
            let fat = Fat::open(&part).unwrap().unwrap();
            assert_eq!(fat.label, "CIDATA", "{kind:?}");
            assert_eq!(fat.read("cmdline.txt").unwrap().unwrap(), b"root=X\n");
            assert_eq!(fat.read("rootstock/a-bundle-with-a-long-name.tar.gz").unwrap().unwrap(), long);
            assert_eq!(fat.read("rootstock/after/user-data").unwrap().unwrap(), b"x");
            // Again over the first: replaced, not added.
            let again = Overlay::over(&base[..], START as u64, (base.len() - START) as u64, patch.clone());
            let again = put(again, &files, Some("CIDATA")).unwrap().into_patch().unwrap();
            let second = Patched::new(&base[..], &again);
            let part = Part::new(&second, START as u64, (base.len() - START) as u64);
            assert_eq!(Fat::open(&part).unwrap().unwrap().free(), fat.free(), "{kind:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let base = disk(4, FatType::Fat12);
        let much = vec![1; 5 << 20];
        let error =
            made(&base, &[("a", Content::Bytes(b"1")), ("bundle", Content::Bytes(&much))], None).unwrap_err();
        assert!(matches!(error, VolumeError::Full { .. }), "{error}");
        assert!(error.to_string().contains("nothing was written"), "{error}");
        let error = made(&base, &[("a", Content::File(Path::new("/nowhere")))], None).unwrap_err();
        assert!(matches!(error, VolumeError::Unreadable { .. }), "{error}");
        assert!(matches!(made(&base, &[], Some("too long a name")), Err(VolumeError::Label(_))));
        assert!(matches!(made(&vec![0; 3 << 20], &[], None), Err(VolumeError::NoFat)));
    }
}
