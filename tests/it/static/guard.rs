//! The guard over real block devices: loop devices over files of ours, mounted, swapped to, marked as members, and exchanged
//! behind its back. Nothing of any other device is touched, and of ours not one byte changes.

use anyhow::{Context as _, ensure};
use host::disk::guard::{ClearedDevice, OpenError, Protected, Refusal, Request, ShareDisk, clear};
use host::disk::inventory::{Inventory, look};
use host::process::Invocation;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use tests::lab::{Lab, Need};
use tests::programs::{answering, scratch};
use tests::ring::{Ring, Trial};

const SIZE: u64 = 48 << 20;

pub fn trials() -> Vec<Trial> {
    let trial = |name: &str, body: fn(&Lab) -> anyhow::Result<()>| {
        Trial::new(Ring::Static, format!("guard::{name}"), body).needs(&[Need::DiskTools, Need::LoopDevices])
    };
    vec![
        trial("what_is_in_use_is_refused_and_not_a_byte_changes", |_| in_use()),
        trial("an_open_device_is_claimed_and_no_other", |_| opened()),
    ]
}

/// The number of a loop device that is taken by name. Whoever only looks for a free one gets a lower number, so it is still
/// ours after it was let go of for a moment.
const OWN: u32 = 240;

/// A loop device over a file of ours; gone when dropped.
struct Loop {
    path: String,
    file: PathBuf,
    /// Where the number is our own: another run of this trial waits for it.
    _turn: Option<File>,
}

impl Loop {
    fn new(folder: &Path, name: &str) -> anyhow::Result<Self> {
        let file = folder.join(name);
        File::create(&file)?.set_len(SIZE)?;
        let output = Invocation::new("losetup").args(["--find", "--show"]).arg(&file).run()?;
        Ok(Self { path: output.text().trim().to_owned(), file, _turn: None })
    }

    /// One whose number nobody else is given.
    fn own(folder: &Path, name: &str) -> anyhow::Result<Self> {
        let turn = File::options().create(true).append(true).open("/run/lock/rootstock-loop.lock")?;
        turn.lock()?;
        let file = folder.join(name);
        File::create(&file)?.set_len(SIZE)?;
        let path = format!("/dev/loop{OWN}");
        if !Path::new(&path).exists() {
            run("mknod", &["-m", "600", &path, "b", "7", &OWN.to_string()])?;
        }
        // A run of this trial that was killed may have left it.
        let _ = answering(Invocation::new("losetup").args(["-d", &path])).run();
        Invocation::new("losetup").arg(&path).arg(&file).run()?;
        Ok(Self { path, file, _turn: Some(turn) })
    }

    fn digest(&self) -> anyhow::Result<desired::Digest> {
        Ok(desired::Digest::sha256_of(&std::fs::read(&self.file)?))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        // Who failed before this may have left it mounted.
        for (program, words) in [("umount", vec!["-q"]), ("swapoff", vec![]), ("losetup", vec!["-d"])] {
            let _ = answering(Invocation::new(program).args(words).arg(&self.path)).run();
        }
    }
}

fn reckless(device: &str) -> Request {
    Request {
        node: "rpi-01".to_owned(),
        device: device.to_owned(),
        need: None,
        allow_fixed: true,
        allow_large: true,
    }
}

fn asked(device: &str) -> anyhow::Result<Inventory> {
    look(&[device.to_owned()]).map_err(Into::into)
}

fn run(program: &str, words: &[&str]) -> anyhow::Result<()> {
    Invocation::new(program).args(words.iter().copied()).run().map(drop).map_err(Into::into)
}

/// The reasons against a device as it is now.
fn reasons(device: &str, protected: &Protected) -> anyhow::Result<Vec<Refusal>> {
    Ok(clear(&asked(device)?, protected, &reckless(device)).err().unwrap_or_default())
}

fn in_use() -> anyhow::Result<()> {
    let folder = scratch()?;
    let device = Loop::new(folder.path(), "card.img")?;
    let nothing = Protected::default();
    ensure!(reasons(&device.path, &nothing)?.is_empty(), "a loop device that nobody uses is refused");
    let careful = Request { allow_fixed: false, ..reckless(&device.path) };
    let why =
        clear(&asked(&device.path)?, &nothing, &careful).err().context("it is cleared without a flag")?;
    ensure!(matches!(why[..], [Refusal::Fixed { .. }]), "{why:?}");
    let share = ShareDisk { device: None, places: vec![folder.path().display().to_string()] };
    let protected =
        Protected { shares: BTreeMap::from([("media".to_owned(), share)]), ..Protected::default() };
    let why = reasons(&device.path, &protected)?;
    ensure!(matches!(&why[..], [Refusal::Share { share, .. }] if share == "media"), "{why:?}");

    run("mke2fs", &["-q", "-F", "-t", "ext4", &device.path])?;
    let point = folder.path().join("a place");
    std::fs::create_dir(&point)?;
    Invocation::new("mount").args(["-o", "ro,noload", &device.path]).arg(&point).run()?;
    let before = device.digest()?;
    let why = reasons(&device.path, &nothing)?;
    let text = point.display().to_string();
    ensure!(matches!(&why[..], [Refusal::Mounted { mount_point, .. }] if *mount_point == text), "{why:?}");
    ensure!(device.digest()? == before, "looking at a mounted device changed it");
    run("umount", &[&device.path])?;

    run("mkswap", &["-q", &device.path])?;
    run("swapon", &[&device.path])?;
    let before = device.digest()?;
    let why = reasons(&device.path, &nothing)?;
    ensure!(matches!(&why[..], [Refusal::Swap { .. }]), "{why:?}");
    ensure!(device.digest()? == before, "looking at a swap changed it");
    run("swapoff", &[&device.path])?;
    for (name, mark, words) in marks() {
        let marked = Loop::new(folder.path(), name)?;
        for (offset, bytes) in mark {
            File::options().write(true).open(&marked.path)?.write_all_at(&bytes, offset)?;
        }
        let before = marked.digest()?;
        let why = reasons(&marked.path, &nothing)?;
        let said: Vec<String> = why.iter().map(ToString::to_string).collect();
        ensure!(said.len() == 1 && said[0].contains(words), "{name}: {said:?}");
        ensure!(marked.digest()? == before, "looking at {name} changed it");
    }
    // A loop device over a loop device: the lower one is held.
    let output = Invocation::new("losetup").args(["--find", "--show", &device.path]).run()?;
    let upper = Loop { path: output.text().trim().to_owned(), file: device.file.clone(), _turn: None };
    let why = reasons(&device.path, &nothing)?;
    ensure!(matches!(&why[..], [Refusal::Held { holder, .. }] if upper.path.ends_with(holder)), "{why:?}");
    Ok(())
}

/// A name, the bytes of a member's mark and where they lie, and words of the refusal.
type Mark = (&'static str, Vec<(u64, Vec<u8>)>, &'static str);

fn marks() -> Vec<Mark> {
    // The superblock of Linux' software RAID, version 1.2, as md(4) has it: magic, major version, and its own place.
    let mut raid = vec![0; 256];
    raid[..8].copy_from_slice(&[0xfc, 0x4e, 0x2b, 0xa9, 1, 0, 0, 0]);
    raid[144] = 8;
    vec![
        ("raid.img", vec![(4096, raid)], "is part of a RAID"),
        ("luks.img", vec![(0, b"LUKS\xba\xbe\0\x01".to_vec())], "is part of a LUKS encryption"),
    ]
}

fn opened() -> anyhow::Result<()> {
    let folder = scratch()?;
    let device = Loop::own(folder.path(), "card.img")?;
    run("mke2fs", &["-q", "-F", "-t", "ext4", &device.path])?;
    let cleared = || -> anyhow::Result<ClearedDevice> {
        clear(&asked(&device.path)?, &Protected::default(), &reckless(&device.path))
            .map_err(|why| anyhow::anyhow!("{why:?}"))
    };
    let point = folder.path().join("point");
    std::fs::create_dir(&point)?;
    let mount = || answering(Invocation::new("mount").arg(&device.path).arg(&point)).run();

    let (first, second) = (cleared()?, cleared()?);
    let open = first.open()?;
    // Nobody can mount it now, and no other run of ours gets it (FIELD F2).
    ensure!(mount()?.code != 0, "it was mounted while it is claimed");
    let error = second.open().err().context("two have it")?;
    ensure!(matches!(error, OpenError::Busy { .. }) && error.is_refusal(), "{error}");
    drop(open);

    let late = cleared()?;
    ensure!(mount()?.code == 0, "it can't be mounted");
    let error = late.open().err().context("a mounted one was opened")?;
    ensure!(matches!(error, OpenError::Busy { .. }), "{error}");
    run("umount", &[&device.path])?;

    // Another medium of the same length behind the same name.
    let old = cleared()?;
    let other = folder.path().join("other.img");
    File::create(&other)?.set_len(SIZE)?;
    run("losetup", &["-d", &device.path])?;
    Invocation::new("losetup").arg(&device.path).arg(&other).run()?;
    let error = old.open().err().context("another medium was opened")?;
    ensure!(matches!(&error, OpenError::Another { what: "running number", .. }), "{error}");
    ensure!(std::fs::read(&other)?.iter().all(|byte| *byte == 0), "the other medium was written to");
    let old = cleared()?;
    File::options().write(true).open(&other)?.set_len(SIZE / 2)?;
    run("losetup", &["-c", &device.path])?;
    let error = old.open().err().context("a shorter one was opened")?;
    ensure!(matches!(&error, OpenError::Another { what: "length", .. }), "{error}");
    Ok(())
}
