//! systemd units: enabled, unmasked, started, restarted once their inputs changed.
//!
//! systemctl(1) does it, below a folder with `--root`. One daemon-reload a run before the first unit; starts are not
//! waited for by systemctl (k3s takes its time, and its failure must be told by its own journal), but watched here.

use std::time::{Duration, Instant};

use desired::UnitName;
use desired::observed::{Answer, Observed};
use desired::resource::{Resource, Want};

use super::{PerformError, Performer};
use crate::journal::{After, Before, More};
use crate::observe;
use crate::process::Invocation;

/// How long a unit may take to become active.
const PATIENCE: Duration = Duration::from_secs(180);
/// How often it is looked at.
const GLANCE: Duration = Duration::from_millis(250);
/// How many lines of a failed unit's journal are told.
const TAIL: &str = "15";

impl Performer<'_> {
    pub(super) fn unit(&mut self, resource: &Resource) -> Result<(), PerformError> {
        let Want::Unit { name, enabled, active, .. } = &resource.want else { return Ok(()) };
        self.reload()?;
        // What the generators make of fstab is there now.
        let Some(Observed::Unit { enabled: at_boot, masked, active: now, outdated }) =
            observe::one(self.root, resource, self.journal.history(), &self.awaited)
        else {
            return Err(PerformError::Other(format!("{name} can't be looked at")));
        };
        let running = match &now {
            Answer::Known(running) => Some(*running),
            Answer::Unknown { .. } | Answer::Later { .. } => None,
        };
        let waits = matches!(now, Answer::Later { .. });
        let more = More::Unit { name: name.clone(), enabled: at_boot, masked, active: running };
        let before = Before { place: None, more: Some(more) };
        self.change(&resource.id, before, None, |this| {
            if masked && (*enabled || *active) {
                this.systemctl(&["unmask"], name)?;
            }
            if at_boot != *enabled {
                this.systemctl(&[if *enabled { "enable" } else { "disable" }], name)?;
            }
            match (running, *active) {
                (Some(true), true) if !outdated.is_empty() => start(name, "restart")?,
                (Some(false), true) => start(name, "start")?,
                (Some(true), false) if !*enabled => this.systemctl(&["stop"], name)?,
                (None, true) if this.root.is_live() && !waits => {
                    return Err(PerformError::Other(format!(
                        "{name} can't be started: systemd does not answer"
                    )));
                }
                _ => {}
            }
            Ok(After::default())
        })
    }

    /// Lets systemd read its units again, once a run.
    fn reload(&mut self) -> Result<(), PerformError> {
        if self.root.is_live() && !self.reloaded {
            Invocation::new("systemctl").arg("daemon-reload").run()?;
        }
        self.reloaded = true;
        Ok(())
    }

    fn systemctl(&self, verb: &[&str], unit: &UnitName) -> Result<(), PerformError> {
        systemctl(self.root, verb, unit)
    }
}

/// systemctl for one unit, on the running system or on files below a root.
pub(super) fn systemctl(
    root: &crate::root::Root,
    verb: &[&str],
    unit: &UnitName,
) -> Result<(), PerformError> {
    let call = Invocation::new("systemctl").if_missing("apt-get install -y systemd");
    let call = if root.is_live() { call } else { call.arg("--root").arg(root.path()) };
    call.args(["--quiet", "--no-ask-password"])
        .args(verb.iter().copied())
        .args(["--", unit.as_str()])
        .run()?;
    Ok(())
}

/// Starts or restarts, and watches until it runs or has failed.
pub(super) fn start(unit: &UnitName, verb: &str) -> Result<(), PerformError> {
    let call = Invocation::new("systemctl").args(["--quiet", "--no-ask-password", "--no-block", verb]);
    call.args(["--", unit.as_str()]).run()?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (state, is_queued) = state(unit)?;
        match state.as_str() {
            "active" | "reloading" if !is_queued => return Ok(()),
            "failed" => return Err(failure(unit, state)),
            // A unit that was never queued, or whose condition is not met, stays inactive and has nothing to say.
            "inactive" if !is_queued => return Err(failure(unit, state)),
            _ if Instant::now() >= deadline => return Err(failure(unit, state)),
            _ => std::thread::sleep(GLANCE),
        }
    }
}

/// The unit's state, and whether systemd still has a job for it.
fn state(unit: &UnitName) -> Result<(String, bool), PerformError> {
    let call = Invocation::new("systemctl").args(["show", "--property=ActiveState", "--property=Job", "--"]);
    let text = call.arg(unit.as_str()).run()?.text();
    let value =
        |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default().to_owned();
    let job = value("Job=");
    Ok((value("ActiveState="), !matches!(job.as_str(), "" | "0")))
}

fn failure(unit: &UnitName, state: String) -> PerformError {
    let call = Invocation::new("journalctl").args(["--no-pager", "--output=cat", "--lines", TAIL, "--unit"]);
    let tail = call.arg(unit.as_str()).run().map(|output| output.text()).unwrap_or_default();
    let tail = if tail.trim().is_empty() {
        "; its journal says nothing".to_owned()
    } else {
        format!("; its journal ends:\n  {}", tail.trim().replace('\n', "\n  "))
    };
    PerformError::Unit { unit: unit.clone(), state, tail }
}
