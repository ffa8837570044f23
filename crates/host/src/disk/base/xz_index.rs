//! The index at the end of an xz file, which tells how long it is unpacked.
//!
//! In: the file. Out: the length, if the file is one stream whose index can be believed. The format is that of
//! "The .xz File Format" 1.2.0, section 4.

use super::super::ReadAt;

const FOOTER: u64 = 12;
/// An index of 16 MiB tells of a million blocks.
const LONGEST: u64 = 16 << 20;

/// How many bytes come out; none where that can't be told from the index alone.
pub fn unpacked_size<R: ReadAt + ?Sized>(file: &R) -> Option<u64> {
    let size = file.size();
    let footer = file.bytes(size.checked_sub(FOOTER)?, 12).ok()?;
    if footer[10..] != *b"YZ" || crc32fast::hash(&footer[4..10]).to_le_bytes() != footer[..4] {
        return None;
    }
    let length = (u64::from(u32::from_le_bytes([footer[4], footer[5], footer[6], footer[7]])) + 1) * 4;
    let start = size.checked_sub(FOOTER + length)?;
    if length > LONGEST {
        return None;
    }
    let index = file.bytes(start, usize::try_from(length).ok()?).ok()?;
    let (body, sum) = index.split_at(index.len().checked_sub(4)?);
    if crc32fast::hash(body).to_le_bytes() != *sum || body.first() != Some(&0) {
        return None;
    }
    let mut rest = &body[1..];
    let records = number(&mut rest)?;
    let (mut packed, mut unpacked) = (0_u64, 0_u64);
    for _ in 0..records {
        packed = packed.checked_add(number(&mut rest)?.checked_next_multiple_of(4)?)?;
        unpacked = unpacked.checked_add(number(&mut rest)?)?;
    }
    // The header has 12 bytes as well; another length means that there is more than one stream.
    (packed.checked_add(FOOTER)? == start).then_some(unpacked)
}

/// A number of seven bits a byte, the lowest first.
fn number(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in 0..9 {
        let (first, more) = rest.split_first()?;
        *rest = more;
        value |= u64::from(first & 0x7f) << (shift * 7);
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
