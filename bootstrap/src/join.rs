//! `bootstrap join`: verify, say which node this is, check, plan, ask, perform, and plan again, which must be empty.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use anyhow::anyhow;
use clap::Args;

use desired::change::Change;
use desired::order::needs;
use desired::plan::Plan;
use desired::resource::{Resource, ResourceId};
use host::bundle::Bundle;
use host::perform::{Outcome as Made, Performer};
use host::report::{Report, Style};
use host::root::Root;
use host::verified::Verified;
use serde_json::{Value, json};

use crate::exit::{Code, Failure, Outcome, answer};
use crate::place::Subject;
use crate::target::Target;
use crate::{ask, place, preflight};

/// Arguments of `join`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Change without asking
    #[arg(long)]
    yes: bool,
    /// Only these resources and what they need, by the names that `plan` shows
    #[arg(long, value_name = "RESOURCE", num_args = 1..)]
    only: Vec<String>,
    /// Take secrets from standard input: one JSON object, from reference (`env:NAME`, `file:/path`) to value
    #[arg(long)]
    secrets_stdin: bool,
    /// Answer as JSON; what is done is still told on standard error
    #[arg(long)]
    json: bool,
}

/// Joins.
pub fn run(arguments: &Arguments) -> Outcome {
    let (root, bundle) = arguments.target.open()?;
    let (bundle, subject) = arguments.target.bundle(&bundle, &root)?;
    let Subject { cluster, node, why, .. } = &subject;
    preflight::rights(&root)?;
    if arguments.secrets_stdin {
        host::secret::hand_over_from_stdin().map_err(|why| Failure::new(Code::Usage, anyhow!(why)))?;
    }
    let resources = selected(&subject.resources, &arguments.only)?;
    let history = place::history(&root)?;
    let plan = place::plan(&root, &subject, &resources, &history)?;
    if !arguments.json {
        answer(&format!("node {node} of cluster {cluster}, {why}\n{}", plan.to_text()))?;
    }
    let report = Report::new(Style::Plain);
    let (bundle, made) = (&bundle, Vec::new());
    let mut run = Run { bundle, root: &root, subject: &subject, resources: &resources, report, made };
    let remaining = if plan.is_empty() {
        plan.clone()
    } else {
        for warning in preflight::run(&root, bundle.manifest.arch, &resources, &history)? {
            run.report.say(format!("warning: {warning}"));
        }
        if !arguments.yes {
            ask::confirm(&format!("make these changes on {node}?"))?;
        }
        run.perform()?
    };
    if arguments.json {
        run.answer(&plan, &remaining)?;
    } else {
        let verdict = match (remaining.is_empty(), arguments.only.is_empty()) {
            (false, _) => format!("not converged, this remains:\n{}", remaining.to_text()),
            // What is left to others is worth saying once more after changes; without any it was just said.
            (true, true) if run.made.is_empty() => format!("converged: {node} is as desired\n"),
            (true, true) => format!("{}converged: {node} is as desired\n", remaining.to_text()),
            (true, false) => "converged, as far as --only goes\n".to_owned(),
        };
        answer(&verdict)?;
    }
    let is_done = remaining.is_empty() && run.made.iter().all(|made| made.is_done);
    Ok(if is_done { Code::Done } else { Code::Unexpected })
}

/// All resources, or those named with everything they need.
fn selected(all: &[Resource], only: &[String]) -> Result<Vec<Resource>, Failure> {
    if only.is_empty() {
        return Ok(all.to_vec());
    }
    let needs = needs(all).map_err(|error| Failure::new(Code::VerificationFailed, error))?;
    let by_name: BTreeMap<&str, &ResourceId> =
        all.iter().map(|resource| (resource.id.as_str(), &resource.id)).collect();
    let (mut wanted, mut waiting) = (BTreeSet::new(), Vec::new());
    for name in only {
        let unknown = || {
            anyhow!("this node has no resource `{}`; `bootstrap plan` shows their names", name.escape_debug())
        };
        waiting.push(*by_name.get(name.as_str()).ok_or_else(|| Failure::new(Code::Usage, unknown()))?);
    }
    while let Some(id) = waiting.pop() {
        if wanted.insert(id) {
            waiting.extend(needs.get(id).into_iter().flatten());
        }
    }
    Ok(all.iter().filter(|resource| wanted.contains(&resource.id)).cloned().collect())
}

/// One run of changes.
struct Run<'a> {
    bundle: &'a Verified<Bundle>,
    root: &'a Root,
    subject: &'a Subject,
    resources: &'a [Resource],
    report: Report,
    made: Vec<Ended>,
}

/// How one change ended, for the answer.
struct Ended {
    id: ResourceId,
    outcome: &'static str,
    why: Option<String>,
    millis: u128,
    is_done: bool,
}

impl Run<'_> {
    /// Makes the changes that are needed once nobody else can make any; gives what remains.
    fn perform(&mut self) -> Result<Plan, Failure> {
        let journal = place::begin(self.root, "join", Some(&self.bundle.digest), &self.report)?;
        self.subject.to_remember().write(self.root).map_err(place::journal)?;
        // Between the question and the lock somebody may have done it.
        let plan = place::plan(self.root, self.subject, self.resources, journal.history())?;
        let mut performer = Performer::new(self.root, self.bundle, journal, self.report.clone());
        let widths = plan.changes().iter().map(|change| change.id.as_str().len());
        let width = widths.filter(|width| *width <= 60).max().unwrap_or(0);
        let mut started = Instant::now();
        let (report, made) = (&self.report, &mut self.made);
        performer
            .run(self.resources, &plan, |change, outcome| {
                let result = Ended::new(change, outcome, started.elapsed().as_millis());
                report.say(result.line(change, width));
                made.push(result);
                started = Instant::now();
            })
            .map_err(|error| Failure::new(Code::VerificationFailed, error))?;
        place::go_on()?;
        place::plan(self.root, self.subject, self.resources, performer.history())
    }

    fn answer(&self, plan: &Plan, remaining: &Plan) -> Result<(), Failure> {
        let Subject { cluster, node, .. } = self.subject;
        let results: Vec<Value> = self.made.iter().map(Ended::json).collect();
        let value = json!({
            "format": 1, "cluster": cluster, "node": node, "bundle": self.bundle.digest,
            "plan": plan.document(cluster, node), "results": results,
            "remaining": remaining.document(cluster, node), "converged": remaining.is_empty(),
        });
        answer(&format!("{value:#}\n"))
    }
}

impl Ended {
    fn new(change: &Change, outcome: &Made, millis: u128) -> Self {
        let (outcome, why, is_done) = match outcome {
            Made::Done => ("done", None, true),
            Made::Unneeded => ("unneeded", None, true),
            Made::Skipped { why } => ("skipped", Some(why.clone()), false),
            Made::Failed(error) => ("FAILED", Some(error.sentence()), false),
        };
        Self { id: change.id.clone(), outcome, why, millis, is_done }
    }
    fn line(&self, change: &Change, width: usize) -> String {
        let why = self.why.clone().unwrap_or_else(|| change.summary());
        // Only what took its time is worth a number.
        let time = if self.millis < 1000 { String::new() } else { format!(" ({} s)", self.millis / 1000) };
        format!("{:<8} {:width$}  {why}{time}", self.outcome, self.id)
    }
    fn json(&self) -> Value {
        json!({
            "id": self.id, "outcome": self.outcome.to_ascii_lowercase(), "why": self.why,
            "millis": u64::try_from(self.millis).unwrap_or(u64::MAX),
        })
    }
}
