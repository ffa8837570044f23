//! When what started at a boot, and what each waited for.
//!
//! In: what the machine's systemd says of its units. Out: [`Timeline`], each unit with the one it waited for: of those it is
//! ordered behind, the last that was ready before it began. `systemd-analyze` has nothing to say while anything is still at work,
//! which may be for ever where a server is away.

use anyhow::ensure;
use serde::Serialize;
use std::collections::BTreeMap;

/// Asks a machine for all of it, a paragraph a unit (org.freedesktop.systemd1(5) on the times).
pub const ASK: &str = "systemctl show --all -p Id,After,InactiveExitTimestampMonotonic,ActiveEnterTimestampMonotonic,\
InactiveEnterTimestampMonotonic '*'";
/// A unit at a boot; times in microseconds from the kernel's start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unit {
    /// Its name.
    pub name: String,
    /// When it began to start.
    pub from: u64,
    /// When it was ready; a service of the kind `oneshot` is when it has ended.
    pub ready: u64,
    /// What it waited for last, if anything.
    pub waited_for: Option<String>,
}

/// What started at a boot, by its beginning.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Timeline {
    /// The units.
    pub units: Vec<Unit>,
}

/// A unit as its paragraph tells of it.
struct Shown<'a> {
    name: &'a str,
    after: Vec<&'a str>,
    from: u64,
    ready: u64,
}

impl Timeline {
    /// Reads what [`ASK`] printed.
    ///
    /// # Errors
    /// If no unit is in it.
    pub fn read(answer: &str) -> anyhow::Result<Self> {
        let shown: BTreeMap<&str, Shown<'_>> =
            answer.split("\n\n").filter_map(Shown::read).map(|unit| (unit.name, unit)).collect();
        ensure!(!shown.is_empty(), "no unit has started: {answer}");
        let one = |unit: &Shown<'_>| {
            let before = unit.after.iter().filter_map(|name| shown.get(name));
            let last = before.filter(|one| one.ready <= unit.from).max_by_key(|one| (one.ready, one.name));
            let waited_for = last.map(|one| one.name.to_owned());
            Unit { name: unit.name.to_owned(), from: unit.from, ready: unit.ready, waited_for }
        };
        let mut units: Vec<Unit> = shown.values().map(one).collect();
        units.sort_by(|one, other| (one.from, &one.name).cmp(&(other.from, &other.name)));
        Ok(Self { units })
    }
}

impl<'a> Shown<'a> {
    /// Nothing of a unit that has never started, or is not ready yet.
    fn read(paragraph: &'a str) -> Option<Self> {
        let value = |key: &str| paragraph.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        let time = |key: &str| value(key)?.parse::<u64>().ok();
        let from = time("InactiveExitTimestampMonotonic").filter(|time| *time > 0)?;
        let ended = ["ActiveEnterTimestampMonotonic", "InactiveEnterTimestampMonotonic"];
        let ready = ended.into_iter().filter_map(time).find(|time| *time >= from)?;
        Some(Self { name: value("Id")?, after: value("After")?.split_whitespace().collect(), from, ready })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paragraph(id: &str, after: &str, from: u64, active: u64, over: u64) -> String {
        format!(
            "Id={id}\nAfter={after}\nInactiveExitTimestampMonotonic={from}\n\
             ActiveEnterTimestampMonotonic={active}\nInactiveEnterTimestampMonotonic={over}"
        )
    }

    #[test]
    fn each_waits_for_the_last_that_was_ready_before_it() {
        let answer = [
            paragraph(
                "b.service",
                "late.service a.service quick.service never.service",
                3_100_000,
                0,
                4_000_000,
            ),
            paragraph("quick.service", "a.service", 3_000_000, 3_000_001, 0),
            paragraph("a.service", "", 1_000_000, 3_000_000, 0),
            paragraph("end.target", "b.service", 4_000_100, 4_000_100, 0),
            paragraph("never.service", "", 0, 0, 0),
            // Its last try is still at work.
            paragraph("waits.service", "a.service", 3_200_000, 0, 3_150_000),
        ];
        let timeline = Timeline::read(&answer.join("\n\n")).unwrap();
        let waited: Vec<_> = timeline
            .units
            .iter()
            .map(|unit| (unit.name.as_str(), unit.ready, unit.waited_for.as_deref()))
            .collect();
        let expected = [
            ("a.service", 3_000_000, None),
            ("quick.service", 3_000_001, Some("a.service")),
            ("b.service", 4_000_000, Some("quick.service")),
            ("end.target", 4_000_100, Some("b.service")),
        ];
        assert_eq!(waited, expected);
        let told = |text: &str| timeline.units.iter().any(|unit| unit.name == text);
        assert!(!told("never.service") && !told("waits.service"));
        assert!(Timeline::read("none").is_err());
    }
}
