//! Bases of every packing, and what is none.

use std::path::Path;

use super::*;
use crate::disk::ReadAt as _;
use crate::disk::write::tests::{MIB, SIZE, disk, file, packed};

fn open(path: &Path) -> Result<Base, String> {
    Base::open(path, None).map_err(|error| {
        let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
        format!("{error}{}", source.unwrap_or_default())
    })
}

#[test]
fn the_start_is_kept_and_the_rest_still_packed() {
    let folder = tempfile::tempdir().unwrap();
    for packing in ["raw", "gz", "zst", "xz"] {
        let base = open(&file(folder.path(), packing)).unwrap();
        assert_eq!(base.head().kept(), 3 * MIB as u64, "{packing}");
        assert_eq!(base.head().bytes(0, 3 * MIB).unwrap(), disk()[..3 * MIB]);
        assert!(base.stream.is_some() && base.least() == SIZE as u64, "{packing}");
        assert_eq!(base.size().is_some(), matches!(packing, "raw" | "xz"), "{packing}");
    }
}

#[test]
fn what_is_no_image_says_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other");
    for (bytes, words) in [
        (b"PK\x03\x04and more".to_vec(), "a zip archive"),
        (b"QFI\xfb".to_vec(), "a qcow2 image"),
        (b"<!DOCTYPE html>".to_vec(), "a page of a website"),
        (Vec::new(), "it ends at 0"),
        (vec![7; MIB], "no disk image"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let error = open(&path).unwrap_err();
        assert!(error.contains(words), "{words}: {error}");
    }
    assert!(open(&folder.path().join("none")).unwrap_err().contains("can't open"));
    let cut = packed(folder.path(), "raw", &disk()[..5 * MIB]);
    assert!(open(&cut).unwrap_err().contains("it is cut off"));
}

#[test]
fn several_streams_and_padding_are_one_disk() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (&disk()[..2 * MIB + 5], &disk()[2 * MIB + 5..]);
    for packing in ["gz", "zst", "xz"] {
        let parts: Vec<Vec<u8>> =
            [first, second].map(|part| std::fs::read(packed(folder.path(), packing, part)).unwrap()).to_vec();
        let padding: &[u8] = if packing == "xz" { &[0; 8] } else { &[] };
        let path = folder.path().join("both");
        std::fs::write(&path, [&parts[0], padding, &parts[1]].concat()).unwrap();
        let mut told = 0;
        let base = Base::open_whole(&path, None, &mut |done, _| told = done).unwrap();
        assert_eq!(told, SIZE as u64, "{packing}");
        assert_eq!(base.head().bytes(0, SIZE).unwrap(), disk(), "{packing}");
        assert_eq!(open(&path).unwrap().size(), None, "{packing}: no index tells of both");
    }
}
