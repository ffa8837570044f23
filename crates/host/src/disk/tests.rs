//! Small disks that the usual tools made (the corpus of `fuzz/`), cut off anywhere and with bytes exchanged: every reader ends,
//! with what is there or with an error.

use super::ext4::Ext4;
use super::fat::Fat;
use super::insight::Insight;
use super::table::Table;

const FAT: &[u8] = include_bytes!("../../../../fuzz/corpus/fat/fat12");
const EXT4: &[u8] = include_bytes!("../../../../fuzz/corpus/ext4/small");
const MBR: &[u8] = include_bytes!("../../../../fuzz/corpus/table/mbr");
const GPT: &[u8] = include_bytes!("../../../../fuzz/corpus/table/gpt");
const CARD: &[u8] = include_bytes!("../../../../fuzz/corpus/insight/card");

/// How many of the readers find something.
fn read_all(bytes: &[u8]) -> usize {
    let table = Table::read(bytes).is_ok_and(|table| !table.partitions.is_empty());
    let fat = Fat::open(bytes).ok().flatten().is_some_and(|fat| {
        let _ = (fat.used(), fat.list("overlays"), fat.read("config.txt"));
        fat.read("overlays/a long name for a file.txt").is_ok_and(|text| text.is_some())
    });
    let ext4 = Ext4::open(bytes).ok().flatten().is_some_and(|ext4| {
        let _ = (ext4.used(), ext4.list("/"));
        ext4.read("/etc/os-release").is_ok_and(|text| text.is_some())
    });
    let insight = Insight::of(bytes).is_ok_and(|insight| insight.system.is_some());
    [table, fat, ext4, insight].into_iter().filter(|found| *found).count()
}

#[test]
fn whole_ones_are_read() {
    for (bytes, found) in [(FAT, 1), (EXT4, 1), (MBR, 1), (GPT, 1), (CARD, 2)] {
        assert_eq!(read_all(bytes), found, "{} bytes", bytes.len());
    }
}

#[test]
fn cut_off_anywhere_they_end() {
    for disk in [FAT, EXT4, MBR, GPT, CARD] {
        // Every byte of what the structures lie in, and many places behind.
        let dense = 0..disk.len().min(2048);
        let sparse = (2048..disk.len()).step_by(509);
        for end in dense.chain(sparse) {
            read_all(&disk[..end]);
        }
    }
}

#[test]
fn with_bytes_exchanged_they_end() {
    // A fixed sequence (xorshift), so that what fails once fails again.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |most: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % most
    };
    for disk in [FAT, EXT4, MBR, GPT, CARD] {
        let full: Vec<usize> = (0..disk.len()).filter(|at| disk[*at] != 0).collect();
        for _ in 0..1500 {
            let mut bytes = disk.to_vec();
            for _ in 0..=next(6) {
                // Mostly where something is: zeroes tell a reader nothing.
                let at = if next(4) == 0 { next(disk.len().min(8192)) } else { full[next(full.len())] };
                bytes[at] = [0, 1, 0x7f, 0x80, 0xff, bytes[at] ^ 0x10][next(6)];
            }
            read_all(&bytes);
        }
    }
}
