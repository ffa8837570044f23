//! Changes laid over a disk that stays as it is.
//!
//! In: a disk that can be read, and writes into a range of it, a partition say. Out: a [`Patch`], the changed blocks and
//! nothing else. A base and a patch make a card, so one base serves any number of them; what several cards share, a bundle
//! say, is laid down once and its blocks are shared, not copied.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::sync::Arc;

use desired::Digest;
use desired::types::DigestAlgorithm;

use super::read::within;
use super::{DiskError, ReadAt};
use crate::digest::Hasher;

/// Bytes in a block of maps, patches and read-back digests.
pub const BLOCK_BYTES: usize = 4096;
const BLOCK: u64 = BLOCK_BYTES as u64;

/// The blocks of a disk that differ from its base, by their number from the disk's start.
///
/// The last block of a disk whose length is no multiple of [`BLOCK_BYTES`] is filled up with zeroes; a writer cuts it off.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patch {
    blocks: BTreeMap<u64, Arc<[u8]>>,
}

impl Patch {
    /// The blocks in order, each with its number.
    pub fn blocks(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.blocks.iter().map(|(number, block)| (*number, &**block))
    }

    /// What is to stand in a block, if it differs from the base.
    #[must_use]
    pub fn get(&self, block: u64) -> Option<&[u8]> {
        self.blocks.get(&block).map(|bytes| &**bytes)
    }

    /// How many blocks differ.
    #[must_use]
    pub fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Whether the card would be the base itself.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// The sha256 over number (64 bits, little-endian) and content of every block, in order.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut hasher = Hasher::new(DigestAlgorithm::Sha256);
        for (number, block) in self.blocks() {
            hasher.update(&number.to_le_bytes());
            hasher.update(block);
        }
        hasher.finish()
    }
}

/// A disk with a patch laid over it, to be read.
#[derive(Debug)]
pub struct Patched<'a, R: ?Sized> {
    disk: &'a R,
    patch: &'a Patch,
}

impl<'a, R: ReadAt + ?Sized> Patched<'a, R> {
    /// The card that `disk` and `patch` make.
    #[must_use]
    pub const fn new(disk: &'a R, patch: &'a Patch) -> Self {
        Self { disk, patch }
    }
}

impl<R: ReadAt + ?Sized> ReadAt for Patched<'_, R> {
    fn size(&self) -> u64 {
        self.disk.size()
    }
    fn read_into(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        self.disk.read_into(offset, buffer)?;
        lay_over(&self.patch.blocks, offset, buffer);
        Ok(())
    }
}

/// Puts what `blocks` has of the bytes from `offset` on into `buffer`.
fn lay_over(blocks: &BTreeMap<u64, Arc<[u8]>>, offset: u64, buffer: &mut [u8]) {
    let end = offset + buffer.len() as u64;
    for (number, block) in blocks.range(offset / BLOCK..end.div_ceil(BLOCK)) {
        let start = number * BLOCK;
        let (from, to) = (start.max(offset), (start + BLOCK).min(end));
        buffer[place(offset, from, to)].copy_from_slice(&block[place(start, from, to)]);
    }
}

/// The bytes `from..to` of a disk as they lie in something that begins at `start`.
fn place(start: u64, from: u64, to: u64) -> Range<usize> {
    let index = |offset: u64| usize::try_from(offset - start).expect("it lies within what is in memory");
    index(from)..index(to)
}

/// A range of a disk that can be written without the disk being changed.
#[derive(Debug)]
pub struct Overlay<'a, R: ?Sized> {
    disk: &'a R,
    start: u64,
    size: u64,
    position: u64,
    blocks: BTreeMap<u64, Arc<[u8]>>,
}

impl<'a, R: ReadAt + ?Sized> Overlay<'a, R> {
    /// `size` bytes of `disk` from `start` on; fewer where the disk ends before.
    #[must_use]
    pub fn new(disk: &'a R, start: u64, size: u64) -> Self {
        Self::over(disk, start, size, Patch::default())
    }

    /// As [`Self::new`], with changes that were made before; their blocks are shared with every other overlay of them.
    #[must_use]
    pub fn over(disk: &'a R, start: u64, size: u64, patch: Patch) -> Self {
        let size = size.min(disk.size().saturating_sub(start));
        Self { disk, start, size, position: 0, blocks: patch.blocks }
    }

    /// All changes so far. A block that was written and is as the base has it is none.
    ///
    /// # Errors
    /// [`DiskError`] if the base can't be read again.
    pub fn into_patch(self) -> Result<Patch, DiskError> {
        let mut blocks = BTreeMap::new();
        for (number, block) in self.blocks {
            if of_base(self.disk, number)? != *block {
                blocks.insert(number, block);
            }
        }
        Ok(Patch { blocks })
    }

    /// The bytes from the position on that `wanted` of them leave within the range.
    fn within(&self, wanted: usize) -> usize {
        let left = self.size.saturating_sub(self.position);
        usize::try_from(left).map_or(wanted, |left| wanted.min(left))
    }

    fn write_part(&mut self, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let number = offset / BLOCK;
        let within = place(number * BLOCK, offset, offset + bytes.len() as u64);
        let block = match self.blocks.entry(number) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) if bytes.len() == BLOCK_BYTES => {
                entry.insert(Arc::from(bytes));
                return Ok(());
            }
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(Arc::from(of_base(self.disk, number)?))
            }
        };
        // Others may hold the block too: then it is copied, and theirs stays.
        Arc::make_mut(block)[within].copy_from_slice(bytes);
        Ok(())
    }
}

/// A block as the base has it, filled up with zeroes where the disk ends in it.
fn of_base<R: ReadAt + ?Sized>(disk: &R, number: u64) -> Result<Vec<u8>, DiskError> {
    let start = number * BLOCK;
    let mut block = vec![0; BLOCK_BYTES];
    let count =
        usize::try_from(disk.size().saturating_sub(start)).map_or(BLOCK_BYTES, |left| left.min(BLOCK_BYTES));
    disk.read_into(start, &mut block[..count])?;
    Ok(block)
}

impl<R: ReadAt + ?Sized> ReadAt for Overlay<'_, R> {
    fn size(&self) -> u64 {
        self.size
    }
    fn read_into(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        within(self.size, offset, buffer.len())?;
        self.disk.read_into(self.start + offset, buffer)?;
        lay_over(&self.blocks, self.start + offset, buffer);
        Ok(())
    }
}

impl<R: ReadAt + ?Sized> Read for Overlay<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.within(buffer.len());
        self.read_into(self.position, &mut buffer[..count]).map_err(io::Error::other)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl<R: ReadAt + ?Sized> Write for Overlay<'_, R> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let offset = self.start + self.position;
        let to_end = BLOCK_BYTES - place(offset / BLOCK * BLOCK, offset, offset).start;
        let count = self.within(bytes.len()).min(to_end);
        if count > 0 {
            self.write_part(offset, &bytes[..count]).map_err(io::Error::other)?;
        }
        self.position += count as u64;
        Ok(count)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<R: ReadAt + ?Sized> Seek for Overlay<'_, R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 5 blocks and a piece, no byte like its neighbour.
    fn disk() -> Vec<u8> {
        (0..5 * BLOCK_BYTES + 512).map(|at| u8::try_from(at % 251).unwrap()).collect()
    }

    #[test]
    fn what_is_written_is_read_and_the_base_stays() {
        let base = disk();
        // Neither start nor end of the range is a block's.
        let mut overlay = Overlay::new(&base[..], 512, 3 * BLOCK);
        overlay.seek(SeekFrom::Start(BLOCK - 600)).unwrap();
        overlay.write_all(&[7; 100]).unwrap();
        overlay.seek(SeekFrom::Start(BLOCK - 602)).unwrap();
        let mut read = [0; 104];
        overlay.read_exact(&mut read).unwrap();
        assert_eq!(read[2..102], [7; 100]);
        assert_eq!(read[..2], base[512 + BLOCK_BYTES - 602..512 + BLOCK_BYTES - 600]);
        let patch = overlay.into_patch().unwrap();
        // 3496+512=4008..4108: the end of block 0 and the start of block 1.
        assert_eq!(patch.blocks().map(|(number, _)| number).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(base, disk());
        let card = Patched::new(&base[..], &patch);
        assert_eq!(card.bytes(4007, 102).unwrap()[1..101], [7; 100]);
        assert_eq!(card.bytes(0, 4008).unwrap(), base[..4008]);
    }

    #[test]
    fn what_is_written_back_as_it_was_is_no_change() {
        let base = disk();
        let mut overlay = Overlay::new(&base[..], 0, BLOCK * 5);
        overlay.write_all(&[1; BLOCK_BYTES]).unwrap();
        overlay.seek(SeekFrom::Start(0)).unwrap();
        overlay.write_all(&base[..BLOCK_BYTES]).unwrap();
        let patch = overlay.into_patch().unwrap();
        assert!(patch.is_empty(), "{patch:?}");
    }

    #[test]
    fn changes_of_others_stay_theirs() {
        let base = disk();
        let mut shared = Overlay::new(&base[..], 0, BLOCK * 5);
        shared.write_all(&[1; 2 * BLOCK_BYTES]).unwrap();
        let shared = shared.into_patch().unwrap();
        let one = |byte: u8| {
            let mut overlay = Overlay::over(&base[..], 0, BLOCK * 5, shared.clone());
            overlay.write_all(&[byte; 10]).unwrap();
            overlay.into_patch().unwrap()
        };
        let (left, right) = (one(2), one(3));
        assert_eq!(left.get(0).unwrap()[..11], [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1]);
        assert_eq!(right.get(0).unwrap()[..10], [3; 10]);
        assert_eq!(shared.get(0).unwrap()[..10], [1; 10]);
        assert_ne!(left.digest(), right.digest());
        assert_eq!(left.digest(), one(2).digest());
    }

    #[test]
    fn nothing_is_written_past_the_range() {
        let base = disk();
        let mut overlay = Overlay::new(&base[..], 5 * BLOCK, 4 * BLOCK);
        assert_eq!(ReadAt::size(&overlay), 512);
        overlay.seek(SeekFrom::End(-12)).unwrap();
        assert_eq!(overlay.write(&[1; 100]).unwrap(), 12);
        assert_eq!(overlay.write(&[1; 100]).unwrap(), 0);
        assert!(overlay.seek(SeekFrom::Current(-600)).is_err());
        assert!(matches!(ReadAt::bytes(&overlay, 500, 13), Err(DiskError::Ends { .. })));
        let patch = overlay.into_patch().unwrap();
        let block = patch.get(5).unwrap();
        assert_eq!(
            (block.len(), &block[500..512], &block[512..516]),
            (BLOCK_BYTES, &[1; 12][..], &[0; 4][..])
        );
    }

    proptest! {
        /// Any writes give what the same writes give to a copy in memory.
        #[test]
        fn an_overlay_is_as_good_as_a_copy(
            start in 0_usize..9000,
            writes in prop::collection::vec((0_usize..12_000, any::<u8>(), 0_usize..9000), 0..12),
        ) {
            let base = disk();
            let size = (base.len() - start).min(11_000);
            let mut copy = base.clone();
            let mut overlay = Overlay::new(&base[..], start as u64, size as u64);
            for (offset, byte, count) in writes {
                let (from, to) = (offset.min(size), (offset + count).min(size));
                copy[start + from..start + to].fill(byte);
                overlay.seek(SeekFrom::Start(from as u64)).unwrap();
                overlay.write_all(&vec![byte; to - from]).unwrap();
            }
            prop_assert_eq!(ReadAt::bytes(&overlay, 0, size).unwrap(), &copy[start..start + size]);
            let patch = overlay.into_patch().unwrap();
            prop_assert_eq!(Patched::new(&base[..], &patch).bytes(0, base.len()).unwrap(), copy);
        }
    }
}
