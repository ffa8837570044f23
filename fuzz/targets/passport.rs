//! A card's passport, in a volume's file or alone: it is read or refused, and what was read is written the same.
#![no_main]

use host::disk::fat::Fat;
use host::disk::passport::Passport;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(Some(fat)) = Fat::open(bytes)
        && let Ok(Some((passport, status))) = Passport::read(&fat)
    {
        let _ = passport.verify(&fat, status.is_some());
    }
    if let Ok(passport) = serde_json::from_slice::<Passport>(bytes) {
        let again: Passport = serde_json::from_str(&passport.text()).expect("its own text is one");
        assert_eq!(passport, again);
    }
});
