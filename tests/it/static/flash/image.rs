//! `image`: cards as files, from the person's base or the catalogue's, and what is left where it can't be made.

use super::desk::{BOOT, Cards, SIZE, is_sound, passport};
use super::trial;
use anyhow::{Context as _, ensure};
use desired::Digest;
use host::disk::Part;
use host::disk::Whole;
use host::process::Invocation;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use tests::desk::CLUSTER;
use tests::lab::Need;
use tests::programs::{expect, repository_copy, said, signalled};
use tests::ring::Trial;

use super::super::disks::MIB;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("images_are_made_like_cards", &[Need::DiskTools], |_| made()),
        trial("an_interrupted_image_leaves_nothing", &[Need::DiskTools], |_| interrupted()),
        trial("an_image_on_a_full_disk_leaves_nothing", &[Need::DiskTools, Need::LoopDevices], |_| full()),
        trial("the_catalogue_says_which_base_and_where_from", &[Need::DiskTools], |_| catalogue()),
    ]
}

fn folder(cards: &Cards) -> PathBuf {
    cards.desk.out().join(format!("{CLUSTER}.cards"))
}

fn names(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<anyhow::Result<_>>()?;
    names.sort();
    Ok(names)
}

/// Every node with a board, sparse, private, sound; and what it holds is what `flash` writes.
fn made() -> anyhow::Result<()> {
    let cards = Cards::new()?;
    let output = cards.call("image", &[CLUSTER, "all"])?.run()?;
    expect(&output, 0, &["rpi-01.img", "cloud-init", "base.img"])?;
    let folder = folder(&cards);
    let wanted: Vec<String> = (1..=8).map(|at| format!("rpi-{at:02}.img")).collect();
    ensure!(names(&folder)? == wanted, "{:?}", names(&folder)?);
    for name in &wanted {
        let path = folder.join(name);
        is_sound(&path).with_context(|| name.clone())?;
        ensure!(format!("{}.img", passport(&path)?.node) == *name);
        let metadata = path.metadata()?;
        ensure!(metadata.permissions().mode() & 0o777 == 0o600, "others can read the token of {name}");
        ensure!(metadata.len() == SIZE * MIB && metadata.blocks() * 512 < SIZE * MIB * 2 / 3, "{metadata:?}");
    }
    let flashed = cards.noise("flashed.img")?;
    let target = format!("rpi-03={}", flashed.display());
    expect(&cards.call("flash", &["--target-file", &target])?.run()?, 0, &[])?;
    let boot = |path: &Path| -> anyhow::Result<Vec<u8>> {
        let disk = Whole::open(path)?;
        let part = Part::new(&disk, BOOT.0 * MIB, BOOT.1 * MIB);
        let fat = host::disk::fat::Fat::open(&part)?.context("it is FAT")?;
        fat.read("user-data")?.context("it is there")
    };
    ensure!(boot(&flashed)? == boot(&folder.join("rpi-03.img"))?, "flash and image make other cards");
    // What was built is what it was: cards are no reason to build it again.
    expect(&cards.desk.build()?, 0, &["Nothing changed"])?;
    // Made again, over those that are there.
    expect(&cards.call("image", &["rpi-03"])?.run()?, 0, &["rpi-03.img"])?;
    ensure!(names(&folder)? == wanted, "{:?}", names(&folder)?);
    Ok(())
}

/// What lies in the output beside what was there before.
fn left(cards: &Cards) -> anyhow::Result<Vec<String>> {
    let mut left = names(&cards.desk.out())?;
    left.retain(|name| ![CLUSTER, ".lock", &format!("{CLUSTER}.cards")].contains(&name.as_str()));
    left.extend(names(&folder(cards))?);
    Ok(left)
}

fn interrupted() -> anyhow::Result<()> {
    let cards = Cards::new()?;
    let call = cards.call("image", &[CLUSTER, "all"])?;
    let stage = cards.desk.out().join(format!(".building-{CLUSTER}-cards"));
    for signal in ["INT", "KILL"] {
        let outcome = signalled(&call, signal, || names(&stage).is_ok_and(|names| names.len() == 8))?;
        if signal == "INT" {
            expect(&outcome?, 130, &["interrupted"])?;
            ensure!(left(&cards)?.is_empty(), "{:?}", left(&cards)?);
        } else {
            ensure!(outcome.is_err(), "it was not killed at work");
        }
    }
    // Whatever a killed run left is gone with the next.
    expect(&call.run()?, 0, &["rpi-08.img"])?;
    ensure!(left(&cards)?.len() == 8, "{:?}", left(&cards)?);
    Ok(())
}

/// On a small disk of its own, as a person's `--out` may be.
fn full() -> anyhow::Result<()> {
    let cards = Cards::new()?;
    let disk = cards.path("disk");
    std::fs::create_dir(&disk)?;
    let built: u64 = host::tree::files(&cards.desk.out())?
        .iter()
        .map(|file| file.metadata().map_or(0, |one| one.len()))
        .sum();
    // Room for what was built, and some of a card.
    let options = format!("size={}", built + built / 4 + 10 * MIB);
    Invocation::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&disk).run()?;
    let outcome = on_full(&cards, &disk);
    Invocation::new("umount").arg(&disk).run()?;
    outcome
}

fn on_full(cards: &Cards, disk: &Path) -> anyhow::Result<()> {
    let out = disk.join("dist");
    Invocation::new("cp").arg("-a").arg(cards.desk.out()).arg(&out).run()?;
    let before = host::tree::files(&out)?;
    let call = tests::programs::xtask()?.args(["image", "rpi-01", "--offline", "--base"]).arg(&cards.base);
    let call = call.arg("--profiles").arg(cards.path("profiles")).arg("--token-file").arg(&cards.token);
    let call = call.env("VNEXT_SSH_KEY", super::desk::SSH_KEY);
    let output = call.clone().arg("--out").arg(&out).run()?;
    expect(&output, 1, &["rpi-01: FAILED", "No space left", "make room where the image is written"])?;
    let after = host::tree::files(&out)?;
    ensure!(before == after, "left behind: {after:?}");
    // The base is unpacked into the temporary folder first.
    Invocation::new("fallocate")
        .args(["--length", &room(disk)?.to_string()])
        .arg(disk.join("filler"))
        .run()?;
    let output = call.arg("--out").arg(cards.desk.out()).env("TMPDIR", disk).run()?;
    std::fs::remove_file(disk.join("filler"))?;
    expect(&output, 5, &["No space left", &disk.display().to_string()])?;
    ensure!(host::tree::files(disk)? == before, "{:?}", host::tree::files(disk)?);
    Ok(())
}

/// How many bytes are free, but for a few.
fn room(disk: &Path) -> anyhow::Result<u64> {
    let output = Invocation::new("stat").args(["--file-system", "--format=%a %S"]).arg(disk).run()?;
    let text = output.text();
    let (blocks, size) = text.trim().split_once(' ').context("two numbers")?;
    Ok(blocks.parse::<u64>()? * size.parse::<u64>()? - MIB)
}

/// A copy of the repository whose catalogue knows the small image, a cache with or without it, and no network.
fn catalogue() -> anyhow::Result<()> {
    let cards = Cards::new()?;
    let cache = cards.path("cache");
    let words = ["rpi-01"];
    let call = |copy: &Path| -> anyhow::Result<Invocation> {
        let call = cards.bare("image", &words)?.folder(copy).env("ROOTSTOCK_CACHE", &cache);
        Ok(call.arg("--token-file").arg(&cards.token))
    };
    // As it is, its images can't be reached from here.
    let own = tests::repository();
    let url = "https://downloads.raspberrypi.com/raspios_lite_arm64/images/";
    let output = call(own)?.run()?;
    expect(&output, 5, &["raspberry-pi-os-lite-trixie", url, "--base", "it is held against sha256:"])?;
    ensure!(!folder(&cards).exists(), "{}", said(&output));

    let copy = repository_copy()?;
    let digest = Digest::sha256_of(&std::fs::read(&cards.base)?);
    pin(copy.path(), &digest)?;
    let output = call(copy.path())?.run()?;
    expect(&output, 5, &["https://vendor.example/small.img", "--base", digest.hex()])?;
    std::fs::copy(&cards.base, cache.join("sha256").join(digest.hex()))?;
    let output = call(copy.path())?.run()?;
    expect(&output, 0, &["rpi-01.img", "small.img"])?;
    let card = folder(&cards).join("rpi-01.img");
    let base = passport(&card)?.base;
    ensure!(base.name == "small.img" && base.digest.as_ref() == Some(&digest), "{base:?}");
    // The same by `flash`, and a file that has the vendor's name but other bytes.
    let file = cards.noise("card.img")?;
    let target = format!("rpi-01={}", file.display());
    let flash = cards.bare("flash", &["--target-file", &target])?.folder(copy.path());
    let flash = flash.env("ROOTSTOCK_CACHE", &cache).arg("--token-file").arg(&cards.token);
    expect(&flash.run()?, 0, &["1 of 1 cards"])?;
    let wrong: PathBuf = cards.path("small.img");
    let mut bytes = std::fs::read(&cards.base)?;
    bytes[2 << 20] ^= 1;
    std::fs::write(&wrong, bytes)?;
    let output = flash.arg("--base").arg(&wrong).run()?;
    expect(&output, 6, &["small.img", digest.hex()])?;
    Ok(())
}

/// The catalogue knows one image for Raspberry Pis, with that digest.
pub(super) fn pin(copy: &Path, digest: &Digest) -> anyhow::Result<()> {
    let path = copy.join("images/bases/raspberry-pi-os-lite-trixie.toml");
    let text = std::fs::read_to_string(&path)?;
    let (start, _) = text.split_once("[[image]]").context("it has images")?;
    let image = format!(
        "[[image]]\nversion = \"1\"\nurl = \"https://vendor.example/small.img\"\ndigest = \"{digest}\"\nevidence = \"a trial\"\n"
    );
    Ok(std::fs::write(&path, start.to_owned() + &image)?)
}
