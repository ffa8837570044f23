//! systemd units: started at boot by a link in a `.wants` or `.requires` folder, masked by a link to /dev/null, and
//! running, which only the running systemd knows: it is asked once for all units.

use std::collections::{BTreeMap, BTreeSet};

use desired::observed::{Answer, Observed};
use desired::resource::{Resource, ResourceId, Want};
use desired::{AbsPath, UnitName};

use crate::process::Invocation;
use crate::root::Root;

/// Where units and their links lie, systemd.unit(5).
const FOLDERS: [&str; 6] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Which units run.
pub(super) struct Running(Answer<BTreeMap<UnitName, State>>);

/// How a unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Runs,
    /// It is being started, perhaps once more.
    Starts,
    Else,
}

impl Running {
    pub(super) fn ask(root: &Root, resources: &[Resource]) -> Self {
        let name = |resource: &Resource| match &resource.want {
            Want::Unit { name, .. } => Some(name.clone()),
            _ => None,
        };
        let units: Vec<UnitName> = resources.iter().filter_map(name).collect();
        if units.is_empty() || !root.is_live() {
            return Self(Answer::later("it starts with the node"));
        }
        // One line a unit in the order asked; the status only sums them up (systemctl(1): 0, 3 or 4).
        let call = Invocation::new("systemctl")
            .args(["is-active", "--"])
            .args(units.iter().map(UnitName::as_str))
            .accept([0, 3, 4]);
        Self(match call.run() {
            Ok(output) => match states(&output.text(), units.len()) {
                Some(states) => Answer::Known(units.into_iter().zip(states).collect()),
                None => Answer::unknown("systemctl did not answer for every unit"),
            },
            Err(error) if error.is_missing() => Answer::unknown("there is no systemctl here"),
            Err(_) => Answer::unknown("systemd does not run here"),
        })
    }

    /// Looks at `unit`, for which being started is as good as running if it `waits`; `coming` are files that are made in the
    /// same run.
    pub(super) fn observe(
        &self,
        root: &Root,
        (unit, waits): (&UnitName, bool),
        coming: &BTreeSet<&AbsPath>,
        outdated: BTreeSet<ResourceId>,
    ) -> Observed {
        if !root.is_live() && !is_there(root, unit, coming) {
            let why = "its unit comes with a package or from fstab, on the running node";
            return Observed::Elsewhere { why: why.to_owned() };
        }
        let active = match &self.0 {
            Answer::Known(states) => Answer::Known(match states.get(unit) {
                Some(State::Runs) => true,
                Some(State::Starts) => waits,
                Some(State::Else) | None => false,
            }),
            Answer::Unknown { why } => Answer::unknown(why.clone()),
            Answer::Later { why } => Answer::later(why.clone()),
        };
        let masked = |folder: &str| {
            let seen = root.see(&format!("{folder}/{unit}")).ok().flatten();
            seen.and_then(|seen| seen.target()).is_some_and(|target| target == "/dev/null")
        };
        Observed::Unit {
            enabled: FOLDERS.iter().any(|folder| wanted_in(root, folder, unit)),
            masked: FOLDERS[..2].iter().any(|folder| masked(folder)),
            active,
            outdated,
        }
    }
}

/// A unit that is not started before the machine has started again: what it needs has no effect until then.
pub(super) fn waiting(seen: Observed, line: &ResourceId) -> Observed {
    match seen {
        Observed::Unit { enabled, masked, active: Answer::Known(false), outdated } => {
            let why = format!("it starts with the machine, which has to start again for {line}");
            Observed::Unit { enabled, masked, active: Answer::later(why), outdated }
        }
        seen => seen,
    }
}

/// Whether there is such a unit, or a template of it, or will be.
fn is_there(root: &Root, unit: &UnitName, coming: &BTreeSet<&AbsPath>) -> bool {
    let template = unit.as_str().split_once('@').and_then(|(stem, rest)| {
        let (_, suffix) = rest.rsplit_once('.')?;
        Some(format!("{stem}@.{suffix}"))
    });
    let names = std::iter::once(unit.to_string()).chain(template);
    names.into_iter().any(|name| {
        FOLDERS.iter().any(|folder| {
            let path = format!("{folder}/{name}");
            coming.iter().any(|coming| coming.as_str() == path) || matches!(root.see(&path), Ok(Some(_)))
        })
    })
}

fn wanted_in(root: &Root, folder: &str, unit: &UnitName) -> bool {
    let links =
        root.list(folder).into_iter().filter(|name| name.ends_with(".wants") || name.ends_with(".requires"));
    links.into_iter().any(|links| matches!(root.see(&format!("{folder}/{links}/{unit}")), Ok(Some(_))))
}

/// One answer a line; `None` unless there are `count`.
fn states(text: &str, count: usize) -> Option<Vec<State>> {
    let one = |line: &str| match line.trim() {
        "active" | "reloading" => State::Runs,
        "activating" => State::Starts,
        _ => State::Else,
    };
    let states: Vec<State> = text.lines().map(one).collect();
    (states.len() == count).then_some(states)
}
