use super::machines::{machine, seen};
use super::*;

fn paths<'a>(devices: impl Iterator<Item = &'a Device>) -> Vec<&'a str> {
    devices.map(|device| device.path.as_str()).collect()
}

#[test]
fn a_tree_of_partition_luks_and_lvm_is_read() {
    let pc = machine("pc");
    let (nvme, tops) = pc.find("/dev/nvme0n1").unwrap();
    assert_eq!(paths(tops.into_iter()), ["/dev/nvme0n1"]);
    let tree = paths(nvme.tree());
    let mapper = ["/dev/mapper/nvme0n1p3_crypt", "/dev/mapper/pc--vg-root", "/dev/mapper/pc--vg-swap_1"];
    assert_eq!(tree[4..], mapper);
    let by_name = |name: &str| pc.all().find(|device| device.name == name).unwrap();
    assert_eq!(by_name("dm-1").mount_points, ["/"]);
    assert!(by_name("dm-2").is_swap && !by_name("dm-1").is_swap);
    assert_eq!(by_name("dm-1").kind, Kind::Other("lvm".to_owned()));
    assert_eq!(
        (nvme.size, nvme.model.as_deref()),
        (ByteSize(1_000_204_886_016), Some("Samsung SSD 980 PRO 1TB"))
    );
    assert_eq!(by_name("sda").vendor.as_deref(), Some("SanDisk"));
    assert_eq!(by_name("sda").content(), "vfat `STICK`");
    assert_eq!(by_name("nvme0n1p3").holders, ["dm-0"]);
}

#[test]
fn every_link_finds_its_device() {
    let pc = machine("pc");
    for link in [
        "/dev/sda",
        "/dev/mycard",
        "/dev/disk/by-id/usb-SanDisk_Ultra_4C530001234567890123-0:0",
        "/dev/disk/by-path/pci-0000:00:14.0-usb-0:2:1.0-scsi-0:0:0:0",
    ] {
        assert_eq!(pc.find(link).unwrap().0.name, "sda", "{link}");
    }
    let (part, tops) = pc.find("/dev/disk/by-uuid/1234-ABCD").unwrap();
    assert_eq!((part.name.as_str(), paths(tops.into_iter())), ("sda1", vec!["/dev/sda"]));
    assert!(pc.find("/dev/sdz").is_none() && pc.find("sda").is_none());
    let stick = pc.find("/dev/sda").unwrap().0;
    assert_eq!(stick.lasting_names(), ["usb-SanDisk_Ultra_4C530001234567890123-0:0"]);
}

#[test]
fn what_old_versions_write_as_strings_is_the_same() {
    let pi = machine("pi");
    let card = pi.find("/dev/mmcblk0").unwrap().0;
    assert_eq!((card.size, card.removable, card.is_removable()), (ByteSize(31_914_983_424), false, true));
    assert!(pi.find("/dev/sda").unwrap().0.removable);
    // Its root is `/dev/root` in mountinfo; the number tells.
    assert_eq!(card.children[1].mount_points, ["/"]);
}

#[test]
fn a_reader_says_fixed_and_its_card_is_not_and_soldered_memory_is() {
    let laptop = machine("laptop");
    let removable = |path: &str| laptop.find(path).unwrap().0.is_removable();
    assert!(removable("/dev/mmcblk1") && !removable("/dev/mmcblk0"));
    assert!(laptop.find("/dev/zram0").unwrap().0.is_swap);
}

#[test]
fn mounts_are_found_by_number_by_source_and_by_lsblk() {
    // btrfs has a number of its own; its source names the partition.
    let mut seen = seen("laptop");
    seen.lsblk = seen.lsblk.replace("\"mountpoint\": \"/\"", "\"mountpoint\": null");
    let laptop = Inventory::of(&seen).unwrap();
    assert_eq!(laptop.find("/dev/mmcblk0p2").unwrap().0.mount_points, ["/"]);
    // Without any mountinfo, as in a container, lsblk's column is left.
    seen = super::machines::seen("sticks");
    seen.mountinfo.clear();
    let sticks = Inventory::of(&seen).unwrap();
    assert_eq!(sticks.find("/dev/sda1").unwrap().0.mount_points, ["/media/ann/PHOTOS"]);
    seen.lsblk = seen.lsblk.replace(
        "\"mountpoint\": \"/media/ann/PHOTOS\"",
        "\"mountpoints\": [\"/a\", null, \"/b\"], \"mountpoint\": \"/a\"",
    );
    let sticks = Inventory::of(&seen).unwrap();
    assert_eq!(sticks.find("/dev/sda1").unwrap().0.mount_points, ["/a", "/b"]);
}

#[test]
fn blanks_and_several_devices_in_mountinfo_are_undone() {
    let mounts = super::mounts::parse(
        "1 0 8:1 / /mnt/my\\040stick rw,relatime shared:1 master:2 - ext4 /dev/sd\\040a rw\n\
         2 0 0:60 / /pool rw - bcachefs /dev/sda:/dev/sdb rw\nnot a line\n3 0 x:y / / rw - ext4 /dev/sda rw\n",
    );
    assert_eq!(mounts.len(), 2);
    assert_eq!((mounts[0].point.as_str(), mounts[0].source.as_str()), ("/mnt/my stick", "/dev/sd a"));
    assert_eq!(mounts[1].sources().skip(1).collect::<Vec<_>>(), ["/dev/sda", "/dev/sdb"]);
    let swaps =
        super::mounts::swaps("Filename Type\n/dev/sda3 partition 1 0 -2\n/swap\\040file file 1 0 -3\n");
    assert_eq!(swaps, ["/dev/sda3", "/swap file"]);
}

#[test]
fn what_decides_and_can_not_be_read_is_an_error() {
    let entry = |fields: &str| format!("{{\"blockdevices\": [{{{fields}}}]}}");
    let whole = r#""kname":"sda","maj:min":"8:0","type":"disk","size":5,"ro":false,"rm":"1""#;
    let one = Inventory::of(&Seen { lsblk: entry(whole), ..Seen::default() }).unwrap();
    assert_eq!(one.devices[0].path, "/dev/sda");
    for (lsblk, words) in [
        ("lsblk: command failed".to_owned(), "no JSON"),
        ("{}".to_owned(), "no list `blockdevices`"),
        ("{\"blockdevices\": null}".to_owned(), "no list"),
        (entry(""), "entry number 1 can't be used: `kname` is missing"),
        (entry(&whole.replace("8:0", "8")), "entry sda can't be used: `maj:min` is \"8\""),
        (entry(&whole.replace(":5", ":-5")), "`size` is -5"),
        (entry(&whole.replace(":5", ":\"29G\"")), "`size` is \"29G\""),
        (entry(&whole.replace("\"1\"", "\"yes\"")), "`rm` is \"yes\""),
        (entry(&whole.replace("false", "null")), "`ro` is null"),
        (entry(&whole.replace("\"disk\"", "null")), "`type` is null"),
        (
            "{\"blockdevices\": ".to_owned()
                + &format!("[{{{whole},\"children\":").repeat(40)
                + "[]"
                + &"}]".repeat(40)
                + "}",
            "nests deeper",
        ),
    ] {
        let error = Inventory::of(&Seen { lsblk: lsblk.clone(), ..Seen::default() }).unwrap_err().to_string();
        assert!(error.contains(words), "{lsblk}: {error}");
    }
}

#[test]
fn this_machine_can_be_looked_at() {
    // The machine of whoever runs the tests: no more is known than that it has devices.
    let inventory = look(&[]).unwrap();
    assert!(!inventory.devices.is_empty());
    assert!(!mounts_now().unwrap().is_empty());
}
