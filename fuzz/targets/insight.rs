//! A whole disk, from its table to the files of its partitions.
#![no_main]

use host::disk::insight::Insight;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = Insight::of(bytes);
});
