//! Blocks of ours in files that others write too.
//!
//! In: a file's bytes, what starts a comment there, the block's name. Out: where our lines are, or the bytes with our
//! lines put in, replaced or taken out; everything outside the markers stays as it was, to the byte. Markers that
//! make no sense are a [`BlockFault`]: then nobody can say which lines are ours.

use std::borrow::Cow;
use std::ops::Range;

/// Markers that make no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockFault {
    /// A begin without an end behind it, or an end without a begin before it.
    #[error("line {line} is a marker of block `{name}` without its partner; complete or delete the pair")]
    Unpaired {
        /// The block.
        name: String,
        /// The marker's line, from 1.
        line: usize,
    },
    /// The block is there twice.
    #[error("block `{name}` is there twice, again in line {line}; delete one")]
    Twice {
        /// The block.
        name: String,
        /// The second begin's line, from 1.
        line: usize,
    },
}

/// The markers of one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Markers {
    name: String,
    begin: String,
    end: String,
}

/// Where a block lies in a file, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    /// Both marker lines and all between.
    whole: Range<usize>,
    /// The lines between the markers.
    inner: Range<usize>,
}

impl Markers {
    /// The markers of the block `name` in a file where `comment` starts a comment line.
    #[must_use]
    pub fn new(comment: &str, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            begin: format!("{comment} BEGIN rootstock {name}"),
            end: format!("{comment} END rootstock {name}"),
        }
    }

    /// The lines between the markers, or none when the block isn't there.
    ///
    /// # Errors
    /// [`BlockFault`].
    pub fn find<'a>(&self, file: &'a [u8]) -> Result<Option<&'a [u8]>, BlockFault> {
        Ok(self.place(file)?.map(|place| &file[place.inner]))
    }

    /// The file with the block holding `content`, where it was, or else at the end. A last line without a newline
    /// gets one first, since a marker needs a line of its own.
    ///
    /// # Errors
    /// [`BlockFault`]; the file is then for a person to repair.
    pub fn splice(&self, file: &[u8], content: &str) -> Result<Vec<u8>, BlockFault> {
        let place = self.place(file)?;
        let at = place.map_or(file.len()..file.len(), |place| place.whole);
        let mut out = file[..at.start].to_vec();
        if out.last().is_some_and(|byte| *byte != b'\n') {
            out.push(b'\n');
        }
        let (Self { begin, end, .. }, content) = (self, whole_lines(content));
        out.extend_from_slice(format!("{begin}\n{content}{end}\n").as_bytes());
        out.extend_from_slice(&file[at.end..]);
        Ok(out)
    }

    /// The file without the block.
    ///
    /// # Errors
    /// [`BlockFault`].
    pub fn remove(&self, file: &[u8]) -> Result<Vec<u8>, BlockFault> {
        let mut out = file.to_vec();
        if let Some(place) = self.place(file)? {
            out.drain(place.whole);
        }
        Ok(out)
    }

    fn place(&self, file: &[u8]) -> Result<Option<Place>, BlockFault> {
        let (mut begun, mut found, mut start) = (None, None, 0);
        for (index, line) in file.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let (number, end) = (index + 1, start + line.len());
            let name = || self.name.clone();
            // An editor that left a carriage return or a blank behind a marker has not moved it.
            let text = line.trim_ascii_end();
            if text == self.begin.as_bytes() {
                if found.is_some() {
                    return Err(BlockFault::Twice { name: name(), line: number });
                }
                if let Some((_, _, line)) = begun {
                    return Err(BlockFault::Unpaired { name: name(), line });
                }
                begun = Some((start, end, number));
            } else if text == self.end.as_bytes() {
                let Some((whole, inner, _)) = begun.take() else {
                    return Err(BlockFault::Unpaired { name: name(), line: number });
                };
                found = Some(Place { whole: whole..end, inner: inner..start });
            }
            start = end;
        }
        match begun {
            Some((_, _, line)) => Err(BlockFault::Unpaired { name: self.name.clone(), line }),
            None => Ok(found),
        }
    }
}

/// `content` as it stands between the markers: with a newline behind its last line.
#[must_use]
pub fn whole_lines(content: &str) -> Cow<'_, str> {
    if content.is_empty() || content.ends_with('\n') { content.into() } else { format!("{content}\n").into() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn markers() -> Markers {
        Markers::new("#", "mounts")
    }

    #[test]
    fn a_block_is_appended_replaced_and_removed() {
        let first = markers().splice(b"UUID=1 / ext4 defaults 0 1", "a\n").unwrap();
        let text = "UUID=1 / ext4 defaults 0 1\n# BEGIN rootstock mounts\na\n# END rootstock mounts\n";
        assert_eq!(String::from_utf8(first.clone()).unwrap(), text);
        // FIELD M1: run again, nothing is written twice.
        assert_eq!(markers().splice(&first, "a\n").unwrap(), first);
        let second = markers().splice(&[&first[..], b"tail"].concat(), "b\nc").unwrap();
        assert_eq!(markers().find(&second).unwrap(), Some(&b"b\nc\n"[..]));
        assert!(second.ends_with(b"# END rootstock mounts\ntail"));
        assert_eq!(markers().remove(&second).unwrap(), b"UUID=1 / ext4 defaults 0 1\ntail");
    }

    #[test]
    fn broken_markers_are_named_by_line() {
        for (file, why) in [
            ("x\n# BEGIN rootstock mounts\na\n", "line 2"),
            ("# END rootstock mounts\n", "line 1"),
            ("# BEGIN rootstock mounts\n# BEGIN rootstock mounts\n# END rootstock mounts\n", "line 1"),
            (
                "# BEGIN rootstock mounts\n# END rootstock mounts\n# BEGIN rootstock mounts\n# END rootstock mounts\n",
                "twice, again in line 3",
            ),
        ] {
            let fault = markers().splice(file.as_bytes(), "new\n").unwrap_err().to_string();
            assert!(fault.contains(why), "{file}: {fault}");
            assert!(markers().find(file.as_bytes()).is_err() && markers().remove(file.as_bytes()).is_err());
        }
    }

    #[test]
    fn other_blocks_and_carriage_returns_do_not_confuse() {
        let file = b"# BEGIN rootstock mounts-2\nz\n# END rootstock mounts-2\r\n# BEGIN rootstock mounts\r\na\r\n# END rootstock mounts\r\n";
        assert_eq!(markers().find(file).unwrap(), Some(&b"a\r\n"[..]));
        assert_eq!(markers().find(b"## BEGIN rootstock mounts\n").unwrap(), None);
    }

    proptest! {
        #[test]
        fn the_rest_stays_to_the_byte(
            before in proptest::collection::vec(any::<u8>(), 0..80),
            after in proptest::collection::vec(any::<u8>(), 0..80),
            one in "[a-z\n]{0,20}",
            two in "[a-z\n]{0,20}",
        ) {
            let before = [&before[..], b"\n"].concat();
            let file = [&markers().splice(&before, &one).unwrap()[..], &after[..]].concat();
            let out = markers().splice(&file, &two).unwrap();
            prop_assert!(out.starts_with(&before) && out.ends_with(&after));
            prop_assert_eq!(markers().remove(&out).unwrap(), [before, after].concat());
        }
    }
}
