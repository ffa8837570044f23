//! A small disk, packed in every way, on media that are files or lie.

mod child;
mod faults;
mod media;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;
use crate::disk::ReadAt;
use crate::disk::base::Pin;
use crate::disk::medium::lying::{Faults, Lying};
use crate::disk::overlay::{BLOCK_BYTES, Overlay};
use crate::report::Style;

pub(in crate::disk) const MIB: usize = 1 << 20;
/// The boot partition: 1 MiB at 2 MiB, a FAT with two files and half of it free.
const BOOT: usize = 2 * MIB;
/// Then one that is not understood, so that all of it is used.
const ROOT: usize = 3 * MIB;
/// How long the disk is: no multiple of a MiB.
pub(in crate::disk) const SIZE: usize = 8 * MIB + 512;

fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// A FAT16 of 1 MiB with 512 bytes a cluster would have too few clusters, so it is a FAT12.
fn fat(volume: &mut [u8]) {
    volume[..3].copy_from_slice(&[0xeb, 0x3c, 0x90]);
    volume[11..13].copy_from_slice(&512_u16.to_le_bytes());
    (volume[13], volume[14], volume[16]) = (1, 1, 1);
    volume[17..19].copy_from_slice(&16_u16.to_le_bytes());
    volume[19..21].copy_from_slice(&2048_u16.to_le_bytes());
    volume[22..24].copy_from_slice(&6_u16.to_le_bytes());
    volume[510..512].copy_from_slice(&[0x55, 0xaa]);
    // One file of 400 clusters: 2 to 401, the last ends.
    for cluster in 2..402_usize {
        let next: u16 = if cluster == 401 { 0xfff } else { u16::try_from(cluster + 1).unwrap() };
        let at = 512 + cluster * 3 / 2;
        let old = u16::from_le_bytes([volume[at], volume[at + 1]]);
        let new = if cluster % 2 == 0 { old & 0xf000 | next } else { old & 0xf | next << 4 };
        volume[at..at + 2].copy_from_slice(&new.to_le_bytes());
    }
    let root = 512 * 7;
    volume[root..root + 11].copy_from_slice(b"CONFIG  TXT");
    volume[root + 26] = 2;
    volume[root + 28..root + 32].copy_from_slice(&(400_u32 * 512).to_le_bytes());
    let data = 512 * 8;
    volume[data..data + 400 * 512].copy_from_slice(&noise(400 * 512, 5));
}

pub(in crate::disk) fn disk() -> Vec<u8> {
    let mut disk = vec![0; SIZE];
    disk[440..444].copy_from_slice(&[1, 2, 3, 4]);
    for (number, kind, start, count) in [(0, 0x0c_u8, BOOT, MIB), (1, 0x83, ROOT, SIZE - ROOT)] {
        let at = 446 + number * 16;
        disk[at + 4] = kind;
        disk[at + 8..at + 12].copy_from_slice(&u32::try_from(start / 512).unwrap().to_le_bytes());
        disk[at + 12..at + 16].copy_from_slice(&u32::try_from(count / 512).unwrap().to_le_bytes());
    }
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk[4096..8192].copy_from_slice(&noise(4096, 9));
    fat(&mut disk[BOOT..BOOT + MIB]);
    disk[ROOT..].copy_from_slice(&noise(SIZE - ROOT, 3));
    disk
}

/// The disk as a file, packed so.
pub(in crate::disk) fn file(folder: &Path, packing: &str) -> PathBuf {
    packed(folder, packing, &disk())
}

pub(in crate::disk) fn packed(folder: &Path, packing: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(format!("base.{packing}"));
    let packed = match packing {
        "gz" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        "zst" => zstd::encode_all(bytes, 1).unwrap(),
        "xz" => {
            // Several blocks, so that they can be unpacked side by side.
            let mut builder = liblzma::stream::MtStreamBuilder::new();
            let stream = builder
                .threads(2)
                .preset(0)
                .block_size(1 << 20)
                .check(liblzma::stream::Check::Crc64)
                .encoder()
                .unwrap();
            let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        _ => bytes.to_vec(),
    };
    std::fs::write(&path, packed).unwrap();
    path
}

fn target(name: &str, medium: Medium, patch: Patch) -> Target {
    Target { name: name.to_owned(), medium, patch }
}

/// A card with `text` somewhere in its first MiB, in its boot partition's file, and in what was free there.
fn patch(base: &Base, text: &[u8]) -> Patch {
    use std::io::{Seek as _, SeekFrom};
    let mut overlay = Overlay::new(base.head(), 0, base.head().size());
    for place in [8192, BOOT + 512 * 8 + 4000, BOOT + 900 * 1024] {
        overlay.seek(SeekFrom::Start(place as u64)).unwrap();
        overlay.write_all(text).unwrap();
    }
    overlay.into_patch().unwrap()
}

/// What a card with that patch holds, on something that was all `before`.
fn expected(patch: &Patch, before: u8) -> Vec<u8> {
    let mut all = disk();
    let free = BOOT + 512 * 8 + 400 * 512;
    // The block in which the last cluster ends is written whole.
    let free = free.next_multiple_of(BLOCK_BYTES);
    all[free..ROOT].fill(before);
    for (number, block) in patch.blocks() {
        let at = usize::try_from(number).unwrap() * BLOCK_BYTES;
        let end = (at + BLOCK_BYTES).min(all.len());
        all[at..end].copy_from_slice(&block[..end - at]);
    }
    all
}

fn quiet() -> Report {
    Report::new(Style::Quiet)
}

/// Writes one card on `medium` and gives what came of it.
fn one(base: Base, medium: Medium, patch: Patch, options: &Options) -> Result<Written, WriteError> {
    write(base, vec![target("rpi-01", medium, patch)], options, &quiet()).remove(0).1
}

fn said(error: &WriteError) -> String {
    chain(error)
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}

/// The first MiB holds nothing, and so no table.
fn is_blank(bytes: &[u8]) -> bool {
    bytes[..MIB].iter().all(|byte| *byte == 0)
}
