//! What a trial is, and how a ring of them runs.
//!
//! In: [`Trial`]s with the tools they need. Out: each passed, failed, or skipped with a reason, on the terminal and, if
//! `ROOTSTOCK_TEST_REPORT` names a file, as one JSON line each. Only the needs of the chosen trials are set up, before
//! the first one starts. `ROOTSTOCK_TEST_LONG=1` adds the long ones.

use crate::lab::{Lab, Need, Permission};
use libtest_mimic::{Arguments, Completion, Failed};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Instant;

/// A ring above unit: what it may need of a machine grows outwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ring {
    /// Our own output against committed trees, and facts about this repository; needs nothing.
    Golden,
    /// Real readers of our files; needs packages.
    Static,
    /// A real engine and a real registry; needs root.
    Container,
    /// A kernel of its own, or the other architecture; needs QEMU.
    Vm,
}

impl Ring {
    /// Its name, which starts the name of every trial in it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Golden => "golden",
            Self::Static => "static",
            Self::Container => "container",
            Self::Vm => "vm",
        }
    }
}

type Body = Box<dyn FnOnce(&Lab) -> anyhow::Result<()> + Send>;

/// One thing a user would notice if it broke.
pub struct Trial {
    ring: Ring,
    name: String,
    needs: Vec<Need>,
    long: bool,
    body: Body,
}

impl std::fmt::Debug for Trial {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Trial").field("name", &self.full_name()).finish_non_exhaustive()
    }
}

impl Trial {
    /// A trial `<ring>::<name>`; name it `<noun>::<what_holds>`. It fails by an error or a panic.
    pub fn new(
        ring: Ring,
        name: impl Into<String>,
        body: impl FnOnce(&Lab) -> anyhow::Result<()> + Send + 'static,
    ) -> Self {
        Self { ring, name: name.into(), needs: Vec::new(), long: false, body: Box::new(body) }
    }

    /// What it can't do without; where one of them is missing it is skipped, with the reason.
    #[must_use]
    pub fn needs(mut self, needs: &[Need]) -> Self {
        self.needs.extend_from_slice(needs);
        self
    }

    /// Only part of a long run (`cargo xtask test --long`).
    #[must_use]
    pub fn long(mut self) -> Self {
        self.long = true;
        self
    }

    /// Its name with the ring's before it.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}::{}", self.ring.name(), self.name)
    }
}

/// How a trial ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It held.
    Passed,
    /// It did not.
    Failed,
    /// Something it needs is missing.
    Skipped,
}

/// One line of the report file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// The trial's ring.
    pub ring: Ring,
    /// Its full name, ring included.
    pub name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it failed or was skipped; empty if it passed.
    pub why: String,
    /// How long its body took.
    pub seconds: f64,
}

/// Runs the trials the command line chooses (the usual arguments of a test binary).
#[must_use]
pub fn run(trials: Vec<Trial>) -> ExitCode {
    let arguments = Arguments::from_args();
    let long = std::env::var_os("ROOTSTOCK_TEST_LONG").is_some_and(|value| value == "1");
    let report = Arc::new(Report::from_environment());
    let lab = Arc::new(OnceLock::new());
    let mut needs = BTreeSet::new();
    let mut chosen = Vec::new();
    for trial in trials.into_iter().filter(|trial| long || !trial.long) {
        let wanted = trial.needs.clone();
        let trial = runnable(trial, Arc::downgrade(&lab), Arc::clone(&report));
        if !arguments.is_filtered_out(&trial) {
            needs.extend(wanted);
        }
        chosen.push(trial);
    }
    if !arguments.list {
        // Daemons live as long as this thread, which is the last to end.
        let prepared = Lab::prepare(&Permission::from_environment(), &needs, &mut say);
        lab.set(prepared).expect("the lab is prepared once");
    }
    libtest_mimic::run(&arguments, chosen).exit_code()
}

/// Binds a trial to lab and report. It holds the lab only while it runs, so that `run` is the one who drops it.
fn runnable(trial: Trial, lab: Weak<OnceLock<Lab>>, report: Arc<Report>) -> libtest_mimic::Trial {
    libtest_mimic::Trial::ignorable_test(trial.full_name(), move || {
        let lab = lab.upgrade().ok_or("the run is over")?;
        let lab = lab.get().ok_or("the lab was not prepared")?;
        let name = trial.full_name();
        let started = Instant::now();
        let (outcome, why) = attempt(&trial.needs, trial.body, lab);
        let seconds = started.elapsed().as_secs_f64();
        let record = Record { ring: trial.ring, name, outcome, why: why.clone(), seconds };
        report.keep(&record).map_err(|error| format!("write the test report: {error}"))?;
        match outcome {
            Outcome::Passed => Ok(Completion::Completed),
            Outcome::Skipped => Ok(Completion::ignored_with(why)),
            Outcome::Failed => Err(Failed::from(why)),
        }
    })
}

fn attempt(needs: &[Need], body: Body, lab: &Lab) -> (Outcome, String) {
    if let Some(missing) = needs.iter().find_map(|need| lab.missing(*need)) {
        return (Outcome::Skipped, missing.to_string());
    }
    match catch_unwind(AssertUnwindSafe(|| body(lab))) {
        Ok(Ok(())) => (Outcome::Passed, String::new()),
        Ok(Err(error)) => (Outcome::Failed, format!("{error:#}")),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
            (Outcome::Failed, text.unwrap_or_else(|| "panicked".to_owned()))
        }
    }
}

/// The report file, if one is wanted, and the progress that goes with it.
struct Report {
    file: Option<File>,
}

impl Report {
    fn from_environment() -> Self {
        let path = std::env::var_os("ROOTSTOCK_TEST_REPORT");
        let open = |path| File::options().create(true).append(true).open(Path::new(&path));
        Self { file: path.map(|path| open(path).expect("ROOTSTOCK_TEST_REPORT names a writable file")) }
    }

    fn keep(&self, record: &Record) -> std::io::Result<()> {
        let Some(mut file) = self.file.as_ref() else { return Ok(()) };
        let mut line = serde_json::to_string(record)?;
        line.push('\n');
        // One write of one line to a file opened for appending: trials side by side don't mix.
        file.write_all(line.as_bytes())?;
        let outcome = match record.outcome {
            Outcome::Passed => "passed",
            Outcome::Failed => "FAILED",
            Outcome::Skipped => "skipped",
        };
        let reason = if record.why.is_empty() { String::new() } else { format!(": {}", record.why) };
        say(&format!("{outcome:>8} {:>7.2} s  {}{reason}", record.seconds, record.name));
        Ok(())
    }
}

/// One line of talk, for figures that a trial has to tell.
pub fn say(line: &str) {
    // A closed stderr is no reason to fail a test.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
