//! A card's passport as `inspect` reads it: who signed it, what drifted, and what the first boot took away.

use super::desk::{BOOT, Cards, mtools, strs, targets};
use super::trial;
use anyhow::ensure;
use host::process::{Invocation, Output};
use host::signature::Signer;
use std::path::{Path, PathBuf};
use tests::desk::CLUSTER;
use tests::lab::Need;
use tests::programs::{answering, expect, said, xtask};
use tests::ring::Trial;

const WRONG: i32 = 6;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("a_passport_is_believed_by_its_signature", &[Need::DiskTools], |_| signed()),
        trial("a_card_that_was_changed_says_which_file", &[Need::DiskTools], |_| drifted()),
        trial("a_card_that_was_used_says_so", &[Need::DiskTools], |_| used()),
        trial("a_card_in_a_reader_is_inspected", &[Need::DiskTools, Need::LoopDevices], |_| in_a_reader()),
    ]
}

/// A key pair in two files at the desk: (secret, public).
fn pair(cards: &Cards, name: &str) -> anyhow::Result<(PathBuf, PathBuf)> {
    let (secret, public) = (cards.path(&format!("{name}.key")), cards.path(&format!("{name}.pub")));
    Signer::generate(&secret, &public)?;
    Ok((secret, public))
}

/// The card of that node as a file, made with these words besides.
fn image(cards: &Cards, node: &str, words: &[&str]) -> anyhow::Result<PathBuf> {
    expect(&cards.call("image", &[&[node], words].concat())?.run()?, 0, &[node])?;
    Ok(cards.desk.out().join(format!("{CLUSTER}.cards/{node}.img")))
}

fn inspect(path: &Path, key: Option<&Path>) -> anyhow::Result<Output> {
    let call = xtask()?.arg("inspect").arg(path);
    Ok(key.into_iter().fold(call, |call, key| call.arg("--public-key").arg(key)).run()?)
}

/// mtools on the card's boot partition.
fn on_card(card: &Path, program: &str, words: &[&str]) -> anyhow::Result<()> {
    mtools(card, BOOT.0, program, words).map(drop)
}

/// A file of the card, byte for byte.
fn get(cards: &Cards, card: &Path, path: &str) -> anyhow::Result<Vec<u8>> {
    let file = cards.path("file");
    on_card(card, "mcopy", &["-n", &format!("::/{path}"), &file.display().to_string()])?;
    Ok(std::fs::read(&file)?)
}

/// Puts a file on the card, in the place of one that may be there.
fn put(cards: &Cards, card: &Path, path: &str, content: &[u8]) -> anyhow::Result<()> {
    let file = cards.path("file");
    std::fs::write(&file, content)?;
    on_card(card, "mcopy", &["-o", &file.display().to_string(), &format!("::/{path}")])
}

fn signed() -> anyhow::Result<()> {
    let cards = Cards::new()?;
    let ((secret, public), (_, stranger)) = (pair(&cards, "own")?, pair(&cards, "stranger")?);
    let key = secret.display().to_string();
    let card = image(&cards, "rpi-01", &["--sign-key", &key])?;
    expect(&inspect(&card, Some(&public))?, 0, &["node rpi-01, its passport signed"])?;
    expect(&inspect(&card, Some(&stranger))?, WRONG, &["rpi-01.img", "it is signed with another key"])?;
    // Nobody asked, so nothing is said of the signature.
    let output = inspect(&card, None)?;
    expect(&output, 0, &["node rpi-01"])?;
    ensure!(!said(&output).contains("signed"), "{}", said(&output));
    let flashed = cards.noise("flashed.img")?;
    let words = targets(&[("rpi-02", &flashed)]);
    expect(&cards.call("flash", &[&strs(&words)[..], &["--sign-key", &key]].concat())?.run()?, 0, &[])?;
    expect(&inspect(&flashed, Some(&public))?, 0, &["node rpi-02, its passport signed"])?;

    let unsigned = image(&cards, "rpi-03", &[])?;
    expect(&inspect(&unsigned, Some(&public))?, WRONG, &["rpi-03.img", "its passport is not signed"])?;
    // The passport of one card with the signature of another, and none at all: neither is what the key vouches for.
    let text = get(&cards, &flashed, "rootstock/passport.json")?;
    put(&cards, &card, "rootstock/passport.json", &text)?;
    expect(&inspect(&card, Some(&public))?, WRONG, &["its signature is not of this content"])?;
    on_card(&card, "mdel", &["::/rootstock/passport.json"])?;
    expect(&inspect(&card, Some(&public))?, WRONG, &["rpi-01.img", "no passport"])?;
    expect(&inspect(&cards.base, Some(&public))?, WRONG, &["base.img", "no passport"])?;
    // A key that can't be used makes no card, rather than one without a signature.
    let call = cards.call("image", &["rpi-04", "--sign-key", &public.display().to_string()])?;
    expect(&call.run()?, 5, &["not usable as a signing key"])?;
    ensure!(
        !card.with_file_name("rpi-04.img").exists(),
        "a card was made without the signature it was to have"
    );
    Ok(())
}

fn drifted() -> anyhow::Result<()> {
    let cards = Cards::new()?;
    let (secret, public) = pair(&cards, "own")?;
    let card = image(&cards, "rpi-01", &["--sign-key", &secret.display().to_string()])?;
    put(&cards, &card, "user-data", b"#cloud-config\nhostname: somebody-else\n")?;
    expect(&inspect(&card, None)?, WRONG, &["user-data: CHANGED"])?;
    // The passport itself is as it was.
    expect(&inspect(&card, Some(&public))?, WRONG, &["its passport signed", "user-data: CHANGED"])?;
    on_card(&card, "mdel", &["::/rootstock/secrets.json"])?;
    expect(&inspect(&card, None)?, WRONG, &["user-data: CHANGED", "rootstock/secrets.json: GONE"])?;
    let json = xtask()?.arg("inspect").arg(&card).arg("--json").run()?;
    expect(&json, WRONG, &[])?;
    let answer: serde_json::Value = serde_json::from_slice(&json.stdout)?;
    let thing = &answer["things"][0];
    ensure!(thing["drifted"] == true && thing["files"]["user-data"] == "changed", "{thing:#}");
    ensure!(thing["files"]["meta-data"] == "as-seeded", "{thing:#}");
    Ok(())
}

/// What a first boot does to the boot partition (`first-boot.sh`): its report, and what must not stay is gone.
fn used() -> anyhow::Result<()> {
    let cards = Cards::new()?;
    let card = image(&cards, "rpi-01", &["--token-expires", "2026-11-22T10:00:00Z"])?;
    let carried =
        ["carries     env:VNEXT_JOIN_TOKEN, until 2026-11-22T10:00:00Z", "first boot  has not been"];
    expect(&inspect(&card, None)?, 0, &carried)?;
    for name in ["user-data", "network-config"] {
        let after = get(&cards, &card, &format!("rootstock/after/{name}"))?;
        put(&cards, &card, name, &after)?;
    }
    on_card(&card, "mdel", &["::/rootstock/secrets.json", "::/rootstock/bundle-arm64.tar.gz"])?;
    // Without a report nobody knows that it was the first boot.
    let gone = ["rootstock/secrets.json: GONE", "user-data: CHANGED", "first boot  has not been"];
    expect(&inspect(&card, None)?, WRONG, &gone)?;
    put(&cards, &card, "rootstock/status.txt", b"joined\nnode rpi-01\nas rpi-01\nat 2026-11-22T08:00:00Z\n")?;
    let by_boot = "used up by the first boot";
    let words = ["rootstock/secrets.json", "rootstock/bundle-arm64.tar.gz", "user-data", "network-config"];
    let words = words.map(|path| format!("{path}: {by_boot}"));
    let output = inspect(&card, None)?;
    expect(&output, 0, &["first boot  joined"])?;
    expect(&output, 0, &strs(&words))?;
    // What the first boot leaves is known too: anything else in its place is drift.
    put(&cards, &card, "user-data", b"#cloud-config\nbootcmd: [somebody-elses]\n")?;
    expect(&inspect(&card, None)?, WRONG, &["user-data: CHANGED"])?;
    Ok(())
}

fn in_a_reader() -> anyhow::Result<()> {
    let cards = Cards::new()?;
    let card = image(&cards, "rpi-01", &[])?;
    let output = Invocation::new("losetup").args(["--read-only", "--find", "--show"]).arg(&card).run()?;
    let device = output.text().trim().to_owned();
    let output = inspect(Path::new(&device), None);
    answering(Invocation::new("losetup").args(["--detach", &device])).run()?;
    expect(&output?, 0, &[&device, "node rpi-01", "cloud-init", "as seeded"])
}
