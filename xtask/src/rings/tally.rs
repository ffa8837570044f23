//! What came of one ring, and the closing table of all.

use super::Ring;
use crate::table::aligned;
use serde::Serialize;
use std::collections::BTreeMap;

/// One test that did not pass.
#[derive(Debug, Clone, Serialize)]
pub struct Note {
    /// The test.
    pub name: String,
    /// What it said, or what it lacks.
    pub why: String,
}

/// What came of one ring.
#[derive(Debug, Clone, Serialize)]
pub struct Tally {
    /// The ring's name.
    pub ring: &'static str,
    /// How many held.
    pub passed: usize,
    /// Those that did not.
    pub failed: Vec<Note>,
    /// Those that could not run.
    pub skipped: Vec<Note>,
    /// Wall time, building included.
    pub seconds: f64,
}

impl Tally {
    /// A ring in which nothing has run yet.
    pub fn new(ring: Ring) -> Self {
        Self { ring: ring.name(), passed: 0, failed: Vec::new(), skipped: Vec::new(), seconds: 0.0 }
    }

    /// A test could not run.
    pub fn skip(&mut self, name: &str, why: impl Into<String>) {
        self.skipped.push(Note { name: name.to_owned(), why: why.into() });
    }

    /// Something went wrong that is no test of its own.
    pub fn fail(&mut self, name: &str, why: impl Into<String>) {
        self.failed.push(Note { name: name.to_owned(), why: why.into() });
    }

    fn row(&self) -> [String; 6] {
        [
            self.ring.to_owned(),
            self.passed.to_string(),
            self.failed.len().to_string(),
            self.skipped.len().to_string(),
            format!("{:.1}", self.seconds),
            self.why(),
        ]
    }

    /// The skips by reason, most frequent first, shortened to fit a line.
    fn why(&self) -> String {
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for note in &self.skipped {
            *reasons.entry(note.why.split("; cure:").next().unwrap_or_default()).or_default() += 1;
        }
        let mut reasons: Vec<(&str, usize)> = reasons.into_iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let all =
            reasons.iter().map(|(why, count)| format!("{count} × {why}")).collect::<Vec<_>>().join("; ");
        if all.chars().count() > 80 { all.chars().take(79).chain(['…']).collect() } else { all }
    }
}

/// Every note in full, the table, and the line that other programs read.
pub fn closing(tallies: &[Tally]) -> String {
    let mut text = String::new();
    for tally in tallies {
        let notes = tally.failed.iter().map(|note| ("failed", note));
        for (how, note) in notes.chain(tally.skipped.iter().map(|note| ("skipped", note))) {
            text += &format!("{how} {}: {}\n", note.name, note.why.trim_end().replace('\n', "\n    "));
        }
    }
    if !text.is_empty() {
        text.push('\n');
    }
    let rows: Vec<[String; 6]> = tallies.iter().map(Tally::row).collect();
    text += &aligned(["ring", "passed", "failed", "skipped", "seconds", "why"], &rows);
    text + "\n" + &last_line(tallies) + "\n"
}

/// `N passed, N failed, N skipped`, in the words that stay the same for ever.
pub fn last_line(tallies: &[Tally]) -> String {
    let sum = |count: fn(&Tally) -> usize| tallies.iter().map(count).sum::<usize>();
    let passed = sum(|tally| tally.passed);
    let failed = sum(|tally| tally.failed.len());
    let skipped = sum(|tally| tally.skipped.len());
    format!("{passed} passed, {failed} failed, {skipped} skipped")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_counts_and_the_last_line_stands_alone() {
        let mut unit = Tally { passed: 12, ..Tally::new(Ring::Unit) };
        unit.fail("a::b", "left: 1\nright: 2");
        let mut container = Tally::new(Ring::Container);
        container.skip("container", "no root; cure: sudo x");
        let text = closing(&[unit, container]);
        assert!(text.contains("failed a::b: left: 1\n    right: 2\n"), "{text}");
        assert!(text.contains("skipped container: no root; cure: sudo x\n"), "{text}");
        assert!(text.contains("1 × no root\n"), "{text}");
        assert_eq!(text.lines().last(), Some("12 passed, 1 failed, 1 skipped"));
    }
}
