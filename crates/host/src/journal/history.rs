//! What the journal tells about the past.
//!
//! In: its text. Out: for each resource that was touched and not given back since, what was there before we first
//! touched it, and every content of ours it may have now. A last line that a kill or a power cut left incomplete counts
//! as never written: the change it announces had not started.

use std::collections::{BTreeMap, BTreeSet};

use desired::resource::{Resource, ResourceId, Want};
use desired::{AbsPath, Digest};

use super::record::{After, Before, Header, More, Record, Run, State, Step};
use super::{FORMAT, JournalError, path};
use crate::root::Root;

/// One resource's past since it was last as it had been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// What was there before we first touched it.
    pub first: Before,
    /// The sequence of its first change, for undoing in reverse.
    pub since: u64,
    /// Folders that were made for it, outermost first.
    pub folders: Vec<AbsPath>,
    /// What we made or were about to make of it, oldest first.
    pub afters: Vec<After>,
    /// The last change that started.
    pub begun: u64,
    /// The last change that ended well.
    pub done: Option<u64>,
    /// The saved package lists of changes that were cut off, and what those that ended installed.
    pub installed: BTreeSet<String>,
}

impl Story {
    /// Whether the last change that started did not end well: nobody knows how far it got.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.done.is_none_or(|done| done < self.begun)
    }
    /// Whether a file with this digest is of our making; while a change is open whose content nobody knew beforehand, any
    /// file may be.
    #[must_use]
    pub fn made(&self, digest: &Digest) -> bool {
        self.afters.iter().any(|after| match &after.state {
            Some(State::File { digest: Some(made), .. }) => made == digest,
            Some(State::File { digest: None, .. }) => self.is_open(),
            _ => false,
        })
    }
}

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    stories: BTreeMap<ResourceId, Story>,
    header: Option<Header>,
    last_join: Option<Run>,
    /// The next sequence.
    pub(super) next: u64,
    /// How many bytes of the file are whole lines.
    pub(super) whole: u64,
}

impl History {
    /// Reads the journal of `root`; one that isn't there is an empty one.
    ///
    /// # Errors
    /// [`JournalError`] if it can't be read or believed.
    pub fn read(root: &Root) -> Result<Self, JournalError> {
        let own = path(super::JOURNAL);
        let text = root.read(own.as_str()).map_err(JournalError::file("read", &own))?;
        Self::parse(&text.unwrap_or_default())
    }

    fn parse(text: &[u8]) -> Result<Self, JournalError> {
        let mut history = Self { next: 1, ..Self::default() };
        let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
        for (at, line) in lines.iter().enumerate() {
            let torn = |why: String| {
                let damaged =
                    JournalError::Damaged { line: at + 1, path: path(super::JOURNAL).to_string(), why };
                if at + 1 == lines.len() { Ok(()) } else { Err(damaged) }
            };
            if !line.ends_with(b"\n") {
                break;
            }
            if at == 0 {
                match serde_json::from_slice::<Header>(line) {
                    Ok(header) if header.format == FORMAT => history.header = Some(header),
                    Ok(Header { format: found, .. }) => {
                        return Err(JournalError::Format { path: path(super::JOURNAL).to_string(), found });
                    }
                    Err(error) => {
                        torn(error.to_string())?;
                        break;
                    }
                }
            } else {
                match serde_json::from_slice::<Record>(line) {
                    Ok(record) => history.take(record),
                    Err(error) => {
                        torn(error.to_string())?;
                        break;
                    }
                }
            }
            history.whole += line.len() as u64;
        }
        Ok(history)
    }

    /// The header, once there is one.
    pub(super) fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }
    pub(super) fn start(&mut self, header: Header) {
        self.header = Some(header);
    }

    /// Adds one line.
    pub(super) fn take(&mut self, record: Record) {
        let Record { sequence, resource, step, run } = record;
        self.next = sequence + 1;
        if run.bundle.is_some() {
            self.last_join = Some(run);
        }
        match step {
            Step::Begin { before, intended } => {
                let folders = before.place.iter().flat_map(|place| place.folders.clone());
                let folders: Vec<AbsPath> = folders.collect();
                let story = self.stories.entry(resource).or_insert_with(|| Story {
                    first: before.clone(),
                    since: sequence,
                    folders: Vec::new(),
                    afters: Vec::new(),
                    begun: sequence,
                    done: None,
                    installed: BTreeSet::new(),
                });
                // The first change may have touched less than a later one: of what it left alone, this is the first.
                if story.first.place.is_none() {
                    story.first.place = before.place;
                }
                match (&mut story.first.more, before.more) {
                    (first @ None, more) => *first = more,
                    (Some(More::Line { words: ours }), Some(More::Line { words: more }))
                    | (Some(More::Tools { tools: ours, .. }), Some(More::Tools { tools: more, .. })) => {
                        ours.extend(more);
                        ours.sort();
                        ours.dedup();
                    }
                    _ => {}
                }
                story.folders.extend(folders);
                story.folders.sort();
                story.folders.dedup();
                story.begun = sequence;
                story.afters.extend(intended);
            }
            Step::Done { after } => {
                if let Some(story) = self.stories.get_mut(&resource) {
                    story.done = Some(sequence);
                    story.installed.extend(after.installed.iter().cloned());
                    if story.afters.last() != Some(&after) {
                        story.afters.push(after);
                    }
                }
            }
            Step::Failed { .. } => {}
            Step::Undone => drop(self.stories.remove(&resource)),
        }
    }

    /// A resource's past; none if it was never touched.
    #[must_use]
    pub fn of(&self, id: &ResourceId) -> Option<&Story> {
        self.stories.get(id)
    }
    /// Everything that was touched, the last first.
    #[must_use]
    pub fn backwards(&self) -> Vec<(&ResourceId, &Story)> {
        let mut all: Vec<_> = self.stories.iter().collect();
        all.sort_by_key(|(_, story)| std::cmp::Reverse(story.since));
        all
    }
    /// The last run that made changes from a bundle.
    #[must_use]
    pub const fn last_join(&self) -> Option<&Run> {
        self.last_join.as_ref()
    }
    /// Whether nothing is to be given back.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stories.is_empty()
    }
    /// Folders above the state folder that were made for it, outermost first.
    #[must_use]
    pub fn folders(&self) -> &[AbsPath] {
        self.header.as_ref().map_or(&[], |header| &header.folders)
    }
    /// What the unit `unit` runs on that changed, or may have, after we last finished with the unit.
    #[must_use]
    pub fn outdated(&self, unit: &Resource) -> BTreeSet<ResourceId> {
        let Want::Unit { restart_on, .. } = &unit.want else { return BTreeSet::new() };
        let done = self.of(&unit.id).and_then(|story| story.done);
        let later =
            |id: &&ResourceId| self.of(id).is_some_and(|story| done.is_none_or(|done| story.begun > done));
        restart_on.iter().filter(later).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::PlaceBefore;
    use super::*;
    use crate::root::Ownership;

    fn record(sequence: u64, id: &str, step: Step) -> Record {
        let run = Run { id: "1-1".to_owned(), tool: "0".to_owned(), bundle: None };
        let resource: ResourceId = serde_json::from_value(id.into()).unwrap();
        Record { sequence, run, resource, step }
    }
    fn begin(path: &str, state: State, folders: &[&str]) -> Step {
        let folders = folders.iter().map(|folder| folder.parse().unwrap()).collect();
        let place = PlaceBefore { path: path.parse().unwrap(), state, folders };
        Step::Begin { before: Before { place: Some(place), more: None }, intended: None }
    }
    fn text(records: &[Record]) -> Vec<u8> {
        let mut text = b"{\"format\":1}\n".to_vec();
        for record in records {
            text.extend(serde_json::to_vec(record).unwrap());
            text.push(b'\n');
        }
        text
    }

    #[test]
    fn the_first_before_is_kept_and_undone_forgets() {
        let link = State::Link { target: "x".to_owned() };
        let done = Step::Done { after: After::default() };
        let records = [
            record(1, "file:/a/b/c", begin("/a/b/c", State::Absent, &["/a", "/a/b"])),
            record(2, "file:/a/b/c", begin("/a/b/c", link, &["/a/b"])),
            record(3, "file:/a/b/c", done),
            record(4, "file:/d", begin("/d", State::Absent, &[])),
            record(5, "file:/d", Step::Undone),
        ];
        let history = History::parse(&text(&records)).unwrap();
        let [(id, story)] = history.backwards()[..] else { panic!() };
        assert_eq!((id.as_str(), story.since, story.begun, story.done), ("file:/a/b/c", 1, 2, Some(3)));
        assert_eq!(story.first.place.as_ref().unwrap().state, State::Absent);
        assert_eq!(story.folders.iter().map(AbsPath::as_str).collect::<Vec<_>>(), ["/a", "/a/b"]);
        assert!(!story.is_open());
        assert_eq!(history.next, 6);
    }

    #[test]
    fn what_nobody_knew_beforehand_is_ours_until_it_is_done() {
        let file =
            |digest| State::File { ownership: Ownership::private(0o600), size: 0, digest, saved: None };
        let Step::Begin { before, .. } = begin("/a", State::Absent, &[]) else { panic!() };
        let intended = Some(After { state: Some(file(None)), ..After::default() });
        let begun = record(1, "file:/a", Step::Begin { before, intended });
        let (made, other) = (Digest::sha256_of(b"made"), Digest::sha256_of(b"other"));
        let after = After { state: Some(file(Some(made.clone()))), ..After::default() };
        let done = record(2, "file:/a", Step::Done { after });
        let of = |records: &[Record]| {
            let history = History::parse(&text(records)).unwrap();
            let story = history.backwards()[0].1;
            (story.made(&made), story.made(&other))
        };
        assert_eq!(of(std::slice::from_ref(&begun)), (true, true));
        assert_eq!(of(&[begun, done]), (true, false));
    }

    #[test]
    fn a_torn_end_is_cut_and_damage_before_it_is_an_error() {
        let records = [
            record(1, "file:/a", begin("/a", State::Absent, &[])),
            record(2, "file:/a", Step::Done { after: After::default() }),
        ];
        let whole = text(&records);
        let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
        let last = whole.len() - lines[2].len();
        for end in last..whole.len() {
            let history = History::parse(&whole[..end]).unwrap();
            assert_eq!((history.next, history.whole), (2, last as u64), "cut at {end}");
            assert!(history.backwards()[0].1.is_open());
        }
        let zeroes = [&whole[..last], &[0; 40], b"\n"].concat();
        assert_eq!(History::parse(&zeroes).unwrap().whole, last as u64);
        let damaged = [lines[0], b"{}\n", lines[2]].concat();
        assert!(History::parse(&damaged).unwrap_err().to_string().starts_with("line 2 of"));
        assert!(History::parse(b"{\"format\":7}\n").unwrap_err().to_string().contains("format 7"));
    }
}
