//! `bootstrap doctor`: every check of join with its evidence and fix, and why k3s did not join, from its journal.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use desired::NodeName;
use desired::diagnosis::{Diagnosis, diagnose};
use desired::preflight::{Mark, Needs, Verdict, judge};
use host::preflight::collect;
use host::process::Invocation;
use host::root::Root;
use serde_json::json;

use crate::exit::{Code, Failure, Outcome, answer};
use crate::place;
use crate::target::Target;

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    target: Target,
    /// What k3s said, as a file [default: what the journal of the running system has of it]
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
}

/// Checks.
pub fn run(arguments: &Arguments) -> Outcome {
    let (root, bundle) = arguments.target.open()?;
    let (whose, needs) = needs(&arguments.target, &bundle, &root)?;
    let verdicts = judge(&needs, &collect(&root, &needs, &place::history(&root)?));
    let said = match &arguments.journal {
        Some(file) => Some(read(file)?),
        None => spoken(&root),
    };
    let diagnosis = said.as_deref().and_then(|said| diagnose(said.lines()));
    if arguments.json {
        let value = json!({ "format": 1, "node": whose, "checks": verdicts, "diagnosis": diagnosis });
        answer(&format!("{value:#}\n"))?;
    } else {
        let head = whose.as_ref().map_or_else(
            || {
                "no bundle here, so only what holds for every node is checked; name one with --bundle\n"
                    .to_owned()
            },
            |node| format!("node {node}\n"),
        );
        answer(&format!("{head}{}{}", table(&verdicts), told(diagnosis.as_ref())))?;
    }
    let is_refused = verdicts.iter().any(|verdict| verdict.mark == Mark::Refuse) || diagnosis.is_some();
    Ok(if is_refused { Code::Missing } else { Code::Done })
}

/// Which node, and what its resources need; without a bundle what every node does.
fn needs(target: &Target, bundle: &Path, root: &Root) -> Result<(Option<NodeName>, Needs), Failure> {
    let subject = match target.subject(bundle, root) {
        Ok(subject) => subject,
        // A doctor for machines without one: only a bundle that was named must be there.
        Err(failure) if target.names_nothing() && failure.code == Code::Missing => {
            return Ok((None, Needs::default()));
        }
        Err(failure) => return Err(failure),
    };
    let needs = Needs::of(Some(subject.arch), &subject.resources);
    Ok((Some(subject.node), needs))
}

fn read(file: &PathBuf) -> Result<String, Failure> {
    let bytes = std::fs::read(file).with_context(|| format!("read the journal {}", file.display()));
    let bytes = bytes.map_err(|error| Failure::new(Code::Missing, error))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What k3s said last on the running system, unless it runs well: its unit is `active` only once the node has joined.
fn spoken(root: &Root) -> Option<String> {
    let names = ["k3s.service", "k3s-agent.service"].into_iter().filter_map(|name| name.parse().ok());
    let states = host::health::units(root, &names.collect::<Vec<_>>());
    if !root.is_live() || states.values().any(|state| state == "active") {
        return None;
    }
    let call = Invocation::new("journalctl").args(["--unit=k3s", "--unit=k3s-agent", "--lines=400"]);
    call.args(["--output=cat", "--no-pager", "--quiet"]).run().ok().map(|output| output.text())
}

/// A line a check, and one for its fix.
fn table(verdicts: &[Verdict]) -> String {
    let width = verdicts.iter().map(|verdict| verdict.check.name().len()).max().unwrap_or(0);
    let mut text = String::new();
    for verdict in verdicts {
        let reason = verdict.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
        let field = if verdict.mark == Mark::Ok { String::new() } else { format!(" [{}]", verdict.field) };
        let (mark, name) = (verdict.mark.word(), verdict.check.name());
        text.push_str(&format!("{mark:<7}  {name:<width$}  {}{reason}{field}\n", verdict.evidence));
        if let Some(fix) = &verdict.fix {
            text.push_str(&format!("{:<7}  {:<width$}  fix: {fix}\n", "", ""));
        }
    }
    let count = |mark| verdicts.iter().filter(|verdict| verdict.mark == mark).count();
    let (ok, warnings) = (count(Mark::Ok), count(Mark::Warning));
    let (refused, unknown) = (count(Mark::Refuse), count(Mark::Unknown));
    text.push_str(&format!("{ok} ok, {warnings} warnings, {refused} refused, {unknown} unknown\n"));
    text
}

fn told(diagnosis: Option<&Diagnosis>) -> String {
    let Some(Diagnosis { field, reason, fix, line, .. }) = diagnosis else { return String::new() };
    format!("\nk3s did not join: {reason} [{field}]\n  fix: {fix}\n  it said: {line}\n")
}
