//! systemd units: enabled, unmasked, started, restarted once their inputs changed.
//!
//! systemctl(1) does it, below a folder with `--root`. One daemon-reload a run before the first unit; starts are not
//! waited for by systemctl (k3s takes its time, and its failure must be told by its own journal), but watched here.

use std::time::{Duration, Instant, SystemTime};

use desired::diagnosis::{Diagnosis, diagnose};
use desired::observed::{Answer, Observed};
use desired::resource::{Resource, Want};
use desired::{AbsPath, UnitName};

use super::{PerformError, Performer};
use crate::journal::{After, Before, More};
use crate::k3s_remains;
use crate::observe;
use crate::process::Invocation;
use crate::root::Root;

/// How long a unit may take to become active.
const PATIENCE: Duration = Duration::from_secs(180);
/// The same for k3s that says nothing is wrong: its first start unpacks images, makes certificates and a database.
const PATIENCE_WITH_K3S: Duration = Duration::from_secs(900);
/// What fails at once does so by then; what is still being started waits.
const SOON: Duration = Duration::from_secs(5);
/// How often it is looked at.
const GLANCE: Duration = Duration::from_millis(250);
/// After how many starts in vain it is given up.
const FAILURES: u32 = 3;
/// How many lines of a failed unit's journal are told.
const TAIL: &str = "15";

impl Performer<'_> {
    pub(super) fn unit(&mut self, resource: &Resource) -> Result<(), PerformError> {
        let Want::Unit { name, enabled, active, waits: may_wait, .. } = &resource.want else { return Ok(()) };
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
        // A k3s that was here before us has its remains for itself.
        let is_first = k3s_remains::is_of_k3s(name) && running != Some(true) && !at_boot;
        let ground = is_first.then(|| Box::new(k3s_remains::ground(self.root, self.journal.history())));
        let more = More::Unit { name: name.clone(), enabled: at_boot, masked, active: running, ground };
        let before = Before { place: None, more: Some(more) };
        self.change(&resource.id, before, None, |this| {
            if masked && (*enabled || *active) {
                this.systemctl(&["unmask"], name)?;
            }
            if at_boot != *enabled {
                this.systemctl(&[if *enabled { "enable" } else { "disable" }], name)?;
            }
            match (running, *active) {
                (Some(true), true) if !outdated.is_empty() => start(this.root, name, "restart", *may_wait)?,
                // One that is starting all the time, refused with what it read before, must read again; one that is
                // stopped is started by this too.
                (Some(false), true) => start(this.root, name, "restart", *may_wait)?,
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
pub(super) fn systemctl(root: &Root, verb: &[&str], unit: &UnitName) -> Result<(), PerformError> {
    let call = Invocation::new("systemctl").if_missing("apt-get install -y systemd");
    let call = if root.is_live() { call } else { call.arg("--root").arg(root.path()) };
    call.args(["--quiet", "--no-ask-password"])
        .args(verb.iter().copied())
        .args(["--", unit.as_str()])
        .run()?;
    Ok(())
}

/// Starts or restarts, and watches until it runs or has failed; one that may wait is left to it once it has not failed
/// at once.
pub(super) fn start(root: &Root, unit: &UnitName, verb: &str, may_wait: bool) -> Result<(), PerformError> {
    // One that was given up after too many starts is refused another until that is forgotten, also when its cause is
    // cured by now (systemd.unit(5), StartLimitIntervalSec); one that has not failed takes no harm.
    let forget = Invocation::new("systemctl").args(["--quiet", "--no-ask-password", "reset-failed", "--"]);
    let _ = forget.arg(unit.as_str()).run();
    let mut watch = k3s_remains::is_of_k3s(unit).then(|| Watch::new(root, unit));
    let call = Invocation::new("systemctl").args(["--quiet", "--no-ask-password", "--no-block", verb]);
    call.args(["--", unit.as_str()]).run()?;
    let (begun, mut deadline, mut first) = (Instant::now(), PATIENCE, None);
    loop {
        if let Some(diagnosis) = watch.as_mut().and_then(Watch::refusal) {
            return Err(refused(unit, &diagnosis));
        }
        let State { state, is_queued, restarts } = state(unit)?;
        let earlier = *first.get_or_insert(restarts);
        match state.as_str() {
            "active" | "reloading" if !is_queued => return Ok(()),
            "activating" if may_wait && begun.elapsed() >= SOON => return Ok(()),
            // What systemd starts again and again is not going to run.
            _ if restarts >= earlier + FAILURES => return Err(failure(unit, state)),
            // While a restart is queued, failed is how the one before it ended: k3s that is stopped says so by its exit code.
            "failed" if !is_queued => return Err(failure(unit, state)),
            // A unit that was never queued, or whose condition is not met, stays inactive and has nothing to say.
            "inactive" if !is_queued => return Err(failure(unit, state)),
            _ if begun.elapsed() >= deadline => match watch.as_ref().map(Watch::diagnosis) {
                Some(Some(told)) => return Err(refused(unit, &told)),
                // It complains of nothing, so it is at work: a first start on a slow machine.
                Some(None) if deadline < PATIENCE_WITH_K3S => deadline += PATIENCE / 6,
                _ => return Err(failure(unit, state)),
            },
            _ => std::thread::sleep(GLANCE),
        }
    }
}

/// What k3s says while it starts. Its unit never fails by itself: a refused node tries again for ever (FIELD K8, K10, K14).
struct Watch<'a> {
    root: &'a Root,
    unit: &'a UnitName,
    /// The start before this one, as systemd numbers them: what that one said says nothing of this one.
    earlier: String,
    looked: Instant,
    /// Since when it says something that does not pass by itself.
    refused: Option<Instant>,
    /// When the agent's certificate was taken away, in seconds since 1970: what was said before says nothing any more.
    without_certificate: Option<u64>,
}

impl<'a> Watch<'a> {
    /// How often its journal is read.
    const GLANCE: Duration = Duration::from_secs(2);
    /// How long a refusal must stand: a server that has just started may refuse whom it takes a moment later.
    const STANDING: Duration = Duration::from_secs(15);

    fn new(root: &'a Root, unit: &'a UnitName) -> Self {
        let earlier = invocation(unit).unwrap_or_default();
        Self { root, unit, earlier, looked: Instant::now(), refused: None, without_certificate: None }
    }

    /// The refusal, once it stands.
    fn refusal(&mut self) -> Option<Diagnosis> {
        if self.looked.elapsed() < Self::GLANCE {
            return None;
        }
        self.looked = Instant::now();
        let told = self.diagnosis().filter(|told| !told.may_pass);
        self.refused = told.as_ref().and(self.refused.or_else(|| Some(Instant::now())));
        if self.without_certificate.is_none() && told.as_ref().is_some_and(|told| told.by_certificate) {
            self.remove_certificate();
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            (self.without_certificate, self.refused) = (Some(now.as_secs() + 1), None);
            return None;
        }
        told.filter(|_| self.refused.is_some_and(|since| since.elapsed() >= Self::STANDING))
    }

    /// Takes away what the server no longer knows (decision 0086); k3s makes another.
    fn remove_certificate(&self) {
        let folder = k3s_remains::data_folder(self.root);
        for name in ["client-kubelet.crt", "client-kubelet.key"] {
            if let Ok(path) = format!("{folder}/agent/{name}").parse::<AbsPath>() {
                // What stays is told as the refusal that it is.
                let _ = self.root.place(&path).and_then(|place| place.remove());
            }
        }
    }

    fn diagnosis(&self) -> Option<Diagnosis> {
        let own = invocation(self.unit).filter(|own| *own != self.earlier)?;
        let call =
            Invocation::new("journalctl").args(["--no-pager", "--quiet", "--output=cat", "--lines=400"]);
        let call =
            self.without_certificate.iter().fold(call, |call, since| call.arg(format!("--since=@{since}")));
        diagnose(call.arg(format!("_SYSTEMD_INVOCATION_ID={own}")).run().ok()?.text().lines())
    }
}

/// Which start of a unit is its last one (systemd.exec(5), `$INVOCATION_ID`); its lines in the journal carry it.
fn invocation(unit: &UnitName) -> Option<String> {
    let call = Invocation::new("systemctl").args(["show", "--property=InvocationID", "--value", "--"]);
    let text = call.arg(unit.as_str()).run().ok()?.text();
    Some(text.trim().to_owned()).filter(|id| !id.is_empty())
}

fn refused(unit: &UnitName, told: &Diagnosis) -> PerformError {
    let Diagnosis { field, reason, fix, line, .. } = told;
    PerformError::Refused { unit: unit.clone(), reason, field, fix, line: line.clone() }
}

/// What systemd says of a unit.
struct State {
    state: String,
    /// It still has a job for it.
    is_queued: bool,
    /// How often it has started the unit again by itself.
    restarts: u32,
}

fn state(unit: &UnitName) -> Result<State, PerformError> {
    let call = Invocation::new("systemctl").args(["show", "--property=ActiveState", "--property=Job"]);
    let text = call.args(["--property=NRestarts", "--"]).arg(unit.as_str()).run()?.text();
    let value =
        |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default().to_owned();
    let job = value("Job=");
    Ok(State {
        state: value("ActiveState="),
        is_queued: !matches!(job.as_str(), "" | "0"),
        restarts: value("NRestarts=").parse().unwrap_or(0),
    })
}

fn failure(unit: &UnitName, state: String) -> PerformError {
    // What it said last may not be written yet (journalctl(1), --sync).
    let _ = Invocation::new("journalctl").arg("--sync").run();
    let call = Invocation::new("journalctl").args(["--no-pager", "--output=cat", "--lines", TAIL, "--unit"]);
    let tail = call.arg(unit.as_str()).run().map(|output| output.text()).unwrap_or_default();
    let tail = if tail.trim().is_empty() {
        "; its journal says nothing".to_owned()
    } else {
        format!("; its journal ends:\n  {}", tail.trim().replace('\n', "\n  "))
    };
    PerformError::Unit { unit: unit.clone(), state, tail }
}
