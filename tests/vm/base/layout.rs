//! The bytes of a base: a table, a boot partition, a root, written into a file without a mount.
//!
//! In: a root as a folder. Out: the image. Identities are fixed (the disk's, the volumes'), as every copy of a vendor's image
//! shares them; `root=` on the kernel's command line names the second partition by the disk's (FIELD P13).

use super::failed;
use crate::lab::{Missing, folder};
use desired::Arch;
use host::process::Invocation;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The disk's identity in its table.
pub const DISK_ID: u32 = 0x5f3a_91c4;
/// The boot partition's volume.
pub const BOOT_LABEL: &str = "bootfs";
const BOOT_ID: &str = "1D0C5EED";
const ROOT_UUID: &str = "3ad7386b-e1ae-4032-ae33-0c40f5ecc4ac";
const MIB: u64 = 1 << 20;
/// Where the partitions lie and how long they are, in MiB: a FAT32 of less than 512 has too few clusters for mtools.
const BOOT: (u64, u64) = (8, 512);
const ROOT: (u64, u64) = (520, 1_800);
/// Where the boot partition starts, in bytes.
pub const BOOT_START: u64 = BOOT.0 * MIB;
/// What a vendor leaves in place of a seed: comments, and an identity that cloud-init does not read (FIELD P2).
const EMPTY_SEED: [(&str, &str); 3] = [
    ("user-data", "#cloud-config\n# What is written here is done at the first boot.\n"),
    ("meta-data", "# Identity of the instance.\ninstance_id: rpios-image\n"),
    ("network-config", "# Addresses and networks, as netplan writes them.\n"),
];
const ISSUE: &str = "A base of trials, made from Debian's packages; laid out as Raspberry Pi OS is.\n";
const COMMON: &str = "[all]\nauto_initramfs=0\n";

/// Everything besides the root that an image's content depends on.
pub fn key() -> String {
    let files = [Arch::Amd64, Arch::Arm64].map(|arch| (command_line(arch), config(arch), kernels(arch)));
    let identities = format!("{DISK_ID:08x} {BOOT_LABEL} {BOOT_ID} {ROOT_UUID}");
    format!("{identities} {BOOT:?} {ROOT:?} {EMPTY_SEED:?} {ISSUE} {files:?} {}", fstab())
}

/// Writes the image of a root, whose kernel and `fstab` are changed for it.
pub fn lay_out(image: &Path, arch: Arch, root: &Path) -> Result<(), Missing> {
    let boot = root.with_file_name("boot");
    fill_boot(folder(&boot)?, arch, root)?;
    write(&root.join("etc/fstab"), fstab().as_bytes())?;
    let length = (ROOT.0 + ROOT.1) * MIB;
    let made = File::create(image).and_then(|file| file.set_len(length));
    made.map_err(|error| failed(image, &error))?;
    let table = format!(
        "label: dos\nlabel-id: 0x{DISK_ID:08x}\nstart={}MiB, size={}MiB, type=c\nstart={}MiB, size={}MiB, type=83\n",
        BOOT.0, BOOT.1, ROOT.0, ROOT.1
    );
    run(&Invocation::new("sfdisk").arg("--quiet").arg(image).stdin(table.into_bytes()))?;
    let (start, blocks) = ((BOOT_START / 512).to_string(), (BOOT.1 * 1024).to_string());
    let format =
        Invocation::new("mkfs.vfat").args(["-F", "32", "-S", "512", "-n", BOOT_LABEL, "-i", BOOT_ID]);
    run(&format.args(["--offset", &start]).arg(image).arg(blocks))?;
    let volume = format!("{}@@{}", image.display(), BOOT_START);
    run(&Invocation::new("mcopy").args(["-i", &volume, "-s", "-m"]).args(sorted(&boot)?).arg("::/"))?;
    let extended = format!("offset={},root_owner=0:0,lazy_itable_init=1", ROOT.0 * MIB);
    let fill = Invocation::new("mke2fs").args(["-q", "-F", "-t", "ext4", "-L", "rootfs", "-U", ROOT_UUID]);
    let fill = fill.args(["-E", &extended, "-d"]).arg(root).arg(image).arg(format!("{}M", ROOT.1));
    run(&fill.timeout(Duration::from_secs(600)))
}

/// The kernel's names there: those that the firmware of a Raspberry Pi looks for, or one that `config.txt` names.
fn kernels(arch: Arch) -> &'static [&'static str] {
    match arch {
        Arch::Amd64 => &["vmlinuz"],
        Arch::Arm64 => &["kernel8.img", "kernel_2712.img"],
    }
}

fn config(arch: Arch) -> String {
    match arch {
        Arch::Amd64 => format!("{COMMON}kernel=vmlinuz\n"),
        Arch::Arm64 => format!("{COMMON}arm_64bit=1\n"),
    }
}

fn command_line(arch: Arch) -> String {
    let serial = match arch {
        Arch::Amd64 => "ttyS0,115200",
        Arch::Arm64 => "ttyAMA0,115200",
    };
    format!(
        "console=tty1 console={serial} root=PARTUUID={DISK_ID:08x}-02 rootfstype=ext4 fsck.repair=yes rootwait \
         cfg80211.ieee80211_regdom=GB\n"
    )
}

fn fstab() -> String {
    format!(
        "proc /proc proc defaults 0 0\nPARTUUID={DISK_ID:08x}-01 /boot/firmware vfat defaults 0 2\n\
         PARTUUID={DISK_ID:08x}-02 / ext4 defaults,noatime 0 1\n"
    )
}

/// The boot partition's files; the kernel leaves the root, where nobody would look for it.
fn fill_boot(boot: &Path, arch: Arch, root: &Path) -> Result<(), Missing> {
    let of_kernel = sorted(&root.join("boot"))?.into_iter().filter(|path| path.is_file());
    let of_kernel: Vec<PathBuf> = of_kernel.collect();
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let kernel = of_kernel.iter().find(|path| name(path).is_some_and(|name| name.starts_with("vmlinuz-")));
    let kernel =
        kernel.ok_or_else(|| Missing::new("the root of a base has no kernel", "look at the mirror"))?;
    for name in kernels(arch) {
        std::fs::copy(kernel, boot.join(name)).map_err(|error| failed(kernel, &error))?;
    }
    for path in &of_kernel {
        std::fs::remove_file(path).map_err(|error| failed(path, &error))?;
    }
    let own =
        [("cmdline.txt", command_line(arch)), ("config.txt", config(arch)), ("issue.txt", ISSUE.to_owned())];
    let seed = EMPTY_SEED.map(|(name, text)| (name, text.to_owned()));
    own.into_iter().chain(seed).try_for_each(|(name, text)| write(&boot.join(name), text.as_bytes()))
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>, Missing> {
    let entries = std::fs::read_dir(folder).map_err(|error| failed(folder, &error))?.flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Missing> {
    std::fs::write(path, bytes).map_err(|error| failed(path, &error))
}

fn run(call: &Invocation) -> Result<(), Missing> {
    let made = call.run();
    made.map(drop)
        .map_err(|error| Missing::new(format!("make a base: {error}"), "free space, or look at the message"))
}
