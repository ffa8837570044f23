//! How each node ended, and the closing table.
//!
//! In: outcomes. Out: an aligned table with the reasons and fixes below it, or JSON; and whether all are converged.

use crate::exit::Code;
use crate::table;
use desired::{Arch, NodeName};
use serde_json::{Value, json};
use std::time::Duration;

/// Why a node is not what it should be, and what to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What went wrong, as a clause.
    pub why: String,
    /// What to try.
    pub fix: String,
}

impl Trouble {
    /// Both as they are said.
    pub fn new(why: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { why: why.into(), fix: fix.into() }
    }
}

impl From<host::ssh::SshError> for Trouble {
    fn from(error: host::ssh::SshError) -> Self {
        Self { why: error.sentence(), fix: error.fix() }
    }
}

/// How a node ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is as its profile wants it, and the cluster calls it Ready.
    Converged,
    /// It is not, or not known to be.
    Failed(Trouble),
    /// It waits for somebody who failed.
    NotTried {
        /// Why, as a clause.
        why: String,
    },
}

/// One node's end.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Which node.
    pub node: NodeName,
    /// For which architecture its bundle is.
    pub arch: Arch,
    /// How.
    pub outcome: Outcome,
    /// How many changes were made.
    pub changes: usize,
    /// Bytes of the bundle that were sent.
    pub sent: u64,
    /// How long it took.
    pub duration: Duration,
}

impl Ended {
    const fn is_converged(&self) -> bool {
        matches!(self.outcome, Outcome::Converged)
    }
    fn word(&self) -> &'static str {
        match (&self.outcome, self.changes) {
            (Outcome::Converged, 0) => "nothing to do",
            (Outcome::Converged, _) => "converged",
            (Outcome::Failed(_), _) => "FAILED",
            (Outcome::NotTried { .. }, _) => "not tried",
        }
    }
}

/// 0 only if every node is converged.
pub fn code(ended: &[Ended]) -> Code {
    if ended.iter().all(Ended::is_converged) { Code::Done } else { Code::Unexpected }
}

/// The closing table, and below it what went wrong.
pub fn text(ended: &[Ended]) -> String {
    let row = |one: &Ended| {
        let seconds = format!("{:.1}", one.duration.as_secs_f64());
        [one.node.to_string(), one.arch.to_string(), one.word().to_owned(), one.changes.to_string(), seconds]
    };
    let rows: Vec<_> = ended.iter().map(row).collect();
    let mut text = table::aligned(["node", "arch", "result", "changes", "seconds"], &rows);
    for one in ended {
        match &one.outcome {
            Outcome::Failed(Trouble { why, fix }) => {
                text.push_str(&format!("\n{}: {why}\n  fix: {fix}\n", one.node));
            }
            Outcome::NotTried { why } => text.push_str(&format!("\n{}: not tried, {why}\n", one.node)),
            Outcome::Converged => {}
        }
    }
    let good = ended.iter().filter(|one| one.is_converged()).count();
    text.push_str(&format!("\n{good} of {} converged\n", ended.len()));
    text
}

/// The same for programs.
pub fn json(cluster: &str, ended: &[Ended]) -> Value {
    let nodes: Vec<Value> = ended
        .iter()
        .map(|one| {
            let (why, fix) = match &one.outcome {
                Outcome::Failed(Trouble { why, fix }) => (Some(why), Some(fix)),
                Outcome::NotTried { why } => (Some(why), None),
                Outcome::Converged => (None, None),
            };
            json!({
                "node": one.node, "arch": one.arch, "result": one.word().replace(' ', "-").to_ascii_lowercase(),
                "changes": one.changes, "sent-bytes": one.sent, "why": why, "fix": fix,
                "millis": u64::try_from(one.duration.as_millis()).unwrap_or(u64::MAX),
            })
        })
        .collect();
    json!({ "format": 1, "cluster": cluster, "nodes": nodes, "converged": ended.iter().all(Ended::is_converged) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_tells_who_is_not_converged_why_and_what_to_try() {
        let one = |node: &str, outcome, changes| Ended {
            node: node.parse().unwrap(),
            arch: Arch::Arm64,
            outcome,
            changes,
            sent: 0,
            duration: Duration::from_millis(61_240),
        };
        let ended = [
            one("a", Outcome::Converged, 0),
            one("b", Outcome::Converged, 12),
            one("c", Outcome::Failed(Trouble::new("it does not answer", "is it on?")), 0),
            one("d", Outcome::NotTried { why: "server c failed".to_owned() }, 0),
        ];
        let text = text(&ended);
        for part in
            ["nothing to do", "converged", "FAILED", "61.2", "c: it does not answer\n  fix: is it on?"]
        {
            assert!(text.contains(part), "{part}:\n{text}");
        }
        assert!(
            text.contains("d: not tried, server c failed") && text.ends_with("2 of 4 converged\n"),
            "{text}"
        );
        assert_eq!((code(&ended), code(&ended[..2])), (Code::Unexpected, Code::Done));
        let json = json("lab", &ended);
        assert!(json["converged"] == false && json["nodes"][3]["result"] == "not-tried", "{json:#}");
    }
}
