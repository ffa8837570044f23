//! What a trial wrote down of a card that booted before it left the desk: the contract with `tests/vm/rehearsal`.
//!
//! In: a folder of JSON files, one a card. Out: [`Rehearsal`]s in the order of their names, each with what was looked at and a
//! [`Timeline`] of each boot.

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What is shorter took no time worth a look, in microseconds.
const SHORT: u64 = 200_000;

/// A card, booted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rehearsal {
    /// The node.
    pub node: String,
    /// The architecture of its machine.
    pub arch: desired::Arch,
    /// Every look.
    pub looks: Vec<Look>,
    /// Of each boot, what took how long.
    pub boots: Vec<Timeline>,
}

/// How one look ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// Which boot it was, from 1.
    pub boot: u32,
    /// What holds.
    pub what: String,
    /// Why it does not.
    pub why: Option<String>,
    /// How long it took, in milliseconds.
    pub milliseconds: u64,
}

/// What started at a boot, by its beginning.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// The units.
    pub units: Vec<Unit>,
}

/// A unit at a boot; times in microseconds from the kernel's start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

/// A file of that folder.
#[derive(Debug, Deserialize)]
struct Record {
    version: u32,
    rehearsal: Rehearsal,
}

/// Reads what is in a folder.
///
/// # Errors
/// If a file is something else.
pub fn read(folder: &Path) -> anyhow::Result<Vec<Rehearsal>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    paths.sort();
    let one = |path: &std::path::PathBuf| {
        let text = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
        let Record { version, rehearsal } =
            serde_json::from_slice(&text).with_context(|| format!("read {}", path.display()))?;
        ensure!(version == 1, "{}: version {version} is not known here", path.display());
        Ok(rehearsal)
    };
    paths.iter().map(one).collect()
}

impl Rehearsal {
    /// Whether everything held.
    pub fn held(&self) -> bool {
        self.looks.iter().all(|look| look.why.is_none())
    }
}

impl Timeline {
    /// The units that took time.
    pub fn long(&self) -> impl Iterator<Item = &Unit> {
        self.units.iter().filter(|unit| unit.ready - unit.from >= SHORT)
    }

    /// The chain that led to a unit: it, what it waited for, what that waited for, and so on.
    pub fn chain(&self, name: &str) -> Vec<&Unit> {
        let mut chain: Vec<&Unit> = Vec::new();
        let mut next = Some(name);
        while let Some(unit) = next.and_then(|name| self.units.iter().find(|unit| unit.name == name)) {
            if chain.iter().any(|earlier| earlier.name == unit.name) {
                break;
            }
            chain.push(unit);
            next = unit.waited_for.as_deref();
        }
        chain
    }
}

#[cfg(test)]
impl Unit {
    pub(super) fn new(name: &str, from: u64, ready: u64, waited_for: Option<&str>) -> Self {
        Self { name: name.to_owned(), from, ready, waited_for: waited_for.map(str::to_owned) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_goes_back_to_who_waited_for_nothing() {
        let units = vec![
            Unit::new("a.service", 1_000_000, 3_000_000, None),
            Unit::new("quick.service", 3_000_000, 3_000_001, Some("a.service")),
            Unit::new("b.service", 3_100_000, 4_000_000, Some("quick.service")),
            Unit::new("end.target", 4_000_100, 4_000_100, Some("b.service")),
        ];
        let timeline = Timeline { units };
        let long: Vec<_> = timeline.long().map(|unit| unit.name.as_str()).collect();
        assert_eq!(long, ["a.service", "b.service"]);
        let chain: Vec<_> = timeline.chain("end.target").iter().map(|unit| unit.name.as_str()).collect();
        assert_eq!(chain, ["end.target", "b.service", "quick.service", "a.service"]);
    }

    #[test]
    fn what_is_no_record_is_told_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let record = |version: u32| {
            format!(
                "{{\"version\":{version},\"rehearsal\":{{\"node\":\"card\",\"arch\":\"amd64\",\"looks\":[],\"boots\":[]}}}}"
            )
        };
        std::fs::write(folder.path().join("card.json"), record(1)).unwrap();
        assert_eq!(read(folder.path()).unwrap()[0].node, "card");
        std::fs::write(folder.path().join("later.json"), record(2)).unwrap();
        assert!(format!("{:#}", read(folder.path()).unwrap_err()).contains("later.json: version 2"));
    }
}
