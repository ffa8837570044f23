//! Machines as they are met, for tests of the parser and the guard: what lsblk says is in `fixtures/`, shaped after such
//! machines' answers; what the kernel says besides stands here.

use std::collections::BTreeMap;

use super::{Inventory, Seen, Sysfs};

/// The machine of that name.
pub(crate) fn machine(name: &str) -> Inventory {
    Inventory::of(&seen(name)).unwrap()
}

pub(crate) fn seen(name: &str) -> Seen {
    let (lsblk, mountinfo, swaps) = match name {
        "pc" => (
            include_str!("fixtures/pc.json"),
            "26 1 254:1 / / rw shared:1 - ext4 /dev/mapper/pc--vg-root rw\n\
             40 26 259:2 / /boot rw shared:2 - ext4 /dev/nvme0n1p2 rw\n\
             41 40 259:1 / /boot/efi rw shared:3 - vfat /dev/nvme0n1p1 rw\n",
            "Filename\t\t\t\tType\t\tSize\tUsed\tPriority\n/dev/dm-2 partition\t999420\t0\t-2\n",
        ),
        "raid" => (
            include_str!("fixtures/raid.json"),
            "26 1 8:2 / / rw - ext4 /dev/sda2 rw\n27 26 9:0 / /srv/backup rw - ext4 /dev/md0 rw\n",
            "",
        ),
        "zfs" => (
            include_str!("fixtures/zfs.json"),
            "26 1 259:1 / / rw - ext4 /dev/root rw\n\
            60 26 0:50 / /tank rw - zfs tank rw\n",
            "",
        ),
        "laptop" => (
            include_str!("fixtures/laptop.json"),
            "26 1 0:25 /@ / rw - btrfs /dev/mmcblk0p2 rw,subvol=/@\n27 26 179:1 / /boot/efi rw - vfat /dev/mmcblk0p1 rw\n",
            "Filename Type Size Used Priority\n/dev/zram0 partition 4194300 0 100\n",
        ),
        "sticks" => (
            include_str!("fixtures/sticks.json"),
            "26 1 254:1 / / rw - ext4 /dev/vda1 rw\n90 26 8:1 / /media/ann/PHOTOS rw - exfat /dev/sda1 rw\n",
            "",
        ),
        "pi" => (
            include_str!("fixtures/pi.json"),
            "26 1 179:2 / / rw - ext4 /dev/root rw\n27 26 179:1 / /boot/firmware rw - vfat /dev/mmcblk0p1 rw\n",
            "Filename Type Size Used Priority\n/var/swap file 102396 0 -2\n",
        ),
        "loops" => (
            include_str!("fixtures/loops.json"),
            "26 1 254:1 / / rw - ext4 /dev/vda1 rw\n28 26 7:0 / /snap/core22/1380 ro - squashfs /dev/loop0 ro\n",
            "",
        ),
        "server" => (
            include_str!("fixtures/server.json"),
            "26 1 8:65 / / rw - ext4 /dev/sde1 rw\n27 26 253:0 / /var/lib/longhorn rw - xfs /dev/mapper/mpatha rw\n\
             28 26 252:0 / /data rw - ext4 /dev/bcache0 rw\n",
            "",
        ),
        other => panic!("there is no machine {other}"),
    };
    Seen {
        lsblk: lsblk.to_owned(),
        swaps: swaps.to_owned(),
        mountinfo: mountinfo.to_owned(),
        links: links(name),
        sysfs: sysfs(name),
        probes: BTreeMap::new(),
    }
}

fn links(name: &str) -> BTreeMap<String, String> {
    let links: &[(&str, &str)] = match name {
        "pc" => &[
            ("/dev/disk/by-id/nvme-Samsung_SSD_980_PRO_1TB_S5GXNX0T123456", "/dev/nvme0n1"),
            ("/dev/disk/by-id/usb-SanDisk_Ultra_4C530001234567890123-0:0", "/dev/sda"),
            ("/dev/disk/by-id/usb-SanDisk_Ultra_4C530001234567890123-0:0-part1", "/dev/sda1"),
            ("/dev/disk/by-uuid/1234-ABCD", "/dev/sda1"),
            ("/dev/disk/by-path/pci-0000:00:14.0-usb-0:2:1.0-scsi-0:0:0:0", "/dev/sda"),
            ("/dev/mycard", "/dev/sda"),
        ],
        "sticks" => &[
            ("/dev/disk/by-id/usb-SanDisk_Ultra_4C530001234567890999-0:0", "/dev/sdf"),
            ("/dev/disk/by-id/usb-WD_My_Passport_25E2_575837314143-0:0", "/dev/sdd"),
        ],
        _ => &[],
    };
    links.iter().map(|(link, to)| ((*link).to_owned(), (*to).to_owned())).collect()
}

fn sysfs(name: &str) -> BTreeMap<String, Sysfs> {
    let file = |path: &str| Sysfs { backing_file: Some(path.to_owned()), ..Sysfs::default() };
    let card = |kind: &str| Sysfs { card: Some(kind.to_owned()), ..Sysfs::default() };
    let held = |by: &str| Sysfs { holders: vec![by.to_owned()], ..Sysfs::default() };
    let all = match name {
        "loops" => vec![
            ("loop0", file("/var/lib/snapd/snaps/core22_1380.snap")),
            ("loop1", file("/srv/media/photos.img")),
            ("loop2", file("/home/ann/card.img")),
            ("loop3", file("/dev/sda")),
        ],
        "laptop" => vec![("mmcblk0", card("MMC")), ("mmcblk0boot0", card("MMC")), ("mmcblk1", card("SD"))],
        "pi" => vec![("mmcblk0", card("SD"))],
        "pc" => vec![("nvme0n1p3", held("dm-0")), ("dm-0", held("dm-1"))],
        "zfs" => vec![("sda", Sysfs { sequence: Some(7), ..Sysfs::default() })],
        _ => Vec::new(),
    };
    all.into_iter().map(|(name, sysfs)| (name.to_owned(), sysfs)).collect()
}
