//! The few bytes of an ELF file that say for which machine it is and whether it needs a loader.
//!
//! In: a program's bytes. Out: its [`Arch`], or what is wrong with it as a clause. Facts: ELF-64 object file format,
//! file header and program headers; machine numbers 62 (x86-64) and 183 (AArch64).

use desired::Arch;

/// The arch a program is for; none if it is no 64-bit little-endian ELF file or for another machine.
#[must_use]
pub fn arch_of(bytes: &[u8]) -> Option<Arch> {
    const IDENT: &[u8] = b"\x7fELF\x02\x01\x01";
    match (bytes.starts_with(IDENT), u16_at(bytes, 18)?) {
        (true, 62) => Some(Arch::Amd64),
        (true, 183) => Some(Arch::Arm64),
        _ => None,
    }
}

/// What a program is for in Debian's words, also where that is nothing of ours (`armhf`); none if it is no ELF file.
#[must_use]
pub fn name_of(bytes: &[u8]) -> Option<String> {
    if !bytes.starts_with(b"\x7fELF") {
        return None;
    }
    Some(match (*bytes.get(4)?, u16_at(bytes, 18)?) {
        (2, 62) => "amd64".to_owned(),
        (2, 183) => "arm64".to_owned(),
        (1, 40) => "armhf".to_owned(),
        (1, 3) => "i386".to_owned(),
        (2, 243) => "riscv64".to_owned(),
        (class, machine) => format!("machine {machine} with {} bits", u32::from(class) * 32),
    })
}

/// Holds that `bytes` are a program for `arch` that no loader has to complete.
///
/// # Errors
/// What it is instead, as a clause.
pub fn expect_static(bytes: &[u8], arch: Arch) -> Result<(), String> {
    const INTERPRETER: u32 = 3;
    match arch_of(bytes) {
        None => return Err("it is no 64-bit ELF program".to_owned()),
        Some(found) if found != arch => return Err(format!("it is for {found}")),
        Some(_) => {}
    }
    let cut = || "its program headers are cut off".to_owned();
    let start = usize::try_from(u64_at(bytes, 32).ok_or_else(cut)?).map_err(|_| cut())?;
    let length = usize::from(u16_at(bytes, 54).ok_or_else(cut)?);
    let count = usize::from(u16_at(bytes, 56).ok_or_else(cut)?);
    for index in 0..count {
        let at = length.checked_mul(index).and_then(|offset| start.checked_add(offset)).ok_or_else(cut)?;
        if u32_at(bytes, at).ok_or_else(cut)? == INTERPRETER {
            return Err("it needs a loader".to_owned());
        }
    }
    Ok(())
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}
fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array_at(bytes, at).map(u16::from_le_bytes)
}
fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array_at(bytes, at).map(u32::from_le_bytes)
}
fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array_at(bytes, at).map(u64::from_le_bytes)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A header with one program header of this type behind it.
    pub(crate) fn program(machine: u16, header: u32) -> Vec<u8> {
        let mut bytes = vec![0; 64 + 56];
        bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        bytes[18..20].copy_from_slice(&machine.to_le_bytes());
        bytes[32] = 64;
        bytes[54] = 56;
        bytes[56] = 1;
        bytes[64..68].copy_from_slice(&header.to_le_bytes());
        bytes
    }

    #[test]
    fn machines_and_loaders_are_told_apart() {
        expect_static(&program(62, 1), Arch::Amd64).unwrap();
        expect_static(&program(183, 1), Arch::Arm64).unwrap();
        for (bytes, why) in [
            (program(62, 1), "it is for amd64"),
            (program(183, 3), "needs a loader"),
            (program(40, 1), "no 64-bit ELF"),
            (b"#!/bin/sh\n".to_vec(), "no 64-bit ELF"),
            (program(183, 1)[..66].to_vec(), "cut off"),
        ] {
            let error = expect_static(&bytes, Arch::Arm64).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
