//! Which blocks of an ext4 are in use, told while it passes by.
//!
//! In: the bytes of a partition in order. Out, for bytes that are passing: which hold something. The superblock and the
//! descriptors come first, and a group's map lies before the data it tells of; a group whose map has not passed counts as
//! in use, as does everything once something is not understood.

use std::collections::BTreeMap;
use std::ops::Range;

use super::group;
use super::superblock::Superblock;
use crate::disk::Used;

const SUPERBLOCK: Range<u64> = 1024..2048;

/// Bytes that are waited for.
#[derive(Debug)]
struct Wanted {
    length: usize,
    bytes: Vec<u8>,
}

/// What is known so far.
#[derive(Debug)]
enum State {
    /// Nothing; the superblock is waited for.
    Start,
    /// The descriptors are waited for.
    Superblock(Superblock),
    /// Maps are waited for.
    Groups(Groups),
    /// It will never be known, and why.
    Odd(String),
}

#[derive(Debug)]
struct Groups {
    superblock: Superblock,
    /// What every file system has in use: tables, maps, copies. In blocks.
    fixed: Used,
    /// By group; none where the map has not passed.
    maps: Vec<Option<Used>>,
    /// Which group's map lies at a place in bytes.
    places: BTreeMap<u64, usize>,
}

/// The file system of a partition that passes.
#[derive(Debug)]
pub struct Streamed {
    state: State,
    wanted: BTreeMap<u64, Wanted>,
}

impl Default for Streamed {
    /// Nothing has passed yet.
    fn default() -> Self {
        let mut own = Self { state: State::Start, wanted: BTreeMap::new() };
        own.want(SUPERBLOCK.start, 1024);
        own
    }
}

impl Streamed {
    /// Why nothing is known of it, if so.
    pub fn oddity(&self) -> Option<&str> {
        match &self.state {
            State::Odd(why) => Some(why),
            State::Start | State::Superblock(_) => Some("its start did not pass"),
            State::Groups(_) => None,
        }
    }

    fn want(&mut self, place: u64, length: usize) {
        self.wanted.insert(place, Wanted { length, bytes: Vec::new() });
    }

    /// Takes the bytes of the partition from `offset` on.
    pub fn pass(&mut self, offset: u64, bytes: &[u8]) {
        let end = offset + bytes.len() as u64;
        // What has come may tell what else to look for, in the very same bytes.
        while let Some((place, found)) = self.take(offset, end, bytes) {
            self.learn(place, &found);
        }
    }

    /// Something wanted that is complete now.
    fn take(&mut self, offset: u64, end: u64, bytes: &[u8]) -> Option<(u64, Vec<u8>)> {
        let mut complete = None;
        for (place, wanted) in self.wanted.range_mut(..end) {
            let from = place + wanted.bytes.len() as u64;
            // What lies before has passed unseen, and what was taken of these bytes is not taken twice.
            if from < offset || from >= end {
                continue;
            }
            let missing = (wanted.length - wanted.bytes.len()) as u64;
            let until = end.min(from + missing);
            let index = |at: u64| usize::try_from(at - offset).expect("it is within what is in memory");
            wanted.bytes.extend_from_slice(&bytes[index(from)..index(until)]);
            if wanted.bytes.len() == wanted.length {
                complete = Some(*place);
                break;
            }
        }
        let place = complete?;
        self.wanted.remove(&place).map(|wanted| (place, wanted.bytes))
    }

    fn learn(&mut self, place: u64, bytes: &[u8]) {
        let state = std::mem::replace(&mut self.state, State::Start);
        self.state = match state {
            State::Start => self.superblock(bytes),
            State::Superblock(superblock) => self.groups(superblock, bytes),
            State::Groups(mut groups) => {
                groups.learn(place, bytes);
                State::Groups(groups)
            }
            odd @ State::Odd(_) => odd,
        };
    }

    fn superblock(&mut self, bytes: &[u8]) -> State {
        let superblock = match Superblock::parse(bytes) {
            Ok(Some(superblock)) => superblock,
            Ok(None) => return State::Odd("it is no file system that is known here".to_owned()),
            Err(error) => return State::Odd(error.to_string()),
        };
        if let Some(why) = superblock.odd_maps {
            return State::Odd(why.to_owned());
        }
        let place = superblock.place(superblock.first_block + 1);
        match (place, group::descriptors_length(&superblock)) {
            (Ok(place), Ok(length)) => {
                self.want(place, length);
                State::Superblock(superblock)
            }
            (Err(error), _) | (_, Err(error)) => State::Odd(error.to_string()),
        }
    }

    fn groups(&mut self, superblock: Superblock, bytes: &[u8]) -> State {
        let groups = group::parse(&superblock, bytes);
        let fixed = match group::fixed(&superblock, &groups) {
            Ok(fixed) => fixed,
            Err(error) => return State::Odd(error.to_string()),
        };
        let length = usize::try_from(superblock.block).expect("a block is short");
        let (mut maps, mut places) = (Vec::with_capacity(groups.len()), BTreeMap::new());
        for (number, group) in groups.iter().enumerate() {
            maps.push(group.is_unwritten.then(Used::default));
            if let (false, Ok(place)) = (group.is_unwritten, superblock.place(group.block_map)) {
                places.insert(place, number);
                self.want(place, length);
            }
        }
        State::Groups(Groups { superblock, fixed, maps, places })
    }

    /// Calls `mark` with every range of bytes within `range` that holds something.
    pub fn used(&self, range: &Range<u64>, mut mark: impl FnMut(Range<u64>)) {
        match &self.state {
            State::Groups(groups) => groups.used(range, mark),
            _ => mark(range.clone()),
        }
    }
}

impl Groups {
    fn learn(&mut self, place: u64, map: &[u8]) {
        let Some(number) = self.places.remove(&place) else { return };
        let mut blocks = Vec::new();
        group::taken(map, group::blocks(&self.superblock, number as u64), &mut blocks);
        self.maps[number] = Some(Used::of(blocks));
    }

    fn used(&self, range: &Range<u64>, mut mark: impl FnMut(Range<u64>)) {
        let size = self.superblock.block;
        let end = range.end.min(self.superblock.blocks * size);
        if range.start >= end {
            return;
        }
        let blocks = range.start / size..end.div_ceil(size);
        let mut some = |ranges: &Used| {
            for found in ranges.within(&blocks) {
                mark(found.start * size..found.end * size);
            }
        };
        some(&self.fixed);
        let group_of = |block: u64| {
            block.saturating_sub(self.superblock.first_block) / u64::from(self.superblock.blocks_per_group)
        };
        for number in group_of(blocks.start)..=group_of(blocks.end - 1) {
            match usize::try_from(number).ok().and_then(|number| self.maps.get(number)) {
                Some(Some(map)) => some(map),
                _ => some(&Used::of(vec![group::blocks(&self.superblock, number)])),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_system_counts_as_used() {
        let mut streamed = Streamed::default();
        let mut marked = Vec::new();
        streamed.pass(0, &[7; 4096]);
        streamed.used(&(0..4096), |range| marked.push(range));
        assert_eq!(Used::of(marked), Used::whole(4096));
        assert!(streamed.oddity().is_some_and(|why| why.contains("no file system")));
    }
}
