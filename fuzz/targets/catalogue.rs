//! The catalogue of bases: an entry or faults with lines.
#![no_main]

use blueprint::base::BaseEntry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Err(faults) = BaseEntry::parse(text)
    {
        assert!(faults.0.iter().all(|fault| fault.line >= 1 && fault.line <= text.lines().count() + 1));
    }
});
