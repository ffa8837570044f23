//! The guide's page on cards, typed in a copy of the repository: on loop devices in the place of the page's sticks, with a
//! small image in the place of the vendor's, and a stand-in for the server that makes a token.

use super::desk::{SSH_KEY, base, is_sound, passport, token_text};
use super::image::pin;
use super::trial;
use anyhow::{Context as _, ensure};
use desired::Digest;
use host::process::Invocation;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tests::lab::Need;
use tests::programs::{answering, repository_copy, said, scratch};
use tests::ring::Trial;

use super::super::commands::path_with_our_programs;

pub fn trials() -> Vec<Trial> {
    vec![trial("the_guides_page_is_typed", &[Need::DiskTools, Need::LoopDevices], |_| typed())]
}

/// The page's device, and the loop device with its file that takes its place.
struct Stick {
    name: &'static str,
    device: String,
    file: PathBuf,
}

impl Drop for Stick {
    fn drop(&mut self) {
        // A trial that failed may have left it in use.
        let _ = answering(Invocation::new("losetup").args(["-d", &self.device])).run();
    }
}

fn stick(folder: &Path, name: &'static str) -> anyhow::Result<Stick> {
    let file = folder.join(format!("{name}.img"));
    std::fs::File::create(&file)?.set_len(1 << 30)?;
    let output = Invocation::new("losetup").args(["--find", "--show"]).arg(&file).run()?;
    Ok(Stick { name, device: output.text().trim().to_owned(), file })
}

/// The page's words as they are typed here.
fn here(script: &str, home: &Path, sticks: &[Stick]) -> String {
    let meant: String =
        sticks.iter().map(|stick| format!(" --yes-i-mean '{}'", stick.file.display())).collect();
    let mut script = script
        .replace("sudo -E target/debug/xtask", "cargo xtask")
        .replace('~', &home.display().to_string())
        .replace("cargo xtask build-images", "cargo xtask build-images --offline --engine embedded")
        .replace("cargo xtask flash", &format!("cargo xtask flash --dangerously-allow-fixed-disk{meant}"));
    for stick in sticks {
        script = script.replace(&format!("/dev/disk/by-id/{}", stick.name), &stick.device);
    }
    script
}

fn typed() -> anyhow::Result<()> {
    let (copy, home) = (repository_copy()?, scratch()?);
    let image = base(home.path())?;
    pin(copy.path(), &Digest::sha256_of(&std::fs::read(&image)?))?;
    let cached = home.path().join("cache/sha256");
    std::fs::create_dir_all(&cached)?;
    std::fs::copy(&image, cached.join(Digest::sha256_of(&std::fs::read(&image)?).hex()))?;
    Invocation::new("xz").args(["-0k"]).arg(&image).run()?;
    std::fs::rename(
        home.path().join("base.img.xz"),
        home.path().join("2026-09-15-raspios-trixie-arm64-lite.img.xz"),
    )?;
    let path = programs(copy.path())?;
    let sticks = [stick(home.path(), "usb-A")?, stick(home.path(), "usb-B")?];
    let page = std::fs::read_to_string(copy.path().join("docs/guide/cards.md"))?;
    let mut typed = String::new();
    for block in tests::documents::blocks(&page)?.into_iter().filter(|block| block.skipped.is_some()) {
        let script = here(&block.script, home.path(), &sticks);
        let call = Invocation::new("sh").args(["-eu", "-c", &script]).folder(copy.path());
        let call = call.env("PATH", &path).env("VNEXT_SSH_KEY", SSH_KEY);
        let call = call.env("ROOTSTOCK_CACHE", home.path().join("cache")).timeout(Duration::from_secs(900));
        let output = call.run().with_context(|| format!("line {}: {script}", block.line))?;
        ensure!(!said(&output).contains("canary"), "the token is told:\n{}", said(&output));
        typed += &script;
    }
    for verb in ["build-images", "image", "inspect", "--dry-run", "rpi-02=/dev/loop", "--target-file"] {
        ensure!(typed.contains(verb), "the page no longer types {verb}:\n{typed}");
    }
    for (node, stick) in ["rpi-01", "rpi-02"].into_iter().zip(&sticks) {
        ensure!(passport(&stick.file)?.node.as_str() == node, "{} is not {node}", stick.device);
        is_sound(&stick.file)?;
    }
    is_sound(&copy.path().join("rpi-01.img"))
}

/// `PATH` with our programs and the server's stand-in; the node's programs are those that were built already.
fn programs(copy: &Path) -> anyhow::Result<std::ffi::OsString> {
    let path = path_with_our_programs(copy)?;
    let k3s = copy.join("target/programs/k3s");
    std::fs::write(&k3s, format!("#!/bin/sh\necho '{}'\n", token_text().trim()))?;
    std::fs::set_permissions(&k3s, std::fs::Permissions::from_mode(0o755))?;
    let built = tests::repository().join("target/node/programs");
    if built.is_dir() {
        let place = copy.join("target/node");
        std::fs::create_dir_all(&place)?;
        Invocation::new("cp").arg("-a").arg(&built).arg(&place).run()?;
    }
    Ok(path)
}
