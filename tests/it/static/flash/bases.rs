//! Bases that no card can be made of: each is refused with what is wrong with it, before a byte of the medium changes.

use super::desk::{BOOT, Cards, SIZE, is_noise, mtools, strs, targets};
use super::trial;
use anyhow::{Context as _, ensure};
use host::process::Invocation;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use tests::desk::CLUSTER;
use tests::lab::Need;
use tests::programs::{expect, said};
use tests::ring::Trial;

use super::super::disks::MIB;

const REFUSED: i32 = 7;

pub fn trials() -> Vec<Trial> {
    vec![trial("bases_that_make_no_card", &[Need::DiskTools], |_| no_card())]
}

/// What is done to a good base.
type Spoil = fn(&Path) -> anyhow::Result<()>;

/// What is done, and words of the refusal: what was found, and what to do.
const BASES: [(&str, Spoil, [&str; 2]); 9] = [
    ("two boot partitions", second_boot, ["partitions 1 and 3 could all boot", "take the vendor's image"]),
    ("nothing to start by", no_firmware, ["no partition boots", "take the vendor's image"]),
    ("an empty EFI partition", empty_efi, ["no partition boots", "take the vendor's image"]),
    (
        "a damaged FAT",
        no_fat,
        ["partition 1: its type says FAT, and it holds none", "take the vendor's image"],
    ),
    (
        "another machine",
        other_machine,
        ["the base is for amd64, and rpi-01 is arm64", "take a base for arm64"],
    ),
    ("an unknown machine", no_machine, ["no program of the base", "take a base for arm64"]),
    ("no root", no_root, ["nothing in the base (an unknown system)", "obeys cloud-init"]),
    (
        "a system without cloud-init",
        no_cloud_init,
        ["nothing in the base (Debian GNU/Linux 13 (trixie))", "obeys cloud-init"],
    ),
    (
        "cloud-init switched off",
        switched_off,
        ["partition 2: /etc/cloud/cloud-init.disabled switches cloud-init off", "obeys cloud-init"],
    ),
];

fn no_card() -> anyhow::Result<()> {
    let cards = Cards::new()?;
    let (card, spoilt) = (cards.noise("card.img")?, cards.path("spoilt.img"));
    let one = targets(&[("rpi-01", &card)]);
    for (name, spoil, words) in BASES {
        std::fs::copy(&cards.base, &spoilt)?;
        spoil(&spoilt).context(name)?;
        let call = cards.bare("flash", &strs(&one))?.arg("--base").arg(&spoilt);
        let output = call.arg("--token-file").arg(&cards.token).run()?;
        expect(&output, REFUSED, &words).with_context(|| name.to_owned())?;
        ensure!(is_noise(&card)?, "{name}: the medium was written to:\n{}", said(&output));
    }
    // `image` asks the same, and leaves nothing.
    let call = cards.bare("image", &["rpi-01"])?.arg("--base").arg(&spoilt);
    expect(&call.arg("--token-file").arg(&cards.token).run()?, REFUSED, &["switches cloud-init off"])?;
    ensure!(!cards.desk.out().join(format!("{CLUSTER}.cards")).exists(), "an image was made");
    // It is what was done to it: the base itself makes a card.
    expect(&cards.call("flash", &strs(&one))?.run()?, 0, &["1 of 1 cards"])
}

/// A file beside the base with that content.
fn beside(base: &Path, content: &[u8]) -> anyhow::Result<PathBuf> {
    let path = base.with_extension("file");
    std::fs::write(&path, content)?;
    Ok(path)
}

fn sfdisk(option: &str, base: &Path, words: &[&str], script: &str) -> anyhow::Result<()> {
    let call = Invocation::new("sfdisk").args(["--quiet", option]).arg(base).args(words.iter().copied());
    Ok(call.stdin(script.as_bytes().to_vec()).run().map(drop)?)
}

/// Requests of debugfs(8) on the root; it ends with 0 whatever came of them, so what it says is looked at.
fn debugfs(base: &Path, requests: &[&str]) -> anyhow::Result<()> {
    let root = format!("{}?offset={}", base.display(), (BOOT.0 + BOOT.1) * MIB);
    let script = base.with_extension("requests");
    std::fs::write(&script, requests.join("\n"))?;
    let output = Invocation::new("debugfs").arg("-w").arg("-f").arg(&script).arg(root).run()?;
    let is_asked = |line: &str| line.strip_prefix("debugfs: ").is_some_and(|line| requests.contains(&line));
    let is_talk = |line: &str| line.starts_with("debugfs 1.") || line.starts_with("Allocated inode");
    let wrong = |line: &&str| !line.is_empty() && !is_asked(line) && !is_talk(line);
    let lines: Vec<String> = said(&output).lines().filter(wrong).map(str::to_owned).collect();
    ensure!(lines.is_empty(), "debugfs: {lines:?}");
    Ok(())
}

/// In the MiB behind the root.
fn second_boot(base: &Path) -> anyhow::Result<()> {
    let start = SIZE - 1;
    sfdisk("--append", base, &[], &format!("start={start}MiB, size=1MiB, type=c\n"))?;
    let offset = (start * MIB / 512).to_string();
    Invocation::new("mkfs.vfat").args(["-F", "12", "--offset", &offset]).arg(base).arg("1024").run()?;
    let config = beside(base, b"[all]\narm_64bit=1\n")?;
    mtools(base, start, "mcopy", &[&config.display().to_string(), "::/config.txt"]).map(drop)
}

fn no_firmware(base: &Path) -> anyhow::Result<()> {
    mtools(base, BOOT.0, "mdel", &["::/config.txt", "::/cmdline.txt"]).map(drop)
}

fn empty_efi(base: &Path) -> anyhow::Result<()> {
    no_firmware(base)?;
    sfdisk("--part-type", base, &["1", "ef"], "")
}

fn no_fat(base: &Path) -> anyhow::Result<()> {
    Ok(File::options().write(true).open(base)?.write_all_at(&[0x5a; 512], BOOT.0 * MIB)?)
}

/// A program's first bytes in the place of the one that tells the machine.
fn program(base: &Path, start: &[u8]) -> anyhow::Result<()> {
    let file = base.with_extension("program");
    std::fs::write(&file, start)?;
    debugfs(base, &["rm /usr/bin/dpkg", "cd /usr/bin", &format!("write {} dpkg", file.display())])
}

fn other_machine(base: &Path) -> anyhow::Result<()> {
    let mut start = b"\x7fELF\x02\x01\x01".to_vec();
    start.resize(4096, 0);
    // The ELF header's machine: x86-64.
    start[18] = 62;
    program(base, &start)
}

fn no_machine(base: &Path) -> anyhow::Result<()> {
    program(base, b"#!/bin/sh\n")
}

fn no_root(base: &Path) -> anyhow::Result<()> {
    sfdisk("--delete", base, &["2"], "")
}

fn no_cloud_init(base: &Path) -> anyhow::Result<()> {
    debugfs(base, &["rm /usr/bin/cloud-init"])
}

fn switched_off(base: &Path) -> anyhow::Result<()> {
    let empty = beside(base, b"")?;
    debugfs(
        base,
        &["mkdir /etc/cloud", "cd /etc/cloud", &format!("write {} cloud-init.disabled", empty.display())],
    )
}
