//! Why a device is not written: the reason, what was seen, and what to do.

use desired::ByteSize;
use serde::Serialize;

use crate::disk::inventory::AMBIVALENT;

/// What a device is a part of, by the mark that lies on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Member {
    /// A volume group.
    Lvm,
    /// Software RAID, or a controller's.
    Raid,
    /// Encrypted.
    Luks,
    /// A ZFS pool.
    Zfs,
    /// A bcache.
    Bcache,
    /// One of several paths to a disk.
    Multipath,
    /// A store of Ceph.
    Ceph,
    /// DRBD.
    Drbd,
    /// `BitLocker`, as Windows encrypts.
    BitLocker,
    /// Apple's container of volumes.
    Apfs,
    /// Several marks contradict each other, so nobody knows.
    Unclear,
}

impl Member {
    /// By what `blkid` calls the mark.
    pub(super) fn of(mark: &str) -> Option<Self> {
        Some(match mark {
            "LVM2_member" | "LVM1_member" | "stratis" => Self::Lvm,
            "crypto_LUKS" => Self::Luks,
            "zfs_member" | "zfs" => Self::Zfs,
            "bcache" => Self::Bcache,
            "mpath_member" => Self::Multipath,
            "ceph_bluestore" => Self::Ceph,
            "drbd" => Self::Drbd,
            "BitLocker" => Self::BitLocker,
            "apfs" => Self::Apfs,
            AMBIVALENT => Self::Unclear,
            raid if raid.ends_with("_raid_member") || raid == "silicon_medley_raid_member" => Self::Raid,
            _ => return None,
        })
    }
}

impl std::fmt::Display for Member {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Lvm => "an LVM volume group",
            Self::Raid => "a RAID",
            Self::Luks => "a LUKS encryption",
            Self::Zfs => "a ZFS pool",
            Self::Bcache => "a bcache",
            Self::Multipath => "a multipath disk",
            Self::Ceph => "a Ceph store",
            Self::Drbd => "a DRBD",
            Self::BitLocker => "a BitLocker encryption",
            Self::Apfs => "an APFS container",
            Self::Unclear => "something that left several marks at once",
        })
    }
}

/// One reason against a device. Those with a [`Self::flag`] go with it; all others are the deny-list, and nothing overrides them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", tag = "reason")]
pub enum Refusal {
    /// There is no such device.
    Unknown {
        /// Those there are.
        known: Vec<String>,
    },
    /// The running system is on it.
    System {
        /// Which part.
        device: String,
        /// Where it is mounted.
        mount_point: String,
    },
    /// It is mounted.
    Mounted {
        /// Which part.
        device: String,
        /// Where.
        mount_point: String,
    },
    /// It is swapped to.
    Swap {
        /// Which part.
        device: String,
    },
    /// It is a member of something larger.
    Member {
        /// Which part.
        device: String,
        /// Of what.
        member: Member,
    },
    /// Another device is built on it.
    Held {
        /// Which part.
        device: String,
        /// By whom.
        holder: String,
    },
    /// A share of the profiles lies on it, or it lies on a share.
    Share {
        /// Which part.
        device: String,
        /// The share.
        share: String,
        /// The device, mount point or file by which that is known.
        evidence: String,
    },
    /// The profiles protect it.
    Protected {
        /// By this name.
        id: String,
    },
    /// It is a partition.
    Partition {
        /// The disk it is on.
        whole: String,
    },
    /// It is no disk.
    NotADisk {
        /// What lsblk calls it.
        kind: String,
        /// The disks it is on.
        whole: String,
    },
    /// Two cards can't be one device.
    Twice {
        /// The other node.
        node: String,
        /// What the other one calls it.
        device: String,
    },
    /// It can't be written.
    ReadOnly,
    /// A reader without a card.
    NoMedium,
    /// The base does not fit.
    TooSmall {
        /// What it has.
        size: ByteSize,
        /// What is needed.
        need: ByteSize,
    },
    /// Its medium can't be taken out.
    Fixed {
        /// How it is attached.
        transport: Option<String>,
        /// It can be unplugged as a whole: a disk in an enclosure.
        can_unplug: bool,
    },
    /// It is larger than cards are.
    TooLarge {
        /// What it has.
        size: ByteSize,
    },
}

impl Refusal {
    /// By where it is mounted.
    pub(super) fn mounted(device: String, point: &str) -> Self {
        let is_below =
            |top: &str| point.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let mount_point = point.to_owned();
        if point == "/" || ["/boot", "/efi", "/usr", "/home", "/var", "/nix"].into_iter().any(is_below) {
            Self::System { device, mount_point }
        } else {
            Self::Mounted { device, mount_point }
        }
    }

    /// The flag that takes this reason away, if there is one.
    #[must_use]
    pub const fn flag(&self) -> Option<&'static str> {
        match self {
            Self::Fixed { .. } => Some("--dangerously-allow-fixed-disk"),
            Self::TooLarge { .. } => Some("--allow-large"),
            _ => None,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn cure(&self) -> String {
        match self {
            Self::Unknown { known } => format!("plug it in; there are {}", known.join(", ")),
            Self::System { .. } | Self::Protected { .. } => "name another device".to_owned(),
            Self::Mounted { device, mount_point } => {
                format!(
                    "look what is in {mount_point}; if it may go: udisksctl unmount -b {device}, or umount {device}"
                )
            }
            Self::Swap { device } => format!("if it may go: swapoff {device}"),
            Self::Member { device, member: Member::Luks | Member::BitLocker | Member::Apfs } => {
                format!("somebody's data is in there; if it may go for ever: wipefs -a {device}")
            }
            Self::Member { device, .. } => {
                format!("take it out of there first; if it is of nothing any more: wipefs -a {device}")
            }
            Self::Held { holder, .. } => format!("close /dev/{holder} first; lsblk shows what it is"),
            Self::Share { .. } => "name another device, or take the share out of the profile".to_owned(),
            Self::Partition { whole } | Self::NotADisk { whole, .. } if !whole.is_empty() => {
                format!("a card is a whole disk: name {whole} if all of it may go")
            }
            Self::Partition { .. } | Self::NotADisk { .. } => "name a whole disk".to_owned(),
            Self::Twice { .. } => "name one device a node".to_owned(),
            Self::ReadOnly => "move the lock at the card's side, or take another reader".to_owned(),
            Self::NoMedium => "put a card in".to_owned(),
            Self::TooSmall { .. } => "take a larger one".to_owned(),
            Self::Fixed { .. } | Self::TooLarge { .. } => {
                format!("if it is the one and all of it may go: {}", self.flag().unwrap_or_default())
            }
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown { .. } => formatter.write_str("there is no such block device"),
            Self::System { device, mount_point } => {
                write!(formatter, "this system runs from it: {device} is {mount_point}")
            }
            Self::Mounted { device, mount_point } => {
                write!(formatter, "{device} is mounted at {mount_point}")
            }
            Self::Swap { device } => write!(formatter, "{device} is swapped to"),
            Self::Member { device, member } => write!(formatter, "{device} is part of {member}"),
            Self::Held { device, holder } => write!(formatter, "{device} is held by {holder}"),
            Self::Share { device, share, evidence } => {
                write!(formatter, "{device} belongs to the share {share}: {evidence}")
            }
            Self::Protected { id } => write!(formatter, "the profile protects {id}"),
            Self::Partition { .. } => formatter.write_str("it is a partition"),
            Self::NotADisk { kind, .. } => write!(formatter, "it is no disk but `{kind}`"),
            Self::Twice { node, device } => write!(formatter, "it is {node}'s too, as {device}"),
            Self::ReadOnly => formatter.write_str("it can't be written"),
            Self::NoMedium => formatter.write_str("no medium is in it"),
            Self::TooSmall { size, need } => write!(formatter, "it has {size}, and the base needs {need}"),
            Self::Fixed { transport, can_unplug } => {
                let by = transport.as_deref().unwrap_or("an unknown way");
                let what =
                    if *can_unplug { "a disk in an enclosure, not a card or stick" } else { "a fixed disk" };
                write!(formatter, "it is {what} (attached by {by})")
            }
            Self::TooLarge { size } => write!(formatter, "it has {size}, more than any card"),
        }
    }
}
