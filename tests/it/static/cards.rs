//! Cards written from images that the usual tools make and pack, held against the usual checkers.
//!
//! The medium is a file full of noise: whatever the writer leaves out is noise afterwards, and must be nothing that matters.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use host::disk::base::Base;
use host::disk::ext4::Ext4;
use host::disk::fat::Fat;
use host::disk::insight::Insight;
use host::disk::medium::Medium;
use host::disk::overlay::{Overlay, Patch};
use host::disk::table::{Scheme, Table};
use host::disk::write::{Options, Target, Written, write};
use host::disk::{Part, ReadAt as _, Whole};
use host::process::Invocation;
use host::report::{Report, Style};
use tests::lab::{Lab, Need};
use tests::programs::{said, scratch};
use tests::ring::{Ring, Trial};

use super::disks::{BOOT, MIB, ROOT, SIZE, image};

/// How much longer the medium is than the image.
const LONGER: u64 = 37 * MIB;

pub fn trials() -> Vec<Trial> {
    let trial = |name: &str, body: fn(&Lab) -> anyhow::Result<()>| {
        Trial::new(Ring::Static, format!("cards::{name}"), body).needs(&[Need::DiskTools])
    };
    vec![
        trial("a_card_on_noise_is_whole_for_every_checker", |_| on_noise()),
        trial("a_damaged_table_is_whole_again_on_the_card", |_| damaged_table()),
        trial("a_medium_without_room_is_told_of", |_| no_room()),
    ]
}

/// A medium of noise.
fn noise(path: &Path, length: u64) -> anyhow::Result<()> {
    let file = File::create(path)?;
    let piece: Vec<u8> = (0..MIB).map(|at| u8::try_from(at * 31 % 251).unwrap_or(1) | 1).collect();
    for offset in (0..length).step_by(piece.len()) {
        file.write_all_at(&piece, offset)?;
    }
    Ok(file.set_len(length)?)
}

fn pack(path: &Path, program: &str, words: &[&str]) -> anyhow::Result<PathBuf> {
    Invocation::new(program).args(words.iter().copied()).arg(path).run()?;
    let ending = if program == "xz" { "img.xz" } else { "img.gz" };
    Ok(path.with_extension(ending))
}

fn one(base: Base, medium: Medium, patch: Patch) -> anyhow::Result<Written> {
    let target = Target { name: "rpi-01".to_owned(), medium, patch };
    let report = Report::new(Style::Quiet);
    let (_, result) = write(base, vec![target], &Options::default(), &report).remove(0);
    Ok(result?)
}

fn check(program: &str, words: &[&str]) -> anyhow::Result<()> {
    let output = Invocation::new(program).args(words.iter().copied()).accept([0, 1, 2, 4, 8, 12]).run()?;
    ensure!(output.code == 0, "{program}: exit {}:\n{}", output.code, said(&output));
    Ok(())
}

fn on_noise() -> anyhow::Result<()> {
    let folder = scratch()?;
    for (label, program, words) in
        [("dos", "xz", ["-0k", "-T2", "--block-size=32MiB"].as_slice()), ("gpt", "gzip", &["-1k"])]
    {
        let path = image(folder.path(), label)?;
        let packed = pack(&path, program, words)?;
        let card = folder.path().join("card");
        noise(&card, SIZE * MIB + LONGER)?;
        let base = Base::open(&packed, None)?;
        ensure!(base.insight().boot == Some(1), "{:?}", base.insight());
        // A byte more in the boot partition: what was written is the patched volume.
        let boot = Part::new(base.head(), BOOT.0 * MIB, BOOT.1 * MIB);
        let volume = Fat::open(&boot)?.context("it is FAT")?;
        ensure!(volume.read("config.txt")?.is_some());
        let patch = Overlay::new(base.head(), BOOT.0 * MIB, BOOT.1 * MIB).into_patch()?;
        let written = one(base, Medium::file(&card)?, patch)?;
        ensure!(written.remarks.is_empty(), "{:?}", written.remarks);
        // Both file systems are less than half full.
        ensure!(written.allocated.0 < SIZE * MIB / 2, "{written:?}");
        ensure!(written.written.0 <= written.allocated.0 + MIB, "{written:?}");
        whole(&path, &card, folder.path()).with_context(|| format!("{label} by {program}"))?;
    }
    Ok(())
}

/// The card has the table, and every file, of the image.
fn whole(image: &Path, card: &Path, folder: &Path) -> anyhow::Result<()> {
    let (plain, disk) = (Whole::open(image)?, Whole::open(card)?);
    let (before, after) = (Table::read(&plain)?, Table::read(&disk)?);
    ensure!(before.partitions == after.partitions && after.damages.is_empty(), "{after:?}");
    ensure!(
        !matches!(after.scheme, Scheme::Gpt { is_backup_at_end: false, .. }),
        "the second copy does not end the medium"
    );
    let text = card.to_str().context("a plain name")?;
    check("sfdisk", &["--verify", "--quiet", text])?;
    check("e2fsck", &["-f", "-n", &format!("{text}?offset={}", ROOT.0 * MIB)])?;
    let alone = folder.join("boot.img");
    std::fs::write(&alone, disk.bytes(BOOT.0 * MIB, usize::try_from(BOOT.1 * MIB)?)?)?;
    check("fsck.vfat", &["-n", alone.to_str().context("a plain name")?])?;
    same_files(image, card, folder)?;
    let insight = Insight::of(&disk)?;
    ensure!(insight.remarks.is_empty() && insight.arch.as_deref() == Some("arm64"), "{insight:?}");
    let (boot, root) =
        (Part::new(&disk, BOOT.0 * MIB, BOOT.1 * MIB), Part::new(&disk, ROOT.0 * MIB, ROOT.1 * MIB));
    let fat = Fat::open(&boot)?.context("it is FAT")?;
    let long = fat.read("overlays/a long name, as no eight letters hold.txt")?;
    ensure!(long.is_some_and(|bytes| bytes == vec![b'x'; 5000]), "a file of the boot partition changed");
    let ext4 = Ext4::open(&root)?.context("it is ext4")?;
    for name in ext4.list("/var/many")?.context("the folder is there")? {
        let content = String::from_utf8(ext4.read(&format!("/var/many/{name}"))?.context("it is there")?)?;
        let number: u32 = content.trim().parse()?;
        ensure!(name.ends_with(&format!("{number:04}")), "{name} holds {number}");
    }
    ensure!(
        ext4.read("/var/large")?.is_some_and(|bytes| bytes == vec![42; 9 << 20]),
        "the large file changed"
    );
    Ok(())
}

/// Every file of both file systems is what a plain write of the image gives, as debugfs and mtools read them.
fn same_files(image: &Path, card: &Path, folder: &Path) -> anyhow::Result<()> {
    let mut trees = Vec::new();
    for (name, disk) in [("plain", image), ("written", card)] {
        let tree = folder.join(name);
        let (root, boot) = (tree.join("root"), tree.join("boot"));
        std::fs::create_dir_all(&root)?;
        std::fs::create_dir_all(&boot)?;
        let dump = format!("rdump / {}", root.display());
        let at = format!("{}?offset={}", disk.display(), ROOT.0 * MIB);
        Invocation::new("debugfs").args(["-R", &dump, &at]).run()?;
        let at = format!("{}@@{}", disk.display(), BOOT.0 * MIB);
        Invocation::new("mcopy").args(["-s", "-n", "-i", &at, "::/"]).arg(&boot).run()?;
        // Two that could not be read would be the same.
        ensure!(std::fs::read_dir(root.join("var/many"))?.count() == 2000 && boot.join("overlays").is_dir());
        trees.push(tree.to_str().context("a plain name")?.to_owned());
    }
    check("diff", &["--recursive", "--no-dereference", &trees[0], &trees[1]])?;
    trees.iter().try_for_each(|tree| Ok(std::fs::remove_dir_all(tree)?))
}

/// The first copy of the GPT is damaged: all of the base is unpacked, and the card has both.
fn damaged_table() -> anyhow::Result<()> {
    let folder = scratch()?;
    let path = image(folder.path(), "gpt")?;
    let good = folder.path().join("good");
    std::fs::copy(&path, &good)?;
    File::options().write(true).open(&path)?.write_all_at(b"damaged", 512 + 40)?;
    let packed = pack(&path, "gzip", &["-1k"])?;
    let base = Base::open(&packed, None)?;
    let remarks = base.insight().remarks.join("; ");
    ensure!(remarks.contains("all of the base is unpacked first"), "{remarks}");
    let card = folder.path().join("card");
    noise(&card, SIZE * MIB + LONGER)?;
    one(base, Medium::file(&card)?, Patch::default())?;
    whole(&good, &card, folder.path())
}

/// A new image where there is no room for it: told, and nothing left that boots.
fn no_room() -> anyhow::Result<()> {
    let folder = scratch()?;
    let path = image(folder.path(), "dos")?;
    let card = folder.path().join("card");
    File::create(&card)?.set_len(SIZE * MIB - MIB)?;
    let Err(error) = one(Base::open(&path, None)?, Medium::file(&card)?, Patch::default()) else {
        anyhow::bail!("a medium that is too small was written")
    };
    ensure!(error.to_string().contains("take a larger one"), "{error}");
    Ok(())
}
