//! `test`: every ring this machine can run, then a table, then one line that CI reads.

use crate::common::Common;
use crate::exit::{Code, Failure, Outcome};
use crate::repository;
use crate::rings::{self, Ring, Settings, Tally};
use anyhow::Context as _;
use clap::Args;
use std::io::Write as _;

/// Arguments of `test`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Rings to run; all if none is named
    #[arg(value_enum)]
    rings: Vec<Ring>,
    /// Rings in which a skip is a failure
    #[arg(long, value_enum, value_delimiter = ',', value_name = "RING")]
    require: Vec<Ring>,
    /// Also the big matrices: kills, fuzzing, every combination
    #[arg(long)]
    long: bool,
}

/// Runs the rings from the cheapest on; a failure in one does not keep the next from running.
pub fn run(common: &Common, arguments: &Arguments) -> Outcome {
    let settings = Settings {
        root: repository::root()?,
        long: arguments.long,
        offline: common.offline,
        only: "",
        rehearsals: None,
    };
    let rings = chosen(&arguments.rings, &arguments.require);
    let tallies: Vec<Tally> = rings.iter().map(|&ring| rings::run(ring, &settings)).collect();
    let answer = if common.json { as_json(&tallies)? } else { rings::closing(&tallies) };
    anstream::stdout().lock().write_all(answer.as_bytes()).context("write the answer")?;
    let lacking: Vec<&str> =
        tallies.iter().filter(|tally| is_bad(tally, &arguments.require)).map(|tally| tally.ring).collect();
    if lacking.is_empty() {
        return Ok(Code::Done);
    }
    Err(Failure::new(
        Code::ProblemsFound,
        format!("tests of these rings did not hold: {}", lacking.join(", ")),
    ))
}

/// The named rings, or all, and those that are required, in order and each once.
fn chosen(named: &[Ring], required: &[Ring]) -> Vec<Ring> {
    let is_chosen = |ring: &Ring| named.is_empty() || named.contains(ring) || required.contains(ring);
    Ring::ALL.into_iter().filter(is_chosen).collect()
}

fn is_bad(tally: &Tally, required: &[Ring]) -> bool {
    let is_required = required.iter().any(|ring| ring.name() == tally.ring);
    !tally.failed.is_empty() || (is_required && !tally.skipped.is_empty())
}

fn as_json(tallies: &[Tally]) -> anyhow::Result<String> {
    let answer = serde_json::json!({ "version": 1, "rings": tallies, "summary": rings::last_line(tallies) });
    Ok(serde_json::to_string_pretty(&answer)? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_fails_only_where_it_is_required() {
        let mut skipped = Tally::new(Ring::Container);
        skipped.skip("container::x", "no root");
        assert!(!is_bad(&skipped, &[Ring::Static]));
        assert!(is_bad(&skipped, &[Ring::Container]));
        let mut failed = Tally::new(Ring::Unit);
        failed.fail("x", "y");
        assert!(is_bad(&failed, &[]));
    }

    #[test]
    fn rings_run_in_order_and_once() {
        assert_eq!(chosen(&[], &[]), Ring::ALL);
        assert_eq!(chosen(&[Ring::Static, Ring::Unit], &[]), [Ring::Unit, Ring::Static]);
        assert_eq!(chosen(&[Ring::Unit], &[Ring::Vm, Ring::Unit]), [Ring::Unit, Ring::Vm]);
    }
}
