//! Inodes: what kind of thing it is, how long, and where its bytes lie.

use super::WHAT;
use super::superblock::Superblock;
use crate::disk::read::{u16_at, u32_at};
use crate::disk::{DiskError, ReadAt};

const FLAG_EXTENTS: u32 = 0x8_0000;
const FLAG_INLINE: u32 = 0x1000_0000;
const EXTENT_MAGIC: u16 = 0xf30a;
/// The kernel's own limit.
const DEEPEST: u16 = 5;
/// A count above this marks bytes that were reserved and never written.
const WRITTEN: u16 = 32768;
/// Block numbers in an inode of the old kind before those of blocks that hold numbers.
const DIRECT: u32 = 12;

/// What an inode is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    Link,
    Other,
}

/// What is needed of one.
#[derive(Debug)]
pub(super) struct Inode {
    mode: u16,
    flags: u32,
    /// In bytes.
    pub size: u64,
    /// Fifteen block numbers, a tree of extents, or a short link's target.
    block: Vec<u8>,
}

/// A run of blocks of a file.
#[derive(Debug)]
pub(super) struct Extent {
    /// The first of the file's blocks.
    pub at: u32,
    pub count: u32,
    /// Where it lies.
    pub block: u64,
    pub is_unwritten: bool,
}

impl Inode {
    pub fn parse(bytes: &[u8], number: u32) -> Result<Self, DiskError> {
        let (mode, flags) = (u16_at(bytes, 0x0), u32_at(bytes, 0x20));
        if flags & FLAG_INLINE != 0 {
            return Err(DiskError::damaged(
                WHAT,
                format!("inode {number} holds its data itself, which is not read here"),
            ));
        }
        let size = u64::from(u32_at(bytes, 0x4)) | u64::from(u32_at(bytes, 0x6c)) << 32;
        Ok(Self { mode, flags, size, block: bytes[0x28..0x64].to_vec() })
    }

    pub const fn kind(&self) -> Kind {
        match self.mode & 0xf000 {
            0x8000 => Kind::File,
            0x4000 => Kind::Folder,
            0xa000 => Kind::Link,
            _ => Kind::Other,
        }
    }

    /// The target of a link that is short enough to lie in the inode.
    pub fn short_target(&self) -> Option<&[u8]> {
        let length = usize::try_from(self.size).ok().filter(|length| *length < 60)?;
        (self.flags & FLAG_EXTENTS == 0).then(|| &self.block[..length])
    }

    /// Where its bytes lie.
    pub fn extents<R: ReadAt + ?Sized>(
        &self,
        disk: &R,
        superblock: &Superblock,
    ) -> Result<Vec<Extent>, DiskError> {
        let mut found = Vec::new();
        if self.flags & FLAG_EXTENTS == 0 {
            for (at, number) in (0..DIRECT).zip(self.block.chunks_exact(4)) {
                let block = u64::from(u32_at(number, 0));
                if block != 0 {
                    found.push(Extent { at, count: 1, block, is_unwritten: false });
                }
            }
            if self.size > u64::from(DIRECT) * superblock.block {
                return Err(DiskError::damaged(
                    WHAT,
                    "a long file keeps its blocks in the way of ext2, which is not read here",
                ));
            }
            return Ok(found);
        }
        walk(disk, superblock, &self.block, DEEPEST, &mut found)?;
        Ok(found)
    }
}

fn walk<R: ReadAt + ?Sized>(
    disk: &R,
    superblock: &Superblock,
    node: &[u8],
    deepest: u16,
    found: &mut Vec<Extent>,
) -> Result<(), DiskError> {
    let damaged = |why: &str| Err(DiskError::damaged(WHAT, why));
    let (count, depth) = (usize::from(u16_at(node, 2)), u16_at(node, 6));
    if u16_at(node, 0) != EXTENT_MAGIC || depth > deepest || (count + 1) * 12 > node.len() {
        return damaged("a tree of extents contradicts itself");
    }
    for entry in node[12..].chunks_exact(12).take(count) {
        if depth == 0 {
            let count = u16_at(entry, 4);
            let block = u64::from(u32_at(entry, 8)) | u64::from(u16_at(entry, 6)) << 32;
            let is_unwritten = count > WRITTEN;
            let count = u32::from(if is_unwritten { count - WRITTEN } else { count });
            if block.checked_add(u64::from(count)).is_none_or(|end| end > superblock.blocks) {
                return damaged("an extent lies beyond its end");
            }
            found.push(Extent { at: u32_at(entry, 0), count, block, is_unwritten });
            continue;
        }
        let block = u64::from(u32_at(entry, 4)) | u64::from(u16_at(entry, 8)) << 32;
        let length = usize::try_from(superblock.block).expect("a block is short");
        let below = disk.bytes(superblock.place(block)?, length)?;
        // Each level is less deep than the one above, so no tree is endless.
        if u16_at(&below, 6) >= depth {
            return damaged("a tree of extents does not end");
        }
        walk(disk, superblock, &below, depth - 1, found)?;
    }
    Ok(())
}
