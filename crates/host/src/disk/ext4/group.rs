//! Groups of blocks, and which of their blocks are in use.

use std::ops::Range;

use super::WHAT;
use super::superblock::Superblock;
use crate::disk::read::{u16_at, u32_at};
use crate::disk::{DiskError, ReadAt, Used};

/// The map of its blocks was never written: nothing of it is in use but what every group has.
const BLOCK_UNINIT: u16 = 0x2;
/// 16 TiB in groups of 128 MiB; more than any image of ours.
const MOST_GROUPS: u64 = 1 << 17;

/// What is needed of a group's descriptor.
#[derive(Debug)]
pub(super) struct Group {
    pub block_map: u64,
    inode_map: u64,
    pub inode_table: u64,
    pub is_unwritten: bool,
}

/// Reads all descriptors.
pub(super) fn read<R: ReadAt + ?Sized>(disk: &R, superblock: &Superblock) -> Result<Vec<Group>, DiskError> {
    let length = descriptors_length(superblock)?;
    let bytes = disk.bytes(superblock.place(superblock.first_block + 1)?, length)?;
    Ok(parse(superblock, &bytes))
}

/// How long all descriptors are, in bytes.
pub(super) fn descriptors_length(superblock: &Superblock) -> Result<usize, DiskError> {
    let count = superblock.groups();
    if count > MOST_GROUPS {
        return Err(DiskError::damaged(WHAT, format!("it claims {count} groups")));
    }
    Ok(usize::try_from(count).expect("there are few") * usize::from(superblock.descriptor))
}

/// The groups that all descriptors tell of.
pub(super) fn parse(superblock: &Superblock, descriptors: &[u8]) -> Vec<Group> {
    let length = usize::from(superblock.descriptor);
    descriptors.chunks_exact(length).map(|bytes| of(bytes, length >= 64)).collect()
}

/// The blocks of a group.
pub(super) fn blocks(superblock: &Superblock, group: u64) -> Range<u64> {
    let start = superblock.first_block + group * u64::from(superblock.blocks_per_group);
    start..superblock.blocks.min(start + u64::from(superblock.blocks_per_group))
}

fn of(bytes: &[u8], is_wide: bool) -> Group {
    let block = |low: usize, high: usize| {
        let high = if is_wide { u64::from(u32_at(bytes, high)) << 32 } else { 0 };
        u64::from(u32_at(bytes, low)) | high
    };
    Group {
        block_map: block(0x0, 0x20),
        inode_map: block(0x4, 0x24),
        inode_table: block(0x8, 0x28),
        is_unwritten: u16_at(bytes, 0x12) & BLOCK_UNINIT != 0,
    }
}

/// All bytes in use: what the maps say, and for groups without a map what every group has.
pub(super) fn used<R: ReadAt + ?Sized>(
    disk: &R,
    superblock: &Superblock,
    groups: &[Group],
) -> Result<Used, DiskError> {
    if let Some(why) = superblock.odd_maps {
        return Err(DiskError::damaged(WHAT, why));
    }
    let mut found = fixed(superblock, groups)?.ranges().to_vec();
    for (number, group) in (0_u64..).zip(groups) {
        if !group.is_unwritten {
            let length = usize::try_from(superblock.block).expect("a block is short");
            let map = disk.bytes(superblock.place(group.block_map)?, length)?;
            taken(&map, blocks(superblock, number), &mut found);
        }
    }
    let bytes = |range: Range<u64>| {
        range.start * superblock.block..range.end.min(superblock.blocks) * superblock.block
    };
    Ok(Used::of(found.into_iter().map(bytes).collect()))
}

/// The blocks that every file system has in use, whatever its maps say: superblocks, descriptors, maps, tables.
pub(super) fn fixed(superblock: &Superblock, groups: &[Group]) -> Result<Used, DiskError> {
    let table = (u64::from(superblock.inodes_per_group) * u64::from(superblock.inode_size))
        .div_ceil(superblock.block);
    let descriptors = (groups.len() as u64 * u64::from(superblock.descriptor)).div_ceil(superblock.block);
    let mut found = Vec::new();
    // What comes before the first block: room for a boot loader, and with blocks of 1 KiB the superblock after it.
    found.push(0..superblock.first_block + 1);
    for (number, group) in (0_u64..).zip(groups) {
        let start = blocks(superblock, number).start;
        // Tables may lie in another group, whose map need not have been written.
        found.push(group.block_map..group.block_map.saturating_add(1));
        found.push(group.inode_map..group.inode_map.saturating_add(1));
        found.push(group.inode_table..group.inode_table.saturating_add(table));
        if superblock.has_copy(number) {
            found.push(start..start + 1 + descriptors + u64::from(superblock.reserved_descriptors));
        }
    }
    if found.iter().any(|range| range.start > superblock.blocks) {
        return Err(DiskError::damaged(WHAT, "a table lies beyond its end"));
    }
    Ok(Used::of(found))
}

/// The runs of set bits in a map of the blocks `of`.
pub(super) fn taken(map: &[u8], of: Range<u64>, found: &mut Vec<Range<u64>>) {
    let mut run: Option<u64> = None;
    for (block, bit) in of.clone().zip(0_usize..) {
        let is_taken = map[bit / 8] >> (bit % 8) & 1 == 1;
        match (is_taken, run) {
            (true, None) => run = Some(block),
            (false, Some(start)) => {
                found.push(start..block);
                run = None;
            }
            _ => {}
        }
    }
    found.extend(run.map(|start| start..of.end));
}
