//! An ext4 that passes in pieces: whatever it holds, the map ends, and leaves out nothing that the map of the whole has.
#![no_main]

use host::disk::Used;
use host::disk::ext4::{Ext4, Streamed};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // The first byte says how long the pieces are.
    let Some((first, disk)) = bytes.split_first() else { return };
    let piece = 512 << (first % 8);
    let (mut streamed, mut marked) = (Streamed::default(), Vec::new());
    for (number, part) in disk.chunks(piece).enumerate() {
        let offset = (number * piece) as u64;
        streamed.pass(offset, part);
        streamed.used(&(offset..offset + part.len() as u64), |range| marked.push(range));
    }
    let marked = Used::of(marked);
    if streamed.oddity().is_none()
        && let Ok(Some(ext4)) = Ext4::open(disk)
        && let Ok(used) = ext4.used()
    {
        let size = disk.len() as u64;
        for range in used.within(&(0..size)) {
            let found: u64 = marked.within(&range).map(|part| part.end - part.start).sum();
            assert_eq!(found, range.end - range.start, "some of {range:?} was left out");
        }
    }
});
