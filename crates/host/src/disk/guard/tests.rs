use proptest::prelude::*;

use super::*;
use crate::disk::inventory::machines::machine;

fn request(device: &str) -> Request {
    Request { node: "rpi-01".to_owned(), device: device.to_owned(), ..Request::default() }
}

/// With every flag there is.
fn reckless(device: &str) -> Request {
    Request { allow_fixed: true, allow_large: true, ..request(device) }
}

/// What the guard says, a sentence a reason.
fn said(name: &str, request: &Request) -> Vec<String> {
    let refusals = clear(&machine(name), &Protected::default(), request).err().unwrap_or_default();
    refusals.iter().map(ToString::to_string).collect()
}

#[test]
fn cards_and_sticks_are_cleared() {
    for (name, device) in [
        ("pc", "/dev/disk/by-id/usb-SanDisk_Ultra_4C530001234567890123-0:0"),
        ("laptop", "/dev/mmcblk1"),
        ("sticks", "/dev/sdf"),
        ("pi", "/dev/sda"),
    ] {
        let cleared = clear(&machine(name), &Protected::default(), &request(device));
        let cleared = cleared.unwrap_or_else(|why| panic!("{name} {device}: {why:?}"));
        assert_eq!(cleared.node(), "rpi-01");
        assert!(device.ends_with(&cleared.device().name) || device.contains("4C530001234567890123"));
    }
}

#[test]
fn no_flag_reaches_the_deny_list() {
    for (name, device, expected) in [
        (
            "pc",
            "/dev/nvme0n1",
            &[
                "this system runs from it: /dev/mapper/pc--vg-root is /",
                "/dev/nvme0n1p2 is /boot",
                "pc--vg-swap_1 is swapped to",
                "/dev/nvme0n1p3 is part of a LUKS",
                "crypt is part of an LVM",
                "held by dm-0",
            ][..],
        ),
        ("raid", "/dev/sda", &["/dev/sda2 is /"]),
        (
            "raid",
            "/dev/sdb",
            &[
                "/dev/md0 is mounted at /srv/backup",
                "/dev/sdb1 is part of a RAID",
                "/dev/sdb1 is held by md0",
            ],
        ),
        ("raid", "/dev/sdd", &["/dev/sdd is part of a RAID"]),
        ("zfs", "/dev/sda", &["/dev/sda1 is part of a ZFS pool"]),
        ("laptop", "/dev/mmcblk0", &["/dev/mmcblk0p2 is /", "/dev/mmcblk0p1 is /boot/efi"]),
        ("laptop", "/dev/mmcblk0boot0", &["can't be written"]),
        // The second half of the file system that `/` is on; it stands nowhere in mountinfo.
        ("laptop", "/dev/sdb", &["/dev/sdb1 is /"]),
        ("laptop", "/dev/zram0", &["/dev/zram0 is swapped to"]),
        ("sticks", "/dev/sda", &["/dev/sda1 is mounted at /media/ann/PHOTOS"]),
        ("sticks", "/dev/sdb", &["no medium is in it"]),
        ("sticks", "/dev/sdc", &["it can't be written"]),
        ("sticks", "/dev/sdz", &["there is no such block device"]),
        ("pi", "/dev/mmcblk0", &["/dev/mmcblk0p1 is /boot/firmware", "/dev/mmcblk0p2 is /"]),
        ("pc", "/dev/sda1", &["it is a partition"]),
        ("pc", "/dev/mapper/pc--vg-root", &["it is no disk but `lvm`", "is swapped to"]),
        ("pc", "/dev/sr0", &["it is no disk but `rom`"]),
        ("loops", "/dev/loop0", &["can't be written", "mounted at /snap/core22/1380"]),
        ("loops", "/dev/sda", &["/dev/sda is held by loop3"]),
        ("loops", "/dev/loop4", &["no medium"]),
        (
            "server",
            "/dev/sda",
            &["part of a multipath disk", "/dev/mapper/mpatha is /var/lib/longhorn", "held by dm-0"],
        ),
        ("server", "/dev/sdd", &["part of a bcache", "/dev/bcache0 is mounted at /data", "held by bcache0"]),
    ] {
        let said = said(name, &reckless(device));
        for words in expected {
            assert!(
                said.iter().any(|line| line.contains(words)),
                "{name} {device}: no `{words}` in {said:#?}"
            );
        }
        assert!(!said.is_empty(), "{name} {device}");
    }
}

#[test]
fn what_lies_on_it_now_counts_and_not_udevs_memory_alone() {
    let mut seen = crate::disk::inventory::machines::seen("sticks");
    for (mark, words) in [("crypto_LUKS", "part of a LUKS"), ("ambivalent", "several marks at once")] {
        seen.probes.insert("/dev/sdf".to_owned(), mark.to_owned());
        let refusals =
            clear(&Inventory::of(&seen).unwrap(), &Protected::default(), &reckless("/dev/sdf")).unwrap_err();
        assert!(refusals.len() == 1 && refusals[0].to_string().contains(words), "{refusals:?}");
    }
    seen.probes.insert("/dev/sdf".to_owned(), "vfat".to_owned());
    assert!(clear(&Inventory::of(&seen).unwrap(), &Protected::default(), &reckless("/dev/sdf")).is_ok());
}

#[test]
fn flags_reach_what_they_name_and_nothing_else() {
    // A disk with somebody's photos in a USB enclosure (FIELD F1).
    let passport = request("/dev/sdd");
    let both = said("sticks", &passport);
    assert_eq!(both.len(), 2, "{both:?}");
    assert!(both[0].contains("a disk in an enclosure, not a card or stick (attached by usb)"), "{both:?}");
    assert!(both[1].contains("1.8 TiB, more than any card"), "{both:?}");
    let fixed = Request { allow_fixed: true, ..passport };
    assert_eq!(said("sticks", &fixed).len(), 1);
    assert!(said("sticks", &Request { allow_large: true, ..fixed }).is_empty());
    assert_eq!(said("sticks", &Request { allow_fixed: true, ..request("/dev/sde") }).len(), 1);
    assert!(said("sticks", &Request { allow_large: true, ..request("/dev/sde") }).is_empty());
    let loops = said("loops", &request("/dev/loop2"));
    assert!(loops[0].contains("a fixed disk"), "{loops:?}");
    assert!(said("loops", &Request { allow_fixed: true, ..request("/dev/loop2") }).is_empty());
}

#[test]
fn a_base_that_does_not_fit_is_told_before_anything_is_written() {
    let need = |bytes| Request { need: Some(ByteSize(bytes)), ..request("/dev/sdg") };
    assert!(said("sticks", &need(3_965_190_144)).is_empty());
    let why = said("sticks", &need(3_965_190_145));
    assert_eq!(why, ["it has 3.7 GiB, and the base needs 3.7 GiB"]);
}

#[test]
fn what_the_profiles_keep_is_kept() {
    let id = "usb-SanDisk_Ultra_4C530001234567890123-0:0";
    let share = |device: Option<&str>, places: &[&str]| ShareDisk {
        device: device.map(str::to_owned),
        places: places.iter().map(|place| (*place).to_owned()).collect(),
    };
    let protected = |name: &str, disk: ShareDisk| Protected {
        disks: BTreeSet::from([id.to_owned()]),
        shares: BTreeMap::from([(name.to_owned(), disk)]),
    };
    let why = |machine_name: &str, device: &str, protected: &Protected| -> Vec<String> {
        let refusals = clear(&machine(machine_name), protected, &reckless(device)).err().unwrap_or_default();
        refusals.iter().map(ToString::to_string).collect()
    };
    let media = protected("media", share(Some("/dev/disk/by-uuid/1234-ABCD"), &["/srv/media", "/"]));
    let said = why("pc", "/dev/mycard", &media);
    assert_eq!(
        said,
        [
            "/dev/sda1 belongs to the share media: /dev/disk/by-uuid/1234-ABCD",
            &format!("the profile protects {id}")
        ]
    );
    // A loop of a file on the share, and the share's own disk where it is mounted.
    assert_eq!(
        why("loops", "/dev/loop1", &media),
        ["/dev/loop1 belongs to the share media: /srv/media/photos.img"]
    );
    assert!(why("loops", "/dev/loop2", &media).is_empty());
    let photos = protected("photos", share(None, &["/media/ann/PHOTOS/"]));
    assert!(why("sticks", "/dev/sda", &photos).iter().any(|line| line.contains("the share photos")));
    // Without udev there are no links, and the name in the profile still means it.
    let uuid = protected("media", share(Some("/dev/disk/by-uuid/F00D"), &[]));
    assert!(why("sticks", "/dev/sdd", &uuid).iter().any(|line| line.contains("the share media")));
}

#[test]
fn two_nodes_never_get_one_device_under_whatever_names() {
    let other = |node: &str, device: &str| Request { node: node.to_owned(), ..request(device) };
    let id = "/dev/disk/by-id/usb-SanDisk_Ultra_4C530001234567890123-0:0";
    let requests = [other("rpi-01", "/dev/sda"), other("rpi-02", id), other("rpi-03", "/dev/nvme0n1")];
    let results = clear_all(&machine("pc"), &Protected::default(), &requests);
    let first = results[0].as_ref().unwrap_err();
    assert_eq!(first[0].to_string(), format!("it is rpi-02's too, as {id}"));
    assert_eq!(results[1].as_ref().unwrap_err()[0].to_string(), "it is rpi-01's too, as /dev/sda");
    assert!(results[2].as_ref().unwrap_err().iter().all(|why| !matches!(why, Refusal::Twice { .. })));
    let alone = clear_all(
        &machine("sticks"),
        &Protected::default(),
        &[other("a", "/dev/sdf"), other("b", "/dev/sdg")],
    );
    assert!(alone.iter().all(Result::is_ok));
}

#[test]
fn every_reason_says_what_to_do() {
    for (name, device) in [
        ("pc", "/dev/nvme0n1"),
        ("raid", "/dev/sdb"),
        ("sticks", "/dev/sdd"),
        ("sticks", "/dev/sdc"),
        ("sticks", "/dev/sdb"),
        ("sticks", "/dev/none"),
        ("pc", "/dev/sda1"),
        ("pc", "/dev/sr0"),
    ] {
        for refusal in clear(&machine(name), &Protected::default(), &request(device)).unwrap_err() {
            assert!(!refusal.cure().is_empty() && !refusal.cure().ends_with(": "), "{refusal:?}");
            let is_flag = matches!(refusal, Refusal::Fixed { .. } | Refusal::TooLarge { .. });
            assert_eq!(refusal.flag().is_some(), is_flag);
        }
    }
}

/// Any device with any children, some of them in use.
fn any_device() -> impl Strategy<Value = Device> {
    let leaf = (0..9_u32, 0..6_usize, any::<(bool, bool, bool)>(), 0..8_usize);
    let leaf = leaf.prop_map(|(minor, kind, (removable, is_swap, is_mounted), mark)| {
        let kind = ["disk", "loop", "part", "crypt", "lvm", "raid1"][kind];
        let mark = ["", "ext4", "vfat", "crypto_LUKS", "LVM2_member", "linux_raid_member", "zfs_member", "bcache"][mark];
        let lsblk = serde_json::json!({"blockdevices": [{
            "kname": format!("x{minor}"), "maj:min": format!("8:{minor}"), "type": kind, "size": 1 << 30, "ro": false,
            "rm": removable, "fstype": mark, "mountpoint": if is_mounted { "/mnt" } else { "" },
        }]});
        let seen = super::super::inventory::Seen { lsblk: lsblk.to_string(), ..Default::default() };
        let mut device = Inventory::of(&seen).unwrap().devices.remove(0);
        device.is_swap = is_swap && minor > 6;
        device
    });
    leaf.prop_recursive(4, 24, 4, |inner| {
        (inner.clone(), prop::collection::vec(inner, 0..4)).prop_map(|(mut device, children)| {
            device.children = children;
            device
        })
    })
}

proptest! {
    #[test]
    fn nothing_in_use_is_ever_cleared(devices in prop::collection::vec(any_device(), 1..5), minor in 0..9_u32, flags in any::<(bool, bool)>()) {
        let inventory = Inventory { devices, mounts: Vec::new() };
        let asked = Request { allow_fixed: flags.0, allow_large: flags.1, ..request(&format!("/dev/x{minor}")) };
        if let Ok(cleared) = clear(&inventory, &Protected::default(), &asked) {
            let tops = inventory.devices.iter().filter(|top| top.tree().any(|below| below.number == cleared.device().number));
            for device in tops.flat_map(Device::tree) {
                prop_assert!(device.mount_points.is_empty() && !device.is_swap, "{device:?}");
                prop_assert!(device.file_system.as_deref().and_then(Member::of).is_none(), "{device:?}");
                prop_assert!(device.children.iter().all(|child| child.kind == Kind::Partition), "{device:?}");
            }
            prop_assert!(matches!(cleared.device().kind, Kind::Disk | Kind::Loop));
            prop_assert!(flags.0 || cleared.device().removable);
        }
    }
}
