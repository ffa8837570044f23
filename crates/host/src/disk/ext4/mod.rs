//! ext2, ext3 and ext4, read only: their blocks in use, their folders, their files.
//!
//! In: a partition. Out: what lies in it. The layout is that of the kernel's documentation (filesystems/ext4), whose field
//! names are used here. What this reader does not know makes it say so, never guess.

mod group;
mod inode;
mod streamed;
mod superblock;

pub use streamed::Streamed;

use inode::{Inode, Kind};
use superblock::Superblock;

use super::{DiskError, ReadAt, Used};

const WHAT: &str = "ext4 file system";
/// No file that is read whole is longer.
const LONGEST: u64 = 16 << 20;
/// No folder is longer.
const LONGEST_FOLDER: u64 = 64 << 20;
/// How many links are followed, as the kernel does.
const LINKS: u32 = 40;
const ROOT: u32 = 2;

/// A file system.
#[derive(Debug)]
pub struct Ext4<'a, R: ?Sized> {
    disk: &'a R,
    superblock: Superblock,
    groups: Vec<group::Group>,
}

impl<'a, R: ReadAt + ?Sized> Ext4<'a, R> {
    /// Opens the file system that `disk`, a partition, holds; none if it holds none of these.
    ///
    /// # Errors
    /// [`DiskError`] if it is one and damaged.
    pub fn open(disk: &'a R) -> Result<Option<Self>, DiskError> {
        let Ok(bytes) = disk.bytes(1024, 1024) else { return Ok(None) };
        let Some(superblock) = Superblock::parse(&bytes)? else { return Ok(None) };
        if superblock.blocks.checked_mul(superblock.block).is_none_or(|size| size > disk.size()) {
            return Err(DiskError::damaged(WHAT, "it is longer than its partition"));
        }
        let groups = group::read(disk, &superblock)?;
        Ok(Some(Self { disk, superblock, groups }))
    }

    /// The volume's name.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.superblock.label
    }

    /// All bytes that are in use.
    ///
    /// # Errors
    /// [`DiskError`] if a map of blocks can't be read, or the file system keeps them in a way this reader does not know.
    pub fn used(&self) -> Result<Used, DiskError> {
        group::used(self.disk, &self.superblock, &self.groups)
    }

    /// The content of the file at `path`, links followed; none if there is no such file.
    ///
    /// # Errors
    /// [`DiskError`], also if it is longer than 16 MiB.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>, DiskError> {
        self.read_start(path, LONGEST)
    }

    /// The same, at most its first `limit` bytes.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn read_start(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, DiskError> {
        match self.find(path)? {
            Some(inode) if inode.kind() == Kind::File => self.content(&inode, limit).map(Some),
            _ => Ok(None),
        }
    }

    /// The names in the folder at `path`, sorted; none if there is no such folder.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn list(&self, path: &str) -> Result<Option<Vec<String>>, DiskError> {
        match self.find(path)? {
            Some(inode) if inode.kind() == Kind::Folder => {
                let mut names: Vec<String> =
                    self.entries(&inode)?.into_iter().map(|(name, _)| name).collect();
                names.sort();
                Ok(Some(names))
            }
            _ => Ok(None),
        }
    }

    /// Whether anything is at `path`.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn exists(&self, path: &str) -> Result<bool, DiskError> {
        Ok(self.find(path)?.is_some())
    }

    fn find(&self, path: &str) -> Result<Option<Inode>, DiskError> {
        let mut names: Vec<String> = path.rsplit('/').map(str::to_owned).collect();
        let (mut above, mut links) = (vec![self.inode(ROOT)?], 0);
        while let Some(name) = names.pop() {
            let Some(here) = above.last() else { return Ok(None) };
            match name.as_str() {
                "" | "." => continue,
                ".." => {
                    // The root is above itself.
                    if above.len() > 1 {
                        above.pop();
                    }
                    continue;
                }
                _ if here.kind() != Kind::Folder => return Ok(None),
                _ => {}
            }
            let entry = self.entries(here)?.into_iter().find(|(own, _)| *own == name);
            let Some((_, number)) = entry else { return Ok(None) };
            let inode = self.inode(number)?;
            if inode.kind() != Kind::Link {
                above.push(inode);
                continue;
            }
            links += 1;
            if links > LINKS {
                return Ok(None);
            }
            let target = self.target(&inode)?;
            if target.starts_with('/') {
                above.truncate(1);
            }
            names.extend(target.rsplit('/').map(str::to_owned));
        }
        Ok(above.pop())
    }

    fn inode(&self, number: u32) -> Result<Inode, DiskError> {
        let superblock = &self.superblock;
        let Some(index) = number.checked_sub(1).filter(|index| *index < superblock.inodes) else {
            return Err(DiskError::damaged(WHAT, format!("there is no inode {number}")));
        };
        let group = self.groups.get((index / superblock.inodes_per_group) as usize);
        let group = group.ok_or_else(|| DiskError::damaged(WHAT, format!("inode {number} has no group")))?;
        let within = u64::from(index % superblock.inodes_per_group) * u64::from(superblock.inode_size);
        let place = superblock.place(group.inode_table)? + within;
        Inode::parse(&self.disk.bytes(place, 128)?, number)
    }

    /// A file's bytes, at most `limit` of them; what was never written is zeroes.
    fn content(&self, inode: &Inode, limit: u64) -> Result<Vec<u8>, DiskError> {
        if inode.size > limit && limit == LONGEST {
            return Err(DiskError::damaged(WHAT, format!("a file claims {} bytes", inode.size)));
        }
        let wanted = inode.size.min(limit);
        let mut bytes = vec![0; usize::try_from(wanted).unwrap_or(usize::MAX)];
        for extent in inode.extents(self.disk, &self.superblock)? {
            let start = u64::from(extent.at) * self.superblock.block;
            let length = u64::from(extent.count) * self.superblock.block;
            if start >= wanted || extent.is_unwritten {
                continue;
            }
            let end = wanted.min(start + length);
            let range =
                usize::try_from(start).unwrap_or(usize::MAX)..usize::try_from(end).unwrap_or(usize::MAX);
            self.disk.read_into(self.superblock.place(extent.block)?, &mut bytes[range])?;
        }
        Ok(bytes)
    }

    fn target(&self, inode: &Inode) -> Result<String, DiskError> {
        let bytes = match inode.short_target() {
            Some(bytes) => bytes.to_vec(),
            None => self.content(inode, 4096)?,
        };
        String::from_utf8(bytes).map_err(|_| DiskError::damaged(WHAT, "a link points to what is no text"))
    }

    /// Names and inodes. The index of a large folder lies in what looks like empty entries, so all blocks are read alike.
    fn entries(&self, folder: &Inode) -> Result<Vec<(String, u32)>, DiskError> {
        let damaged = || DiskError::damaged(WHAT, "a folder's entries don't fit their block");
        if folder.size > LONGEST_FOLDER {
            return Err(DiskError::damaged(WHAT, format!("a folder claims {} bytes", folder.size)));
        }
        let (bytes, mut found) = (self.content(folder, LONGEST_FOLDER)?, Vec::new());
        let mut at = 0;
        while at + 8 <= bytes.len() {
            let number = super::read::u32_at(&bytes, at);
            let length = usize::from(super::read::u16_at(&bytes, at + 4));
            let name_length = usize::from(bytes[at + 6]);
            // A whole block of 64 KiB is written as 0 or as all ones.
            let length = if length == 0 || length == 0xffff { 65536 } else { length };
            if length < 8 || (number != 0 && at + 8 + name_length > bytes.len()) {
                return Err(damaged());
            }
            let name = bytes.get(at + 8..at + 8 + name_length).ok_or_else(damaged)?;
            if number != 0 && name != b"." && name != b".." {
                // Names that are no text are of no interest here.
                found.extend(std::str::from_utf8(name).ok().map(|name| (name.to_owned(), number)));
            }
            at += length;
        }
        Ok(found)
    }
}
