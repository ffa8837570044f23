//! Disk images that the usual tools make, understood from inside, and every way they can be damaged.
//!
//! The tools are independent of ours: sfdisk makes the table, mkfs.vfat and mcopy the boot partition, mke2fs the root.

use anyhow::{Context as _, ensure};
use desired::card::FirstBoot;
use host::disk::ext4::Ext4;
use host::disk::fat::Fat;
use host::disk::insight::Insight;
use host::disk::table::Table;
use host::disk::{Part, ReadAt as _, Used, Whole};
use host::process::Invocation;
use std::fs::File;
use std::os::unix::fs::{FileExt as _, symlink};
use std::path::{Path, PathBuf};
use tests::lab::{Lab, Need};
use tests::programs::{self, said, scratch};
use tests::ring::{Ring, Trial};

pub(super) const MIB: u64 = 1 << 20;
/// Where the partitions lie, and how long the image is, in MiB.
pub(super) const BOOT: (u64, u64) = (4, 64);
pub(super) const ROOT: (u64, u64) = (72, 320);
pub(super) const SIZE: u64 = 400;

pub fn trials() -> Vec<Trial> {
    let trial = |name: &str, body: fn(&Lab) -> anyhow::Result<()>| {
        Trial::new(Ring::Static, format!("disks::{name}"), body).needs(&[Need::DiskTools])
    };
    vec![
        trial("an_image_is_understood_from_inside", |_| understood()),
        trial("what_is_in_use_is_what_the_file_systems_say", |_| in_use()),
        trial("every_size_of_fat_and_ext4_is_read", |_| sizes()),
        trial("no_damage_makes_it_panic_or_hang", |_| damaged()),
    ]
}

/// The root's files, as a small Raspberry Pi OS.
pub(super) fn root_files(folder: &Path) -> anyhow::Result<()> {
    let put = |path: &str, bytes: &[u8]| -> anyhow::Result<()> {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().context("it has one")?)?;
        Ok(std::fs::write(path, bytes)?)
    };
    put("usr/lib/os-release", b"PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nID=debian\n")?;
    std::fs::create_dir_all(folder.join("etc"))?;
    symlink("../usr/lib/os-release", folder.join("etc/os-release"))?;
    let mut program = b"\x7fELF\x02\x01\x01".to_vec();
    program.resize(100_000, 7);
    program[18..20].copy_from_slice(&183_u16.to_le_bytes());
    put("usr/bin/dpkg", &program)?;
    put("usr/bin/cloud-init", b"#!/usr/bin/python3\n")?;
    // More entries than one block of a folder holds, so that it gets an index.
    for at in 0..2000 {
        put(&format!("var/many/a-rather-long-name-for-a-file-{at:04}"), format!("{at}\n").as_bytes())?;
    }
    put("var/large", &vec![42; 9 << 20])
}

fn run(program: &str, words: &[&str], path: Option<&Path>) -> anyhow::Result<()> {
    let call = Invocation::new(program).args(words.iter().copied());
    let call = match path {
        Some(path) => call.arg(path),
        None => call,
    };
    call.run().map(drop).map_err(Into::into)
}

/// An image of that table, its root without or with the files.
pub(super) fn image(folder: &Path, label: &str) -> anyhow::Result<PathBuf> {
    let path = folder.join(format!("{label}.img"));
    File::create(&path)?.set_len(SIZE * MIB)?;
    let (efi, linux) = if label == "gpt" { ("U", "L") } else { ("c", "83") };
    let script = format!(
        "label: {label}\nstart={}MiB, size={}MiB, type={efi}\nstart={}MiB, size={}MiB, type={linux}\n",
        BOOT.0, BOOT.1, ROOT.0, ROOT.1
    );
    Invocation::new("sfdisk").arg("--quiet").arg(&path).stdin(script.into_bytes()).run()?;
    let text = path.to_str().context("a plain name")?;
    let (offset, blocks) = ((BOOT.0 * MIB / 512).to_string(), (BOOT.1 * 1024).to_string());
    run(
        "mkfs.vfat",
        &["-F", "32", "-s", "1", "-S", "512", "-n", "bootfs", "--offset", &offset, text, &blocks],
        None,
    )?;
    let long = folder.join("a long name, as no eight letters hold.txt");
    std::fs::write(&long, vec![b'x'; 5000])?;
    std::fs::write(folder.join("config.txt"), "[all]\narm_64bit=1\n")?;
    let at = format!("{text}@@{}", BOOT.0 * MIB);
    run("mmd", &["-i", &at, "::/overlays"], None)?;
    for (file, to) in [(folder.join("config.txt"), "::/"), (long, "::/overlays/")] {
        run("mcopy", &["-i", &at, file.to_str().context("a plain name")?, to], None)?;
    }
    let root = folder.join("root");
    if !root.exists() {
        root_files(&root)?;
    }
    let extended = format!("offset={},root_owner=0:0", ROOT.0 * MIB);
    let root = root.to_str().context("a plain name")?;
    let size = format!("{}M", ROOT.1);
    run(
        "mke2fs",
        &["-q", "-F", "-t", "ext4", "-L", "rootfs", "-E", &extended, "-d", root, text, &size],
        None,
    )?;
    Ok(path)
}

fn understood() -> anyhow::Result<()> {
    let folder = scratch()?;
    for label in ["dos", "gpt"] {
        let path = image(folder.path(), label)?;
        let disk = Whole::open(&path)?;
        let insight = Insight::of(&disk)?;
        ensure!(insight.remarks.is_empty(), "{label}: {:?}", insight.remarks);
        ensure!(insight.boot == Some(1) && insight.sector == 512, "{insight:?}");
        ensure!(insight.system.as_deref() == Some("Debian GNU/Linux 13 (trixie)"), "{insight:?}");
        ensure!(insight.arch.as_deref() == Some("arm64"), "{insight:?}");
        ensure!(insight.first_boot == Some(FirstBoot::CloudInit), "{insight:?}");
        let held: Vec<_> =
            insight.partitions.iter().map(|one| (one.file_system.as_deref(), one.label.as_str())).collect();
        ensure!(held == [(Some("FAT32"), "bootfs"), (Some("ext4"), "rootfs")], "{held:?}");
        let boot = Part::new(&disk, BOOT.0 * MIB, BOOT.1 * MIB);
        let fat = Fat::open(&boot)?.context("it is FAT")?;
        let text = fat
            .read("overlays/A LONG name, as no eight letters hold.TXT")?
            .with_context(|| format!("no such file among {:?}", fat.list("overlays")))?;
        ensure!(text == vec![b'x'; 5000], "another content: {} bytes", text.len());
        ensure!(fat.read("overlays/none")?.is_none() && fat.read("config.txt/x")?.is_none());
        let root = Part::new(&disk, ROOT.0 * MIB, ROOT.1 * MIB);
        let ext4 = Ext4::open(&root)?.context("it is ext4")?;
        ensure!(ext4.list("/var/many")?.context("the folder is there")?.len() == 2000);
        let late = ext4.read("/var/../var/many/a-rather-long-name-for-a-file-1999")?;
        ensure!(late.as_deref() == Some(b"1999\n"), "{late:?}");
        ensure!(ext4.read("/var/large")?.is_some_and(|bytes| bytes == vec![42; 9 << 20]), "a large file");
        ensure!(ext4.read("/etc")?.is_none() && !ext4.exists("/etc/none")?);
        let output = programs::xtask()?.arg("inspect").arg(&path).run()?;
        for words in ["arm64", "cloud-init", "bootfs", "boots", "trixie"] {
            ensure!(said(&output).contains(words), "nothing of `{words}`:\n{}", said(&output));
        }
    }
    Ok(())
}

/// Everything that is not in use is overwritten; the checkers of both file systems find nothing wrong then, and every file
/// is as it was.
fn in_use() -> anyhow::Result<()> {
    let folder = scratch()?;
    let path = image(folder.path(), "dos")?;
    let disk = Whole::open(&path)?;
    let whole = |place: (u64, u64)| Part::new(&disk, place.0 * MIB, place.1 * MIB);
    let (boot, root) = (whole(BOOT), whole(ROOT));
    let used = [
        (BOOT, Fat::open(&boot)?.context("it is FAT")?.used()),
        (ROOT, Ext4::open(&root)?.context("it is ext4")?.used()?),
    ];
    let other = folder.path().join("other.img");
    std::fs::copy(&path, &other)?;
    let file = File::options().write(true).open(&other)?;
    for (place, used) in &used {
        ensure!(used.bytes() < place.1 * MIB / 2, "{} bytes of {} MiB are in use", used.bytes(), place.1);
        spoil(&file, place.0 * MIB, place.1 * MIB, used)?;
    }
    let check = |program: &str, words: &[&str]| -> anyhow::Result<()> {
        let output =
            Invocation::new(program).args(words.iter().copied()).accept([0, 1, 2, 4, 8, 12]).run()?;
        ensure!(output.code == 0, "{program}: exit {}:\n{}", output.code, said(&output));
        Ok(())
    };
    let at = |place: (u64, u64)| format!("{}?offset={}", other.display(), place.0 * MIB);
    check("e2fsck", &["-f", "-n", &at(ROOT)])?;
    let alone = folder.path().join("boot.img");
    let mut bytes = vec![0; usize::try_from(BOOT.1 * MIB)?];
    File::open(&other)?.read_exact_at(&mut bytes, BOOT.0 * MIB)?;
    std::fs::write(&alone, bytes)?;
    check("fsck.vfat", &["-n", alone.to_str().context("a plain name")?])?;
    let disk = Whole::open(&other)?;
    let root = Part::new(&disk, ROOT.0 * MIB, ROOT.1 * MIB);
    let ext4 = Ext4::open(&root)?.context("it is ext4")?;
    for name in ext4.list("/var/many")?.context("the folder is there")? {
        let content = ext4.read(&format!("/var/many/{name}"))?.context("it is there")?;
        let number: u32 = String::from_utf8(content)?.trim().parse()?;
        ensure!(name.ends_with(&format!("{number:04}")), "{name} holds {number}");
    }
    ensure!(
        ext4.read("/var/large")?.is_some_and(|bytes| bytes == vec![42; 9 << 20]),
        "the large file changed"
    );
    Ok(())
}

/// Writes over all of `size` bytes from `start` on that are not in use.
fn spoil(file: &File, start: u64, size: u64, used: &Used) -> anyhow::Result<()> {
    let ends = used.ranges().iter().map(|range| range.end).collect::<Vec<_>>();
    let starts = used.ranges().iter().map(|range| range.start).chain([size]);
    for (from, to) in std::iter::once(0).chain(ends).zip(starts) {
        let noise = vec![0xa5; usize::try_from(to - from)?];
        file.write_all_at(&noise, start + from)?;
    }
    Ok(())
}

fn sizes() -> anyhow::Result<()> {
    let folder = scratch()?;
    let fresh = |name: &str, mib: u64| -> anyhow::Result<PathBuf> {
        let path = folder.path().join(name);
        File::create(&path)?.set_len(mib * MIB)?;
        Ok(path)
    };
    for (bits, mib, kind) in [("12", 2, "FAT12"), ("16", 16, "FAT16"), ("32", 64, "FAT32")] {
        for sector in ["512", "4096"] {
            let mib = if sector == "4096" { mib * 6 } else { mib };
            let path = fresh(&format!("fat-{bits}-{sector}"), mib)?;
            run("mkfs.vfat", &["-F", bits, "-S", sector, "-s", "1", "-n", "VOLUME"], Some(&path))?;
            let disk = Whole::open(&path)?;
            let fat = Fat::open(&disk)?.with_context(|| format!("{bits} {sector} is FAT"))?;
            ensure!(fat.kind.to_string() == kind && fat.label == "VOLUME", "{bits} {sector}: {}", fat.kind);
            ensure!(fat.list("")?.is_some_and(|entries| entries.is_empty()) && fat.used().bytes() < 2 * MIB);
        }
    }
    let root = folder.path().join("root");
    std::fs::create_dir(&root)?;
    std::fs::write(root.join("hello"), "hello\n")?;
    let source = root.to_str().context("a plain name")?.to_owned();
    for (name, words) in [
        ("1k", ["-t", "ext4", "-b", "1024"].as_slice()),
        ("2k", &["-t", "ext4", "-b", "2048", "-O", "^flex_bg"]),
        ("ext2", &["-t", "ext2", "-b", "1024"]),
        ("ext3", &["-t", "ext3", "-I", "128"]),
        ("old", &["-t", "ext4", "-O", "^metadata_csum,^64bit,uninit_bg"]),
        ("sparse2", &["-t", "ext4", "-O", "sparse_super2"]),
        ("packed", &["-t", "ext4", "-E", "packed_meta_blocks=1"]),
    ] {
        let path = fresh(name, 300)?;
        let words = [words, &["-q", "-F", "-d", source.as_str()]].concat();
        run("mke2fs", &words, Some(&path))?;
        let disk = Whole::open(&path)?;
        let ext4 = Ext4::open(&disk)?.with_context(|| format!("{name} is ext4"))?;
        ensure!(ext4.read("/hello")?.as_deref() == Some(b"hello\n"), "{name}: the file");
        let used = ext4.used()?;
        ensure!(used.bytes() < 60 * MIB, "{name}: {} bytes in use", used.bytes());
        spoil(&File::options().write(true).open(&path)?, 0, disk.size(), &used)?;
        let output =
            Invocation::new("e2fsck").args(["-f", "-n"]).arg(&path).accept([0, 1, 2, 4, 8, 12]).run()?;
        ensure!(output.code == 0, "{name}: {}", said(&output));
    }
    let path = fresh("clusters", 300)?;
    run("mke2fs", &["-q", "-F", "-t", "ext4", "-O", "bigalloc"], Some(&path))?;
    let disk = Whole::open(&path)?;
    let why = Ext4::open(&disk)?.context("it is ext4")?.used().err().context("it was read")?;
    ensure!(why.to_string().contains("bigalloc"), "{why}");
    Ok(())
}

fn damaged() -> anyhow::Result<()> {
    let folder = scratch()?;
    let path = image(folder.path(), "gpt")?;
    let xtask = |path: &Path| anyhow::Ok(programs::xtask()?.arg("inspect").arg(path).run()?);
    for (name, length, words) in
        [("empty", 0, "it ends at 0"), ("start", 100 * MIB, "it is cut off"), ("table", 700, "it is cut off")]
    {
        let cut = folder.path().join(name);
        let mut bytes = vec![0; usize::try_from(length)?];
        File::open(&path)?.read_exact_at(&mut bytes, 0)?;
        std::fs::write(&cut, bytes)?;
        let output = xtask(&cut)?;
        ensure!(
            output.code == 6 && said(&output).contains(words),
            "{name}: {} {}",
            output.code,
            said(&output)
        );
    }
    let text = folder.path().join("text");
    std::fs::write(&text, "a letter".repeat(1000))?;
    let output = xtask(&text)?;
    ensure!(output.code == 6 && said(&output).contains("no disk image"), "{} {}", output.code, said(&output));
    // One byte after the other of what is parsed, a different seventh each start, turned into two others.
    let file = File::options().read(true).write(true).open(&path)?;
    let starts =
        [0, SIZE * MIB - 1024, BOOT.0 * MIB, BOOT.0 * MIB + 16384, ROOT.0 * MIB + 1024, ROOT.0 * MIB + 4096];
    for start in starts {
        for at in (start + start / MIB % 7..start + 1024).step_by(7) {
            let mut own = [0];
            file.read_exact_at(&mut own, at)?;
            for other in [0xff, own[0] ^ 0x80] {
                file.write_all_at(&[other], at)?;
                let disk = Whole::open(&path)?;
                if let Ok(table) = Table::read(&disk) {
                    for one in &table.partitions {
                        look(&Part::new(&disk, one.start, one.size));
                    }
                }
            }
            file.write_all_at(&own, at)?;
        }
    }
    ensure!(Insight::of(&Whole::open(&path)?)?.remarks.is_empty(), "it was not put back");
    Ok(())
}

/// Reads of a file system what there is; errors are welcome, a panic is not.
fn look(part: &Part<'_, Whole>) {
    if let Ok(Some(fat)) = Fat::open(part) {
        let _ = (fat.used(), fat.list(""), fat.read("config.txt"));
    }
    if let Ok(Some(ext4)) = Ext4::open(part) {
        let _ = (ext4.used(), ext4.read("/etc/os-release"));
    }
}
