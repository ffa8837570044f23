//! `flash` where it must refuse: every device that is in use, protected or not what it seems, with every flag that there is.
//! Exit 7, every reason told, and not one byte of the device changed.

use anyhow::{Context as _, ensure};
use desired::Digest;
use host::disk::{ReadAt as _, Whole};
use host::process::{Invocation, Output};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use tests::lab::{Lab, Need};
use tests::programs::{self, answering, said, scratch};
use tests::ring::{Ring, Trial};

use super::super::disks::MIB;

const REFUSED: i32 = 7;
const SIZE: u64 = 32 << 20;

pub fn trials() -> Vec<Trial> {
    let trial = |name: &str, needs: &[Need], body: fn(&Lab) -> anyhow::Result<()>| {
        Trial::new(Ring::Static, format!("flash::{name}"), body).needs(needs)
    };
    vec![
        trial("what_is_in_use_is_refused_with_every_flag", &[Need::DiskTools, Need::LoopDevices], |_| {
            in_use()
        }),
        trial("the_disk_this_machine_runs_from_is_refused", &[Need::RootDisk], root),
        trial("the_disk_this_machine_runs_from_is_left_alone", &[Need::ReadableRootDisk], root_stays),
        trial("files_and_words_are_judged", &[], |_| words()),
    ]
}

/// A profile of one cluster with a node that boots from a card, a protected disk, and a share below `share`.
fn profiles(folder: &Path, share: &Path) -> anyhow::Result<PathBuf> {
    let profiles = folder.join("profiles");
    let source = tests::repository().join("docs/guide/example");
    Invocation::new("cp").args(["-r"]).arg(&source).arg(&profiles).run()?;
    let path = profiles.join("garden/cluster.toml");
    let text = std::fs::read_to_string(&path)?;
    let line =
        text.lines().find(|line| line.starts_with("mount-point = ")).context("the example has a share")?;
    std::fs::write(&path, text.replace(line, &format!("mount-point = \"{}\"", share.display())))?;
    Ok(profiles)
}

/// With every flag that could help.
fn flash(profiles: &Path, target: &str, meant: &Path) -> anyhow::Result<Output> {
    called(profiles, target, meant)?.run().map_err(Into::into)
}

fn called(profiles: &Path, target: &str, meant: &Path) -> anyhow::Result<Invocation> {
    let call =
        programs::xtask()?.arg("flash").arg(target).args(["--dangerously-allow-fixed-disk", "--allow-large"]);
    let call = call.arg("--yes-i-mean").arg(meant).arg("--profiles").arg(profiles).arg("--offline");
    Ok(answering(call))
}

/// A loop device over a file of ours; gone when dropped.
struct Loop {
    path: String,
    file: PathBuf,
}

impl Loop {
    fn new(folder: &Path, name: &str) -> anyhow::Result<Self> {
        let file = folder.join(name);
        File::create(&file)?.set_len(SIZE)?;
        let output = Invocation::new("losetup").args(["--find", "--show"]).arg(&file).run()?;
        Ok(Self { path: output.text().trim().to_owned(), file })
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        for (program, words) in [("umount", vec!["-q"]), ("swapoff", vec![]), ("losetup", vec!["-d"])] {
            // Who failed before this may have left it in use.
            let _ = answering(Invocation::new(program).args(words).arg(&self.path)).run();
        }
    }
}

fn in_use() -> anyhow::Result<()> {
    let folder = scratch()?;
    let share = folder.path().join("share");
    std::fs::create_dir(&share)?;
    let profiles = profiles(folder.path(), &share)?;
    let refused = |device: &Loop, words: &str| -> anyhow::Result<()> {
        let before = Digest::sha256_of(&std::fs::read(&device.file)?);
        let output = flash(&profiles, &format!("shed-1={}", device.path), &device.file)?;
        ensure!(output.code == REFUSED, "{words}: exit {}:\n{}", output.code, said(&output));
        ensure!(said(&output).contains(words), "nothing of `{words}`:\n{}", said(&output));
        ensure!(Digest::sha256_of(&std::fs::read(&device.file)?) == before, "{words}: it was written to");
        Ok(())
    };
    let run =
        |program: &str, words: &[&str]| Invocation::new(program).args(words.iter().copied()).run().map(drop);

    let stick = Loop::new(folder.path(), "stick.img")?;
    run("mke2fs", &["-q", "-F", "-t", "ext4", &stick.path])?;
    let point = folder.path().join("point");
    std::fs::create_dir(&point)?;
    Invocation::new("mount").args(["-o", "ro,noload", &stick.path]).arg(&point).run()?;
    refused(&stick, &format!("is mounted at {}", point.display()))?;

    let swap = Loop::new(folder.path(), "swap.img")?;
    run("mkswap", &["-q", &swap.path])?;
    run("swapon", &[&swap.path])?;
    refused(&swap, "is swapped to")?;

    let member = Loop::new(folder.path(), "member.img")?;
    // md(4), superblock 1.2: magic, major version, its own place in sectors.
    let mut mark = vec![0; 256];
    mark[..8].copy_from_slice(&[0xfc, 0x4e, 0x2b, 0xa9, 1, 0, 0, 0]);
    mark[144] = 8;
    File::options().write(true).open(&member.path)?.write_all_at(&mark, 4096)?;
    refused(&member, "is part of a RAID")?;

    refused(&Loop::new(&share, "photos.img")?, "belongs to the share")?;

    protected(folder.path(), &profiles)
}

/// A disk that the profile protects, by whatever name it is asked for. It has its name under by-id in a mount name space
/// of this call alone.
fn protected(folder: &Path, profiles: &Path) -> anyhow::Result<()> {
    const KEPT: &str = "/dev/disk/by-id/ata-PHOTOS_00000000";
    let kept = Loop::new(folder, "kept.img")?;
    let before = Digest::sha256_of(&std::fs::read(&kept.file)?);
    let part = |name: &str| -> anyhow::Result<String> {
        std::fs::create_dir_all(folder.join(name))?;
        Ok(format!("{}={}", name, folder.join(name).display()))
    };
    let options = format!("lowerdir=/dev,{},{}", part("upperdir")?, part("workdir")?);
    let script = format!(
        "mount -t overlay -o '{options}' overlay /dev; mkdir -p /dev/disk/by-id; ln -sf {} {KEPT}; exec \"$0\" \"$@\"",
        kept.path
    );
    for name in [KEPT, &kept.path] {
        let call = called(profiles, &format!("shed-1={name}"), &kept.file)?;
        let output = call.wrapped("unshare", &["--mount", "sh", "-euc", &script]).run()?;
        ensure!(output.code == REFUSED, "exit {}:\n{}", output.code, said(&output));
        ensure!(said(&output).contains("the profile protects ata-PHOTOS_00000000"), "{}", said(&output));
    }
    ensure!(Digest::sha256_of(&std::fs::read(&kept.file)?) == before, "a protected disk was written to");
    Ok(())
}

/// The disk that this system runs from.
fn root(lab: &Lab) -> anyhow::Result<()> {
    let folder = scratch()?;
    let profiles = profiles(folder.path(), folder.path())?;
    let disk = lab.path("root-disk");
    let output = flash(&profiles, &format!("shed-1={}", disk.display()), disk)?;
    ensure!(output.code == REFUSED, "exit {}:\n{}", output.code, said(&output));
    ensure!(said(&output).contains("this system runs from it"), "{}", said(&output));
    Ok(())
}

/// It is in use meanwhile, and its file system may lie right at its start: compared is what only a writer of cards would change.
fn root_stays(lab: &Lab) -> anyhow::Result<()> {
    let disk = lab.path("root-disk");
    let before = Ends::of(disk)?;
    root(lab)?;
    let after = Ends::of(disk)?;
    ensure!(before.start[..TABLE] == after.start[..TABLE], "its table was written to");
    let blocks = before.start.chunks(BLOCK).zip(after.start.chunks(BLOCK));
    // Before anything else a writer zeroes the first MiB.
    let emptied = blocks.filter(|(before, after)| !is_empty(before) && is_empty(after)).count();
    ensure!(emptied == 0, "{emptied} blocks of its first MiB were emptied");
    ensure!(before.end == after.end, "its last MiB, where a GPT has its second copy, was written to");
    Ok(())
}

/// A table in an MBR, or what ext4 leaves free for one.
const TABLE: usize = 1024;
const BLOCK: usize = 4096;

fn is_empty(block: &[u8]) -> bool {
    block.iter().all(|byte| *byte == 0)
}

/// The first and the last MiB of a disk.
struct Ends {
    start: Vec<u8>,
    end: Digest,
}

impl Ends {
    fn of(disk: &Path) -> anyhow::Result<Self> {
        let disk = Whole::open(disk)?;
        let mib = usize::try_from(MIB)?;
        let end = disk.bytes(disk.size() - MIB, mib)?;
        Ok(Self { start: disk.bytes(0, mib)?, end: Digest::sha256_of(&end) })
    }
}

fn words() -> anyhow::Result<()> {
    let folder = scratch()?;
    let profiles = profiles(folder.path(), folder.path())?;
    let ask = |words: &[&str]| -> anyhow::Result<(i32, String)> {
        let call =
            programs::xtask()?.arg("flash").args(words.iter().copied()).arg("--profiles").arg(&profiles);
        let output = answering(call.arg("--offline")).run()?;
        Ok((output.code, said(&output)))
    };
    let missing = format!("shed-1={}", folder.path().join("none").display());
    let place = format!("shed-1={}", folder.path().display());
    for (words, code, expected) in [
        (&["shed-1"][..], 2, "no NODE=DEVICE"),
        (&["nobody=/dev/sda"], 2, "nobody"),
        (&["shed-1=/dev/null"], REFUSED, "no such block device"),
        (&["--target-file", &missing], REFUSED, "truncate -s"),
        (&["--target-file", &place], REFUSED, "it is no file"),
        (&["--target-file", "shed-1=/dev/null"], REFUSED, "it is no file"),
    ] {
        let (found, said) = ask(words)?;
        ensure!(found == code && said.contains(expected), "{words:?}: exit {found}:\n{said}");
    }
    Ok(())
}
