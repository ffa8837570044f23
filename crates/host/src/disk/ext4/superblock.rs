//! The superblock: how long everything is.

use super::WHAT;
use crate::disk::DiskError;
use crate::disk::read::{u16_at, u32_at};

const MAGIC: u16 = 0xef53;
/// Features that must be known to read at all, by their names in the kernel.
const INCOMPAT_RECOVER: u32 = 0x4;
const INCOMPAT_META_BG: u32 = 0x10;
const INCOMPAT_64BIT: u32 = 0x80;
/// Compression, another journal's device, data in inodes, a larger directory: none of it is read here.
const INCOMPAT_UNKNOWN: u32 =
    !(0x2 | INCOMPAT_RECOVER | INCOMPAT_META_BG | 0x40 | INCOMPAT_64BIT | 0x200 | 0x2000 | 0x8000 | 0x2_0000);
const RO_COMPAT_BIGALLOC: u32 = 0x200;
const RO_COMPAT_SPARSE_SUPER: u32 = 0x1;
const COMPAT_SPARSE_SUPER2: u32 = 0x200;

/// What is needed of it.
#[derive(Debug)]
pub(super) struct Superblock {
    /// Bytes in a block.
    pub block: u64,
    /// How many blocks.
    pub blocks: u64,
    pub first_block: u64,
    pub blocks_per_group: u32,
    pub inodes: u32,
    pub inodes_per_group: u32,
    pub inode_size: u16,
    /// Bytes in a group's descriptor.
    pub descriptor: u16,
    /// Blocks kept for more descriptors, behind each copy of them.
    pub reserved_descriptors: u16,
    pub label: String,
    /// Copies of this block are in few groups only.
    is_sparse: bool,
    /// The two groups that alone have copies.
    sparse2: Option<[u32; 2]>,
    /// Why its maps of blocks can't be read, if they can't.
    pub odd_maps: Option<&'static str>,
}

impl Superblock {
    /// Reads it; none if it is none.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, DiskError> {
        if u16_at(bytes, 0x38) != MAGIC {
            return Ok(None);
        }
        let damaged = |why: &str| DiskError::damaged(WHAT, why);
        let (log_block, incompat, ro_compat) =
            (u32_at(bytes, 0x18), u32_at(bytes, 0x60), u32_at(bytes, 0x64));
        if log_block > 6 {
            return Err(damaged("its blocks are longer than 64 KiB"));
        }
        if incompat & INCOMPAT_UNKNOWN != 0 {
            let why = format!("it has features that are not known here ({:#x})", incompat & INCOMPAT_UNKNOWN);
            return Err(damaged(&why));
        }
        let is_wide = incompat & INCOMPAT_64BIT != 0;
        let high = if is_wide { u64::from(u32_at(bytes, 0x150)) << 32 } else { 0 };
        let revision = u32_at(bytes, 0x4c);
        let label: Vec<u8> = bytes[0x78..0x88].iter().copied().take_while(|byte| *byte != 0).collect();
        let sparse2 = (u32_at(bytes, 0x5c) & COMPAT_SPARSE_SUPER2 != 0)
            .then(|| [u32_at(bytes, 0x24c), u32_at(bytes, 0x250)]);
        let odd_maps = if ro_compat & RO_COMPAT_BIGALLOC != 0 {
            Some("it counts clusters, not blocks (bigalloc)")
        } else if incompat & INCOMPAT_META_BG != 0 {
            Some("its descriptors are spread (meta_bg)")
        } else if incompat & INCOMPAT_RECOVER != 0 {
            Some("its journal is not played back, so its maps may be old")
        } else {
            None
        };
        let own = Self {
            block: 1024 << log_block,
            blocks: u64::from(u32_at(bytes, 0x4)) | high,
            first_block: u64::from(u32_at(bytes, 0x14)),
            blocks_per_group: u32_at(bytes, 0x20),
            inodes: u32_at(bytes, 0x0),
            inodes_per_group: u32_at(bytes, 0x28),
            inode_size: if revision == 0 { 128 } else { u16_at(bytes, 0x58) },
            descriptor: if is_wide { u16_at(bytes, 0xfe) } else { 32 },
            reserved_descriptors: u16_at(bytes, 0xce),
            label: String::from_utf8_lossy(&label).into_owned(),
            is_sparse: ro_compat & RO_COMPAT_SPARSE_SUPER != 0,
            sparse2,
            odd_maps,
        };
        let is_sound = own.blocks > own.first_block
            && own.blocks_per_group > 0
            // A map is one block; where it counts clusters, it is not read.
            && (own.odd_maps.is_some() || u64::from(own.blocks_per_group) <= own.block * 8)
            && (1..=own.block * 8).contains(&u64::from(own.inodes_per_group))
            && own.inode_size >= 128
            && own.inode_size.is_power_of_two()
            && own.descriptor >= if is_wide { 64 } else { 32 }
            && u64::from(own.descriptor) <= own.block;
        if is_sound { Ok(Some(own)) } else { Err(damaged("its superblock contradicts itself")) }
    }

    /// How many groups it has.
    pub fn groups(&self) -> u64 {
        (self.blocks - self.first_block).div_ceil(u64::from(self.blocks_per_group))
    }

    /// Where a block lies, in bytes.
    pub fn place(&self, block: u64) -> Result<u64, DiskError> {
        if block < self.blocks {
            return Ok(block * self.block);
        }
        Err(DiskError::damaged(WHAT, format!("block {block} is named, and it has {}", self.blocks)))
    }

    /// Whether a group begins with a copy of this block and of the descriptors.
    pub fn has_copy(&self, group: u64) -> bool {
        let is_power = |of: u64| {
            let mut power = of;
            while power < group {
                power *= of;
            }
            power == group
        };
        match (group, self.sparse2) {
            (0, _) => true,
            (_, Some(both)) => both.iter().any(|one| u64::from(*one) == group),
            _ if !self.is_sparse => true,
            _ => group == 1 || is_power(3) || is_power(5) || is_power(7),
        }
    }
}
