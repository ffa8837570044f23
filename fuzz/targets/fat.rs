//! FAT: no content makes a reader panic, hang, or take more memory than the disk has bytes.
#![no_main]

use host::disk::fat::Fat;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(Some(fat)) = Fat::open(bytes) {
        assert!(fat.used().ranges().iter().all(|range| range.end <= bytes.len() as u64));
        let names = fat.list("").ok().flatten().unwrap_or_default();
        for entry in names.iter().take(16) {
            let _ = (fat.read(&entry.name), fat.list(&entry.name));
        }
    }
});
