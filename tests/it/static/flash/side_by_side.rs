//! Distinct cards from one base, side by side: each is its node and no other, and one that fails, fails alone.

use super::desk::{BOOT, Cards, SIZE, TOKEN_END, is_blank, is_sound, mtools, passport, strs, targets};
use super::trial;
use anyhow::{Context as _, ensure};
use desired::Digest;
use desired::card::FirstBoot;
use host::process::Invocation;
use std::fs::File;
use std::path::{Path, PathBuf};
use tests::lab::Need;
use tests::programs::{answering, expect, said};
use tests::ring::Trial;

use super::super::disks::MIB;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("cards_side_by_side_are_each_their_node", &[Need::DiskTools], |_| distinct()),
        trial("one_that_fails_fails_alone", &[Need::DiskTools, Need::LoopDevices], |_| alone()),
        trial("what_can_be_known_before_is_refused_before", &[Need::DiskTools], |_| before()),
        trial("a_device_with_larger_sectors_is_left_alone", &[Need::DiskTools, Need::LoopDevices], |_| {
            larger()
        }),
        trial("a_device_that_was_agreed_to_is_written", &[Need::DiskTools, Need::LoopDevices], |_| device()),
    ]
}

const NODES: [&str; 4] = ["rpi-01", "rpi-02", "rpi-03", "rpi-04"];

/// Whoever reads the answer relies on these.
const KEYS: [&str; 11] = [
    "node",
    "target",
    "size",
    "allocated",
    "written",
    "equal",
    "resumed",
    "unpack-seconds",
    "write-seconds",
    "read-back-seconds",
    "remarks",
];

/// A file of a card's boot partition, as mtools read it.
fn file(card: &Path, name: &str) -> anyhow::Result<String> {
    Ok(mtools(card, BOOT.0, "mtype", &[&format!("::/{name}")])?.text())
}

fn distinct() -> anyhow::Result<()> {
    let cards = Cards::new()?;
    let files =
        NODES.iter().map(|node| cards.noise(&format!("{node}.img"))).collect::<anyhow::Result<Vec<_>>>()?;
    let pairs: Vec<(&str, &Path)> = NODES.iter().copied().zip(files.iter().map(PathBuf::as_path)).collect();
    let words = targets(&pairs);
    let output = cards.call("flash", &strs(&words))?.run()?;
    expect(&output, 0, &["4 of 4 cards", "written and read back", "may offer to format the rest"])?;
    ensure!(!said(&output).contains("canary"), "the token is told:\n{}", said(&output));
    // Nobody's terminal: plain lines.
    expect(&output, 0, &["unpack base.img, 105", "before it is known\n", "reading back\n", "done in"])?;
    ensure!(!said(&output).contains('\u{1b}'), "colours in a pipe:\n{}", said(&output));
    for (at, (node, card)) in pairs.iter().enumerate() {
        is_sound(card).with_context(|| (*node).to_owned())?;
        let passport = passport(card).with_context(|| (*node).to_owned())?;
        ensure!(
            passport.node.as_str() == *node && passport.first_boot == FirstBoot::CloudInit,
            "{passport:?}"
        );
        ensure!(passport.carries == ["env:VNEXT_JOIN_TOKEN"], "{:?}", passport.carries);
        let secrets = file(card, "rootstock/secrets.json")?;
        ensure!(secrets.contains(TOKEN_END), "{node} carries no token");
        let (data, network) = (file(card, "user-data")?, file(card, "network-config")?);
        ensure!(data.contains(&format!("hostname: {node}")), "{node}:\n{data}");
        ensure!(network.contains(&format!("192.168.10.{}/24", 101 + at)), "{node}:\n{network}");
        for other in NODES.iter().filter(|other| *other != node) {
            let meta = file(card, "meta-data")?;
            ensure!(
                meta.contains(*node) && !meta.contains(*other) && !data.contains(*other),
                "{node}:\n{meta}"
            );
        }
        let told = tests::programs::xtask()?.arg("inspect").arg(card).run()?;
        expect(&told, 0, &[node, "vnext"])?;
    }
    again(&cards, &pairs)
}

/// Twice the same cards: all of it is compared, next to nothing written, not a byte changed.
fn again(cards: &Cards, pairs: &[(&str, &Path)]) -> anyhow::Result<()> {
    let sum = |path: &Path| anyhow::Ok(Digest::sha256_of(&std::fs::read(path)?));
    let before = pairs.iter().map(|(_, card)| sum(card)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut words = targets(pairs);
    words.extend(["--compare-first".to_owned(), "--json".to_owned()]);
    let output = cards.call("flash", &strs(&words))?.run()?;
    expect(&output, 0, &[])?;
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    ensure!(answer["version"] == 1 && answer["millis"].is_u64(), "{answer:#}");
    for (card, node) in answer["cards"].as_array().context("there are cards")?.iter().zip(NODES) {
        let bytes = |key: &str| card[key].as_u64().with_context(|| format!("{key} of {card:#}"));
        ensure!(card["node"] == node && bytes("size")? == (SIZE + 7) * MIB, "{card:#}");
        let keys: Vec<&str> = card.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
        ensure!(keys == KEYS, "other keys: {keys:?}");
        // The first MiB is zeroed and comes last whatever was there.
        ensure!(bytes("written")? <= 2 * MIB && bytes("equal")? > 10 * MIB, "{card:#}");
    }
    let after = pairs.iter().map(|(_, card)| sum(card)).collect::<anyhow::Result<Vec<_>>>()?;
    ensure!(before == after, "an equal card was changed");
    Ok(())
}

/// One of three is on a disk that fills up: the others are whole, it can't boot, and the exit code says that not all went well.
fn alone() -> anyhow::Result<()> {
    let cards = Cards::new()?;
    let full = cards.path("full");
    std::fs::create_dir(&full)?;
    Invocation::new("mount").args(["-t", "tmpfs", "-o", "size=12m", "tmpfs"]).arg(&full).run()?;
    let outcome = on_full(&cards, &full.join("card.img"));
    Invocation::new("umount").arg(&full).run()?;
    outcome
}

fn on_full(cards: &Cards, full: &Path) -> anyhow::Result<()> {
    File::create(full)?.set_len(SIZE * MIB)?;
    let (first, last) = (cards.noise("first.img")?, cards.noise("last.img")?);
    let pairs = [("rpi-01", first.as_path()), ("rpi-02", full), ("rpi-03", last.as_path())];
    let output = cards.call("flash", &strs(&targets(&pairs)))?.run()?;
    expect(&output, 1, &["2 of 3 cards", "FAILED", "rpi-02: can't write", "make room"])?;
    ensure!(is_blank(full)?, "what failed has a partition table");
    for (node, card) in [("rpi-01", &first), ("rpi-03", &last)] {
        is_sound(card)?;
        ensure!(passport(card)?.node.as_str() == node, "{} is not {node}", card.display());
    }
    let json = cards.call("flash", &strs(&targets(&pairs)))?.arg("--json").run()?;
    expect(&json, 1, &[])?;
    let answer: serde_json::Value = serde_json::from_slice(&json.stdout)?;
    ensure!(answer["cards"][1]["error"].to_string().contains("can't write"), "{answer:#}");
    ensure!(answer["cards"][2]["error"].is_null(), "{answer:#}");
    Ok(())
}

/// Too small, held by another run, a base of another kind, no image at all: refused, and not a byte of any card changed.
fn before() -> anyhow::Result<()> {
    let cards = Cards::new()?;
    let (good, small) = (cards.noise("good.img")?, cards.path("small.img"));
    File::create(&small)?.set_len(SIZE * MIB - 4096)?;
    let sum = || anyhow::Ok(Digest::sha256_of(&std::fs::read(&good)?));
    let untouched = sum()?;
    let pairs = targets(&[("rpi-01", &good), ("rpi-02", &small)]);
    let output = cards.call("flash", &strs(&pairs))?.run()?;
    expect(&output, 7, &["nothing was written to any device", "the base needs", "rpi-02="])?;
    let one = targets(&[("rpi-01", &good)]);
    let held = File::options().write(true).open(&good)?;
    held.lock()?;
    expect(&cards.call("flash", &strs(&one))?.run()?, 7, &["is being written by another run"])?;
    held.unlock()?;
    drop(held);

    let other = cards.path("other.img");
    std::fs::write(&other, "no image at all ".repeat(100_000))?;
    let with = |base: &Path| -> anyhow::Result<_> {
        let call = cards.bare("flash", &strs(&one))?.arg("--base").arg(base);
        Ok(call.arg("--token-file").arg(&cards.token).run()?)
    };
    expect(&with(&other)?, 6, &["open the base", "other.img"])?;
    expect(&with(&cards.path("none.img"))?, 5, &["none.img"])?;
    // The same image, cut off within its root.
    std::fs::copy(&cards.base, &other)?;
    File::options().write(true).open(&other)?.set_len((SIZE - 20) * MIB)?;
    expect(&with(&other)?, 6, &["other.img"])?;
    expect(
        &cards.call("flash", &[&strs(&one)[..], &["--dry-run"]].concat())?.run()?,
        0,
        &["nothing was written"],
    )?;
    ensure!(sum()? == untouched, "a card was changed");
    Ok(())
}

/// The base's table counts in sectors of 512 bytes, so none of its partitions would be found on this medium.
fn larger() -> anyhow::Result<()> {
    let cards = Cards::new()?;
    let backing = cards.noise("backing.img")?;
    let untouched = Digest::sha256_of(&std::fs::read(&backing)?);
    let make = ["--find", "--show", "--sector-size", "4096"];
    let device = Invocation::new("losetup").args(make).arg(&backing).run()?.text();
    let name = backing.to_str().context("a plain name")?;
    let target = format!("rpi-01={device}");
    let words = [&target, "--dangerously-allow-fixed-disk", "--yes-i-mean", name];
    let output = cards.call("flash", &words)?.run();
    answering(Invocation::new("losetup").args(["-d", &device])).run()?;
    expect(&output?, 7, &["sectors of 512 bytes", "4096"])?;
    ensure!(Digest::sha256_of(&std::fs::read(&backing)?) == untouched, "it was written to");
    Ok(())
}

/// On a block device, through the guard: refused until it is agreed to, then the same as on a file.
fn device() -> anyhow::Result<()> {
    let cards = Cards::new()?;
    let (file, backing) = (cards.noise("file.img")?, cards.noise("backing.img")?);
    expect(&cards.call("flash", &strs(&targets(&[("rpi-01", &file)])))?.run()?, 0, &[])?;
    let output = Invocation::new("losetup").args(["--find", "--show"]).arg(&backing).run()?;
    let device = output.text().trim().to_owned();
    let outcome = on_device(&cards, &device, &backing);
    answering(Invocation::new("losetup").args(["-d", &device])).run()?;
    outcome?;
    ensure!(std::fs::read(&file)? == std::fs::read(&backing)?, "a device is written otherwise than a file");
    Ok(())
}

fn on_device(cards: &Cards, device: &str, backing: &Path) -> anyhow::Result<()> {
    let target = format!("rpi-01={device}");
    let sum = || anyhow::Ok(Digest::sha256_of(&std::fs::read(backing)?));
    let untouched = sum()?;
    let fixed = "--dangerously-allow-fixed-disk";
    expect(&cards.call("flash", &[&target])?.run()?, 7, &[fixed, "nothing was written"])?;
    expect(&cards.call("flash", &[&target, fixed])?.run()?, 7, &["nobody agreed", "--yes-i-mean"])?;
    let other = [target.as_str(), fixed, "--yes-i-mean", "another"];
    expect(&cards.call("flash", &other)?.run()?, 7, &["nobody agreed"])?;
    ensure!(sum()? == untouched, "it was written to before anybody agreed");
    let name = backing.to_str().context("a plain name")?;
    let output = cards.call("flash", &[&target, fixed, "--yes-i-mean", name])?.run()?;
    expect(&output, 0, &[device, "1 of 1 cards"])?;
    Invocation::new("sync").run()?;
    asked(cards, &[&target, fixed, "--compare-first"], name)
}

/// A person at a terminal is asked, and a wrong word writes nothing.
fn asked(cards: &Cards, words: &[&str], name: &str) -> anyhow::Result<()> {
    let before = std::fs::read(name)?;
    for (typed, code, said) in [
        ("yes", 7, "nothing was written to any device"),
        (name, 0, "1 of 1 cards"),
        ("", 7, "nothing was written"),
    ] {
        let line = cards.call("flash", words)?.line();
        // A terminal of its own, in which the word is typed.
        let call = Invocation::new("script").args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        let call = call.folder(tests::repository()).env("VNEXT_SSH_KEY", super::desk::SSH_KEY);
        let output = answering(call.stdin(format!("{typed}\n").into_bytes())).run()?;
        expect(&output, code, &["To agree, type `", "what is on it now", said])?;
    }
    ensure!(std::fs::read(name)? == before, "a wrong word changed it");
    Ok(())
}
