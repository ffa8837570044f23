//! The guard: whether a device may be overwritten.
//!
//! In: an [`Inventory`], what the profiles protect, and what was asked for. Out: a [`ClearedDevice`], or every reason against it at
//! once. It is pure; no flag reaches the deny-list. Nothing else makes a [`ClearedDevice`], and nothing else opens a
//! device for writing (FIELD F1). [`ClearedDevice::open`] looks again on the open descriptor.

mod open;
mod refusal;

use std::collections::{BTreeMap, BTreeSet};

use desired::ByteSize;

use super::inventory::{BY_ID, Device, Inventory, Kind, Number};

pub use open::{OpenError, OpenedDevice};
pub use refusal::{Member, Refusal};

/// More than this is asked for once more: cards end there, disks with people's photos begin (FIELD F1). 512 GiB, so that
/// whatever is sold as 512 GB is below.
pub const LARGE: ByteSize = ByteSize(512 << 30);

/// What the profiles keep from being written.
#[derive(Debug, Clone, Default)]
pub struct Protected {
    /// Disks by their name under `/dev/disk/by-id/`.
    pub disks: BTreeSet<String>,
    /// Shares, by name.
    pub shares: BTreeMap<String, ShareDisk>,
}

/// Where a share lies.
#[derive(Debug, Clone, Default)]
pub struct ShareDisk {
    /// The device under it, as the profile names it.
    pub device: Option<String>,
    /// Its folder on the server, and where clients mount it.
    pub places: Vec<String>,
}

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The node whose card it becomes.
    pub node: String,
    /// The device, by path or link.
    pub device: String,
    /// How many bytes will be written to; none if that is not known yet.
    pub need: Option<ByteSize>,
    /// `--dangerously-allow-fixed-disk`.
    pub allow_fixed: bool,
    /// `--allow-large`.
    pub allow_large: bool,
}

/// A device that may be overwritten. Only the guard makes one.
#[derive(Debug, Clone)]
pub struct ClearedDevice {
    device: Device,
    node: String,
}

impl ClearedDevice {
    /// What is known of it.
    #[must_use]
    pub const fn device(&self) -> &Device {
        &self.device
    }

    /// The node whose card it becomes.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }
}

/// Clears one device.
///
/// # Errors
/// Every reason against it.
pub fn clear(
    inventory: &Inventory,
    protected: &Protected,
    request: &Request,
) -> Result<ClearedDevice, Vec<Refusal>> {
    let Some((named, tops)) = inventory.find(&request.device) else {
        return Err(vec![Refusal::Unknown {
            known: inventory.devices.iter().map(|one| one.path.clone()).collect(),
        }]);
    };
    let mut refusals = BTreeSet::new();
    if !matches!(named.kind, Kind::Disk | Kind::Loop) {
        refusals.insert(not_whole(named, &tops));
    }
    for top in tops.iter().copied().chain([named]) {
        refusals.extend(uses(inventory, top));
        refusals.extend(kept(protected, top));
    }
    refusals.extend(properties(named, request));
    if refusals.is_empty() {
        Ok(ClearedDevice { device: named.clone(), node: request.node.clone() })
    } else {
        Err(refusals.into_iter().collect())
    }
}

/// Clears several for one run; a device that is asked for twice, under whatever names, is cleared for nobody.
#[must_use]
pub fn clear_all(
    inventory: &Inventory,
    protected: &Protected,
    requests: &[Request],
) -> Vec<Result<ClearedDevice, Vec<Refusal>>> {
    let number = |request: &Request| inventory.find(&request.device).map(|(device, _)| device.number);
    let numbers: Vec<Option<Number>> = requests.iter().map(number).collect();
    let twice = |at: usize| {
        let is_same = |other: &usize| *other != at && numbers[at].is_some() && numbers[*other] == numbers[at];
        (0..requests.len()).find(is_same).map(|other| Refusal::Twice {
            node: requests[other].node.clone(),
            device: requests[other].device.clone(),
        })
    };
    let each = requests.iter().enumerate().map(|(at, request)| {
        match (clear(inventory, protected, request), twice(at)) {
            (cleared, None) => cleared,
            (Ok(_), Some(twice)) => Err(vec![twice]),
            (Err(mut refusals), Some(twice)) => {
                refusals.push(twice);
                Err(refusals)
            }
        }
    });
    each.collect()
}

fn not_whole(named: &Device, tops: &[&Device]) -> Refusal {
    let whole = tops.iter().map(|top| top.path.clone()).collect::<Vec<_>>().join(" and ");
    match &named.kind {
        Kind::Other(kind) => Refusal::NotADisk { kind: kind.clone(), whole },
        _ => Refusal::Partition { whole },
    }
}

/// Who uses anything of a device.
fn uses(inventory: &Inventory, top: &Device) -> BTreeSet<Refusal> {
    let mut refusals = BTreeSet::new();
    for device in top.tree() {
        let path = || device.path.clone();
        for point in &device.mount_points {
            refusals.insert(Refusal::mounted(path(), point));
        }
        for point in spread(inventory, device) {
            refusals.insert(Refusal::mounted(path(), point));
        }
        if device.is_swap {
            refusals.insert(Refusal::Swap { device: path() });
        }
        let marks = [&device.file_system, &device.probed].into_iter().filter_map(|mark| mark.as_deref());
        for member in marks.filter_map(Member::of) {
            refusals.insert(Refusal::Member { device: path(), member });
        }
        let built = device.children.iter().filter(|child| child.kind != Kind::Partition);
        for holder in built.map(|child| &child.name).chain(&device.holders) {
            refusals.insert(Refusal::Held { device: path(), holder: holder.clone() });
        }
        let is_behind = |other: &&Device| {
            other
                .backing_file
                .as_ref()
                .is_some_and(|file| *file == device.path || device.links.contains(file))
        };
        for holder in inventory.all().filter(is_behind) {
            refusals.insert(Refusal::Held { device: path(), holder: holder.name.clone() });
        }
    }
    refusals
}

/// Where the other parts of the same file system are mounted: one over several devices shows itself at one of them.
fn spread<'a>(inventory: &'a Inventory, device: &Device) -> Vec<&'a str> {
    let is_spread = matches!(device.file_system.as_deref(), Some("btrfs" | "bcachefs"));
    if !is_spread || device.uuid.is_none() {
        return Vec::new();
    }
    let same =
        inventory.all().filter(|other| other.uuid == device.uuid && other.file_system == device.file_system);
    same.flat_map(|other| other.mount_points.iter().map(String::as_str)).collect()
}

/// What the profiles say of a device.
fn kept(protected: &Protected, top: &Device) -> BTreeSet<Refusal> {
    let mut refusals = BTreeSet::new();
    for device in top.tree() {
        for id in device.ids().filter(|id| protected.disks.contains(*id)) {
            refusals.insert(Refusal::Protected { id: id.to_owned() });
        }
        for (share, disk) in &protected.shares {
            let is_device = |asked: &String| {
                *asked == device.path || device.links.contains(asked) || is_uuid(asked, device)
            };
            let below = |path: &String| disk.places.iter().any(|place| is_below(path, place));
            let evidence = disk
                .device
                .iter()
                .filter(|asked| is_device(asked))
                .chain(device.mount_points.iter().chain(&device.backing_file).filter(|path| below(path)));
            for evidence in evidence {
                let (share, evidence) = (share.clone(), evidence.clone());
                refusals.insert(Refusal::Share { device: device.path.clone(), share, evidence });
            }
        }
    }
    refusals
}

/// A machine without udev has no links, and the profile's name of the device is one.
fn is_uuid(asked: &str, device: &Device) -> bool {
    let uuid = asked.strip_prefix("/dev/disk/by-uuid/");
    uuid.is_some() && uuid == device.uuid.as_deref()
}

fn is_below(path: &str, place: &str) -> bool {
    let place = place.trim_end_matches('/');
    // `/` is no share, and everything is below it.
    !place.is_empty() && path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What the device itself is.
fn properties(device: &Device, request: &Request) -> Vec<Refusal> {
    let size = device.size;
    let mut refusals = Vec::new();
    if device.read_only {
        refusals.push(Refusal::ReadOnly);
    }
    if size.0 == 0 {
        refusals.push(Refusal::NoMedium);
    } else if let Some(need) = request.need.filter(|need| *need > size) {
        refusals.push(Refusal::TooSmall { size, need });
    }
    if !device.is_removable() && !request.allow_fixed {
        refusals.push(Refusal::Fixed { transport: device.transport.clone(), can_unplug: device.hotplug });
    }
    if size > LARGE && !request.allow_large {
        refusals.push(Refusal::TooLarge { size });
    }
    refusals
}

/// The path that a name under `/dev/disk/by-id/` has.
#[must_use]
pub fn by_id(name: &str) -> String {
    format!("{BY_ID}{name}")
}

#[cfg(test)]
mod tests;
