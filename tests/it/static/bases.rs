//! The bases that trials make cards of, as the product and the checkers of their file systems see them.

use anyhow::{Context as _, ensure};
use desired::Arch;
use desired::card::FirstBoot;
use host::disk::Whole;
use host::disk::insight::Insight;
use host::process::Invocation;
use tests::lab::{Lab, Need};
use tests::programs::{self, said, scratch};
use tests::ring::{Ring, Trial};
use tests::vm::base::{BOOT_LABEL, DISK_ID};
use tests::vm::card::firmware::Start;

pub fn trials() -> Vec<Trial> {
    let needs = [Need::DiskTools, Need::Base];
    vec![Trial::new(Ring::Static, "bases::one_is_what_a_vendor_ships", ships).needs(&needs)]
}

fn ships(lab: &Lab) -> anyhow::Result<()> {
    let image = lab.base(Arch::Amd64).image();
    let disk = Whole::open(image)?;
    let insight = Insight::of(&disk)?;
    ensure!(insight.remarks.is_empty() && insight.boot == Some(1), "{insight:?}");
    ensure!(insight.first_boot == Some(FirstBoot::CloudInit), "{insight:?}");
    ensure!(insight.arch.as_deref() == Some("amd64"), "{insight:?}");
    ensure!(insight.table == format!("MBR {DISK_ID:08x}"), "{insight:?}");
    let held: Vec<_> =
        insight.partitions.iter().map(|one| (one.file_system.as_deref(), one.label.as_str())).collect();
    ensure!(held == [(Some("FAT32"), BOOT_LABEL), (Some("ext4"), "rootfs")], "{held:?}");
    let [boot, root] = insight.partitions.as_slice() else { anyhow::bail!("{held:?}") };
    let start = Start::of(image)?;
    let root_word = format!(" root=PARTUUID={DISK_ID:08x}-02 ");
    ensure!(start.line.contains(&root_word), "{}", start.line);
    ensure!(start.kernel.starts_with(b"MZ"), "the kernel has another head: {:?}", start.kernel.get(..4));
    // fsck.vfat knows of no offset.
    let folder = scratch()?;
    let apart = folder.path().join("boot.img");
    let copy = Invocation::new("dd").args(["bs=1M", "conv=sparse", "status=none"]);
    let place = [format!("skip={}", boot.start >> 20), format!("count={}", boot.size.0 >> 20)];
    copy.arg(format!("if={}", image.display())).arg(format!("of={}", apart.display())).args(place).run()?;
    Invocation::new("fsck.vfat").arg("-n").arg(&apart).run().context("the boot partition")?;
    let root = format!("{}?offset={}", image.display(), root.start);
    Invocation::new("e2fsck").args(["-f", "-n", &root]).run().context("the root")?;
    let output = programs::xtask()?.arg("inspect").arg(image).run()?;
    for words in ["amd64", "Raspberry Pi reference", "cloud-init", "boots"] {
        ensure!(said(&output).contains(words), "nothing of `{words}`:\n{}", said(&output));
    }
    Ok(())
}
