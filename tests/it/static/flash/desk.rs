//! A desk where cards are made: what `build-images` made of a cluster, a small image as a vendor's, a token, and calls.

use super::super::disks::{MIB, root_files};
use anyhow::{Context as _, ensure};
use host::disk::Whole;
use host::disk::fat::Fat;
use host::disk::passport::{PATH, Passport};
use host::disk::table::Table;
use host::disk::{Part, ReadAt as _};
use host::process::{Invocation, Output};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tests::desk::{CLUSTER, Desk};
use tests::programs::{self, said};

/// Of a token that ends soon; what follows the point must be on cards alone.
pub const TOKEN_END: &str = "abcdef.0123456789canary";
/// Whoever operates it.
pub const SSH_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIHkT4cwkWR7M6tVcU1uTrBk5sIcM5P0uLrqGpsT5SbA me";
/// Where the boot partition lies, how long it is, and how long the root after it, in MiB.
pub const BOOT: (u64, u64) = (4, 40);
const ROOT: u64 = 60;
/// How long the image is, in MiB.
pub const SIZE: u64 = BOOT.0 + BOOT.1 + ROOT + 1;

/// What a person has before the first card.
#[derive(Debug)]
pub struct Cards {
    pub desk: Desk,
    pub base: PathBuf,
    pub token: PathBuf,
}

impl Cards {
    /// Builds all of it.
    pub fn new() -> anyhow::Result<Self> {
        Self::of(CLUSTER)
    }

    /// The same for another cluster of the repository.
    pub fn of(cluster: &str) -> anyhow::Result<Self> {
        let desk = Desk::of(cluster)?;
        let built = desk.build()?;
        ensure!(built.code == 0, "exit {}:\n{}", built.code, said(&built));
        let base = base(desk.folder())?;
        let token = desk.folder().join("token");
        std::fs::write(&token, token_text())?;
        Ok(Self { desk, base, token })
    }

    /// A file below the desk's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.desk.folder().join(name)
    }

    /// `flash` or `image` with base, token and output named.
    pub fn call(&self, verb: &str, words: &[&str]) -> anyhow::Result<Invocation> {
        let call = self.bare(verb, words)?;
        Ok(call.arg("--base").arg(&self.base).arg("--token-file").arg(&self.token))
    }

    /// The same without base and token.
    pub fn bare(&self, verb: &str, words: &[&str]) -> anyhow::Result<Invocation> {
        let call = programs::xtask()?.arg(verb).args(words.iter().copied()).arg("--offline");
        let call = call.arg("--profiles").arg(self.path("profiles")).arg("--out").arg(self.desk.out());
        let call = call.env("XDG_CACHE_HOME", self.desk.cache());
        let names = ["VNEXT_SSH_KEY", "HOMELAB_SSH_KEY", "COLAB_SSH_KEY"];
        let call = names.into_iter().fold(call, |call, name| call.env(name, SSH_KEY));
        Ok(call.timeout(Duration::from_secs(900)))
    }

    /// A medium that is as long as the image and somewhat longer, full of noise.
    pub fn noise(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.path(name);
        let (file, piece) = (File::create(&path)?, noise());
        for at in 0..SIZE + 7 {
            file.write_all_at(&piece, at * MIB)?;
        }
        Ok(path)
    }
}

/// A MiB of noise without a zero in it.
fn noise() -> Vec<u8> {
    (0..MIB).map(|at| u8::try_from(at * 31 % 251).unwrap_or(1) | 1).collect()
}

/// Whether all of a medium still is noise.
pub fn is_noise(path: &Path) -> anyhow::Result<bool> {
    let (bytes, piece) = (std::fs::read(path)?, noise());
    Ok(bytes.len() as u64 == (SIZE + 7) * MIB && bytes.chunks(piece.len()).all(|chunk| chunk == piece))
}

/// What `k3s token create` prints.
pub fn token_text() -> String {
    format!("K10{}::{TOKEN_END}\n", "a".repeat(64))
}

/// `--target-file` and `NODE=FILE` for each of these.
pub fn targets(nodes: &[(&str, &Path)]) -> Vec<String> {
    let words =
        |(node, path): &(&str, &Path)| ["--target-file".to_owned(), format!("{node}={}", path.display())];
    nodes.iter().flat_map(words).collect()
}

pub fn strs(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// A program of mtools on the volume that starts at so many MiB of an image.
pub fn mtools(image: &Path, start: u64, program: &str, words: &[&str]) -> anyhow::Result<Output> {
    let at = format!("{}@@{}", image.display(), start * MIB);
    Ok(Invocation::new(program).args(["-i", &at]).args(words.iter().copied()).run()?)
}

/// An image as Raspberry Pi's: FAT with the kernel's line, then ext4 with a small system whose first boot obeys cloud-init.
pub fn base(folder: &Path) -> anyhow::Result<PathBuf> {
    const LINE: &str = "console=tty1 root=PARTUUID=5f3a1c27-02 rootfstype=ext4 fsck.repair=yes rootwait\n";
    let image = Image {
        name: "base.img",
        table: "label: dos\nlabel-id: 0x5f3a1c27\n",
        partitions: [("1", "c"), ("2", "83")],
        boot: &[("cmdline.txt", LINE), ("config.txt", "[all]\narm_64bit=1\n")],
        machine: 183,
    };
    image.make(folder)
}

/// An image as Debian's for machines with UEFI: GPT, and a loader where UEFI looks for one on a medium that it does not know.
pub fn uefi_base(folder: &Path) -> anyhow::Result<PathBuf> {
    let image = Image {
        name: "uefi.img",
        table: "label: gpt\nlabel-id: 6d0a3c52-9f0e-4b0e-8a55-0d2b6a1f7c11\n",
        partitions: [("15", "U"), ("1", "L")],
        boot: &[("EFI/BOOT/BOOTX64.EFI", "MZ\n")],
        machine: 62,
    };
    image.make(folder)
}

/// What a vendor's image is made of.
struct Image {
    name: &'static str,
    /// The head of sfdisk's script.
    table: &'static str,
    /// Number and type of the boot partition and of the root, as sfdisk names them.
    partitions: [(&'static str, &'static str); 2],
    /// Files of the boot partition.
    boot: &'static [(&'static str, &'static str)],
    /// The machine in the head of its programs.
    machine: u16,
}

impl Image {
    fn make(&self, folder: &Path) -> anyhow::Result<PathBuf> {
        let path = folder.join(self.name);
        File::create(&path)?.set_len(SIZE * MIB)?;
        let root = BOOT.0 + BOOT.1;
        let [(boot_number, boot_type), (root_number, root_type)] = self.partitions;
        let script = format!(
            "{}{boot_number}: start={}MiB, size={}MiB, type={boot_type}\n{root_number}: start={root}MiB, size={ROOT}MiB, type={root_type}\n",
            self.table, BOOT.0, BOOT.1
        );
        Invocation::new("sfdisk").arg("--quiet").arg(&path).stdin(script.into_bytes()).run()?;
        let text = path.to_str().context("a plain name")?;
        let (offset, blocks) = ((BOOT.0 * MIB / 512).to_string(), (BOOT.1 * 1024).to_string());
        Invocation::new("mkfs.vfat")
            .args(["-F", "32", "-s", "1", "-n", "bootfs", "--offset", &offset, text, &blocks])
            .run()?;
        let boot = folder.join(format!("{}.boot", self.name));
        for (name, content) in self.boot {
            let file = boot.join(name);
            std::fs::create_dir_all(file.parent().context("it has one")?)?;
            std::fs::write(&file, content)?;
        }
        for entry in std::fs::read_dir(&boot)? {
            mtools(&path, BOOT.0, "mcopy", &["-s", &entry?.path().display().to_string(), "::/"])?;
        }
        let files = folder.join(format!("{}.root", self.name));
        root_files(&files)?;
        let program = File::options().write(true).open(files.join("usr/bin/dpkg"))?;
        program.write_all_at(&self.machine.to_le_bytes(), 18)?;
        let extended = format!("offset={},root_owner=0:0", root * MIB);
        let call =
            Invocation::new("mke2fs").args(["-q", "-F", "-t", "ext4", "-L", "rootfs", "-E", &extended, "-d"]);
        call.arg(&files).arg(text).arg(format!("{ROOT}M")).run()?;
        Ok(path)
    }
}

/// The passport of a card, every file of it verified.
pub fn passport(card: &Path) -> anyhow::Result<Passport> {
    let disk = Whole::open(card)?;
    let boot = Part::new(&disk, BOOT.0 * MIB, BOOT.1 * MIB);
    let fat = Fat::open(&boot)?.context("the card has a boot partition")?;
    let text = fat.read(PATH)?.context("the card has a passport")?;
    let passport: Passport = serde_json::from_slice(&text)?;
    let fates = passport.verify(&fat, false)?;
    ensure!(fates.values().all(|fate| !fate.is_drift()), "{fates:?}");
    Ok(passport)
}

/// Whether a card can't boot: its first MiB is zeroes.
pub fn is_blank(card: &Path) -> anyhow::Result<bool> {
    let first = Whole::open(card)?.bytes(0, usize::try_from(MIB)?)?;
    Ok(first.iter().all(|byte| *byte == 0))
}

/// Every checker that there is finds nothing wrong with it.
pub fn is_sound(card: &Path) -> anyhow::Result<()> {
    let disk = Whole::open(card)?;
    ensure!(Table::read(&disk)?.damages.is_empty(), "the table is damaged");
    let text = card.to_str().context("a plain name")?;
    let apart = card.with_extension("boot");
    std::fs::write(&apart, disk.bytes(BOOT.0 * MIB, usize::try_from(BOOT.1 * MIB)?)?)?;
    let root = format!("{text}?offset={}", (BOOT.0 + BOOT.1) * MIB);
    for (program, words) in [
        ("sfdisk", vec!["--verify", "--quiet", text]),
        ("e2fsck", vec!["-f", "-n", &root]),
        ("fsck.vfat", vec!["-n", apart.to_str().context("a plain name")?]),
    ] {
        let output = programs::answering(Invocation::new(program).args(words)).run()?;
        ensure!(output.code == 0, "{program}: exit {}:\n{}", output.code, said(&output));
    }
    Ok(std::fs::remove_file(&apart)?)
}
