//! The index of an xz file: no content makes the reader panic or hang, and what it believes does not overflow.
#![no_main]

use host::disk::base::xz_index::unpacked_size;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = unpacked_size(bytes);
    // Nearly all that is changed breaks a sum: with the sums put right, the numbers behind them are read as well.
    let _ = unpacked_size(&summed(bytes.to_vec())[..]);
});

/// The file with the sums of its footer and of the index before that as they should be.
fn summed(mut file: Vec<u8>) -> Vec<u8> {
    let Some(footer) = file.len().checked_sub(12) else { return file };
    file[footer + 10..].copy_from_slice(b"YZ");
    let sum = crc32fast::hash(&file[footer + 4..footer + 10]);
    file[footer..footer + 4].copy_from_slice(&sum.to_le_bytes());
    let number = |at: usize| u64::from(file[footer + at]) << (8 * (at - 4));
    let length = ((4..8).map(number).sum::<u64>() + 1) * 4;
    let start = usize::try_from(length).ok().and_then(|length| footer.checked_sub(length));
    if let Some(start) = start {
        let sum = crc32fast::hash(&file[start..footer - 4]);
        file[footer - 4..footer].copy_from_slice(&sum.to_le_bytes());
    }
    file
}
