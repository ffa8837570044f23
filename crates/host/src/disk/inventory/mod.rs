//! Which block devices this machine has, what lies on each, and who uses it.
//!
//! In: what `lsblk`, `/proc` and `/sys` say, as text ([`Seen`]). Out: an [`Inventory`], a tree of [`Device`]s with every mount,
//! swap and holder that is known of each. Reading the texts is pure; [`look`] alone asks the machine. What can't be
//! read is an error and never a gap: the guard decides over what stands here.

mod ask;
mod lsblk;
mod mounts;

use std::collections::BTreeMap;

use desired::ByteSize;
use serde::Serialize;

pub use ask::{LookError, identity_now, look, mounts_now};
pub use lsblk::COLUMNS;
pub use mounts::Mount;

/// A device's number in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Number {
    /// Of the driver.
    pub major: u32,
    /// Of the device.
    pub minor: u32,
}

impl std::fmt::Display for Number {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}", self.major, self.minor)
    }
}

impl Number {
    fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.trim().split_once(':')?;
        Some(Self { major: major.trim().parse().ok()?, minor: minor.trim().parse().ok()? })
    }
}

/// What a device is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A whole disk, stick or card.
    Disk,
    /// A file that plays a disk.
    Loop,
    /// A partition.
    Partition,
    /// What lsblk calls it: `crypt`, `lvm`, `raid1`, `mpath`, `rom`…
    Other(String),
}

/// What `/sys/block/NAME` says that lsblk does not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sysfs {
    /// Devices that are built on it.
    pub holders: Vec<String>,
    /// The file behind a loop device.
    pub backing_file: Option<String>,
    /// `SD` or `MMC` (soldered) behind an SD controller.
    pub card: Option<String>,
    /// The kernel's running number of disks: another medium at the same name has another one (Linux 5.15 and later).
    pub sequence: Option<u64>,
    /// The serial number the driver shows.
    pub serial: Option<String>,
    /// The model the driver shows.
    pub model: Option<String>,
}

/// Everything an inventory is made of, as text.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// `lsblk --json --bytes --all --output` with [`COLUMNS`].
    pub lsblk: String,
    /// `/proc/swaps`.
    pub swaps: String,
    /// `/proc/self/mountinfo`, and below it `/proc/1/mountinfo` where that can be read.
    pub mountinfo: String,
    /// Links below `/dev` and the device each leads to, by their whole paths.
    pub links: BTreeMap<String, String>,
    /// By kernel name.
    pub sysfs: BTreeMap<String, Sysfs>,
    /// What [`Device::probed`] says, by path.
    pub probes: BTreeMap<String, String>,
}

/// One device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Device {
    /// The kernel's name.
    pub name: String,
    /// Where it is below `/dev`.
    pub path: String,
    /// Its number.
    pub number: Number,
    /// What it is.
    pub kind: Kind,
    /// Its length.
    pub size: ByteSize,
    /// It can't be written.
    pub read_only: bool,
    /// Its medium can be taken out.
    pub removable: bool,
    /// It can be unplugged as a whole.
    pub hotplug: bool,
    /// `usb`, `nvme`, `sata`, `mmc`…
    pub transport: Option<String>,
    /// Who made it.
    pub vendor: Option<String>,
    /// What its maker calls it.
    pub model: Option<String>,
    /// Its serial number.
    pub serial: Option<String>,
    /// What lies on it without a table between: a file system, or a member's mark (`crypto_LUKS`).
    pub file_system: Option<String>,
    /// The same, read from the device itself a moment ago; [`AMBIVALENT`] where several marks contradict each other. lsblk
    /// repeats udev's memory, which may be old, and on a machine without udev it knows nothing.
    pub probed: Option<String>,
    /// The name of that.
    pub label: Option<String>,
    /// The identity of that.
    pub uuid: Option<String>,
    /// Its partition table, `gpt` or `dos`.
    pub table: Option<String>,
    /// Where it is mounted.
    pub mount_points: Vec<String>,
    /// It is swap space in use.
    pub is_swap: bool,
    /// Devices built on it, as the kernel says.
    pub holders: Vec<String>,
    /// The file behind a loop device.
    pub backing_file: Option<String>,
    /// `SD` or `MMC` behind an SD controller.
    pub card: Option<String>,
    /// The kernel's running number of the medium.
    pub sequence: Option<u64>,
    /// The serial number and the model that the driver shows; what is compared again when it is opened.
    #[serde(skip)]
    pub driver: (Option<String>, Option<String>),
    /// Every link below `/dev` that leads to it.
    pub links: Vec<String>,
    /// Its partitions, and what is built on it.
    pub children: Vec<Self>,
}

/// What blkid finds where it can't decide.
pub const AMBIVALENT: &str = "ambivalent";

/// Where names that stay are.
pub(super) const BY_ID: &str = "/dev/disk/by-id/";

impl Device {
    /// It and all below it.
    pub fn tree(&self) -> impl Iterator<Item = &Self> {
        let mut next = vec![self];
        std::iter::from_fn(move || {
            let device = next.pop()?;
            next.extend(device.children.iter().rev());
            Some(device)
        })
    }

    /// Its names under `/dev/disk/by-id/`, without the folder.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.links.iter().filter_map(|link| link.strip_prefix(BY_ID))
    }

    /// The names that mean it and nothing else, wherever it is plugged in: by-id; for a loop device, its file.
    #[must_use]
    pub fn lasting_names(&self) -> Vec<&str> {
        self.ids().chain(self.backing_file.as_deref()).collect()
    }

    /// Whether it, or its medium, is made to be taken away. A disk in a USB enclosure is not (FIELD F1); a card in a reader
    /// that calls itself fixed is.
    #[must_use]
    pub fn is_removable(&self) -> bool {
        match self.card.as_deref() {
            Some(card) => card == "SD",
            None => self.removable,
        }
    }

    /// What is on it now, in a few words.
    #[must_use]
    pub fn content(&self) -> String {
        let name = |device: &Self| {
            let what = device.probed.clone().or_else(|| device.file_system.clone())?;
            Some(device.label.as_ref().map_or(what.clone(), |label| format!("{what} `{label}`")))
        };
        let below = self.children.iter().map(|child| name(child).unwrap_or_else(|| "unknown".to_owned()));
        let below: Vec<String> = below.collect();
        match (name(self), below.is_empty()) {
            (Some(own), true) => own,
            (None, true) => {
                self.table.as_ref().map_or("nothing known", |_| "a table without partitions").to_owned()
            }
            (_, false) => below.join(", "),
        }
    }
}

/// What can be wrong with the texts.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// The answer is no JSON.
    #[error("what lsblk said is no JSON: {0}")]
    NoJson(#[from] serde_json::Error),
    /// The answer is something else.
    #[error("what lsblk said has no list `blockdevices`")]
    NoList,
    /// A device without what the guard needs.
    #[error("lsblk's entry {entry} can't be used: `{column}` is {found}; a newer util-linux may say it")]
    Entry {
        /// The device's name, or its place.
        entry: String,
        /// Which column.
        column: &'static str,
        /// What is there instead.
        found: String,
    },
    /// More levels than any real machine has.
    #[error("lsblk's answer nests deeper than {0} levels")]
    TooDeep(usize),
}

/// All devices of a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Inventory {
    /// The topmost ones.
    pub devices: Vec<Device>,
    /// Everything that is mounted.
    pub mounts: Vec<Mount>,
}

impl Inventory {
    /// Reads the texts.
    ///
    /// # Errors
    /// [`InventoryError`] where something that decides over a device can't be read.
    pub fn of(seen: &Seen) -> Result<Self, InventoryError> {
        let mut devices = lsblk::parse(&seen.lsblk)?;
        let mounts = mounts::parse(&seen.mountinfo);
        let swaps = mounts::swaps(&seen.swaps);
        for device in &mut devices {
            complete(device, seen, &mounts, &swaps);
        }
        Ok(Self { devices, mounts })
    }

    /// Every device once for each place it stands at.
    pub fn all(&self) -> impl Iterator<Item = &Device> {
        self.devices.iter().flat_map(Device::tree)
    }

    /// The device of that path or link, and the topmost ones it stands below (itself, if it is one).
    #[must_use]
    pub fn find(&self, path: &str) -> Option<(&Device, Vec<&Device>)> {
        let is_it = |device: &Device| device.path == path || device.links.iter().any(|link| link == path);
        let found = self.all().find(|device| is_it(device))?;
        let tops = self.devices.iter().filter(|top| top.tree().any(|below| below.number == found.number));
        Some((found, tops.collect()))
    }
}

/// Adds what lsblk does not say.
fn complete(device: &mut Device, seen: &Seen, mounts: &[Mount], swaps: &[String]) {
    let own = |path: &str| path == device.path || path.strip_prefix("/dev/") == Some(device.name.as_str());
    let leads = |(link, to): (&String, &String)| own(to).then(|| link.clone());
    device.links = seen.links.iter().filter_map(leads).collect();
    let is_it = |path: &str| own(path) || device.links.iter().any(|link| link == path);
    let mounted = mounts.iter().filter(|mount| mount.number == device.number || mount.sources().any(is_it));
    let mut points: Vec<String> = mounted.map(|mount| mount.point.clone()).collect();
    device.is_swap |= swaps.iter().any(|path| is_it(path));
    device.probed = seen.probes.get(&device.path).cloned();
    device.mount_points.append(&mut points);
    device.mount_points.sort();
    device.mount_points.dedup();
    if let Some(sysfs) = seen.sysfs.get(&device.name) {
        device.holders.clone_from(&sysfs.holders);
        device.backing_file.clone_from(&sysfs.backing_file);
        device.card.clone_from(&sysfs.card);
        device.sequence = sysfs.sequence;
        device.driver = (sysfs.serial.clone(), sysfs.model.clone());
        device.serial = device.serial.take().or_else(|| sysfs.serial.clone());
        device.model = device.model.take().or_else(|| sysfs.model.clone());
    }
    for child in &mut device.children {
        complete(child, seen, mounts, swaps);
    }
}

#[cfg(test)]
pub(super) mod machines;
#[cfg(test)]
mod tests;
