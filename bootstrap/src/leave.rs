//! `bootstrap leave`: gives back what the journal says was there before, the last change first.

use std::path::PathBuf;

use clap::Args;
use host::journal::FOLDER;
use host::perform::{self, PerformError, Undone};
use host::report::{Report, Style};
use serde_json::{Value, json};

use crate::exit::{Code, Outcome, answer};
use crate::{ask, place};

/// Arguments of `leave`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The folder that holds the node's file system; the system around a container is entered
    #[arg(long, default_value = "/")]
    root: PathBuf,
    /// Give back without asking
    #[arg(long)]
    yes: bool,
    /// Also what somebody else has changed since
    #[arg(long)]
    force: bool,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
}

/// Leaves.
pub fn run(arguments: &Arguments) -> Outcome {
    let (root, _) = place::open(&arguments.root, None)?;
    if !matches!(root.see(FOLDER), Ok(Some(_))) {
        answer(if arguments.json {
            "{\n  \"format\": 1,\n  \"results\": [],\n  \"as-it-was\": true\n}\n"
        } else {
            "nothing to give back: there is no journal, so nothing was ever changed\n"
        })?;
        return Ok(Code::Done);
    }
    let count = place::history(&root)?.backwards().len();
    if !arguments.yes {
        ask::confirm(&format!("give back {count} changes?"))?;
    }
    let report = Report::new(if arguments.json { Style::Quiet } else { Style::Plain });
    let journal = place::begin(&root, "leave", None, &report)?;
    let (mut results, mut kept, mut failed) = (Vec::new(), 0, 0);
    let is_gone = perform::leave(&root, journal, arguments.force, &report, |id, undone| {
        let (word, why) = told(undone);
        match undone {
            Ok(Undone::Kept { .. }) => kept += 1,
            Err(_) => failed += 1,
            Ok(_) => {}
        }
        let because = why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
        report.say(format!("{word:<9} {id}{because}"));
        results.push(json!({ "id": id, "outcome": word.to_ascii_lowercase(), "why": why }));
    })
    .map_err(place::journal)?;
    place::go_on()?;
    if arguments.json {
        let value: Value = json!({ "format": 1, "results": results, "as-it-was": is_gone });
        answer(&format!("{value:#}\n"))?;
    } else if is_gone {
        answer(&format!("{count} changes given back, the journal is gone\n"))?;
    } else {
        answer(&format!("{kept} kept, {failed} failed; the journal stays at {FOLDER}, run `leave` again\n"))?;
    }
    Ok(match (failed, kept) {
        (0, 0) => Code::Done,
        (0, _) => Code::Refused,
        _ => Code::Unexpected,
    })
}

fn told(undone: &Result<Undone, PerformError>) -> (&'static str, Option<String>) {
    match undone {
        Ok(Undone::Restored) => ("restored", None),
        Ok(Undone::Unchanged) => ("unchanged", None),
        Ok(Undone::Partly { why }) => ("partly", Some(why.clone())),
        Ok(Undone::Kept { why }) => ("kept", Some(why.clone())),
        Err(error) => ("FAILED", Some(error.sentence())),
    }
}
