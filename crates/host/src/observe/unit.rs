//! systemd units: started at boot by a link in a `.wants` or `.requires` folder, masked by a link to /dev/null, and
//! running, which only the running systemd knows: it is asked once for all units.

use std::collections::BTreeMap;

use desired::UnitName;
use desired::observed::{Answer, Observed};
use desired::resource::{Resource, Want};

use crate::process::Invocation;
use crate::root::Root;

/// Where units and their links lie, systemd.unit(5).
const FOLDERS: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
];

/// Which units run.
pub(super) struct Running(Answer<BTreeMap<UnitName, bool>>);

impl Running {
    pub(super) fn ask(root: &Root, resources: &[Resource]) -> Self {
        let name = |resource: &Resource| match &resource.want {
            Want::Unit { name, .. } => Some(name.clone()),
            _ => None,
        };
        let units: Vec<UnitName> = resources.iter().filter_map(name).collect();
        if units.is_empty() || !root.is_live() {
            return Self(Answer::unknown(super::NOT_LIVE));
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

    pub(super) fn observe(&self, root: &Root, unit: &UnitName) -> Observed {
        let active = match &self.0 {
            Answer::Known(states) => Answer::Known(states.get(unit).copied().unwrap_or(false)),
            Answer::Unknown { why } => Answer::unknown(why.clone()),
        };
        let masked = |folder: &str| {
            let seen = root.see(&format!("{folder}/{unit}")).ok().flatten();
            seen.and_then(|seen| seen.target()).is_some_and(|target| target == "/dev/null")
        };
        Observed::Unit {
            enabled: FOLDERS.iter().any(|folder| wanted_in(root, folder, unit)),
            masked: FOLDERS[..2].iter().any(|folder| masked(folder)),
            active,
        }
    }
}

fn wanted_in(root: &Root, folder: &str, unit: &UnitName) -> bool {
    let links =
        root.list(folder).into_iter().filter(|name| name.ends_with(".wants") || name.ends_with(".requires"));
    links.into_iter().any(|links| matches!(root.see(&format!("{folder}/{links}/{unit}")), Ok(Some(_))))
}

/// One answer a line; `None` unless there are `count`.
fn states(text: &str, count: usize) -> Option<Vec<bool>> {
    let states: Vec<bool> = text.lines().map(|line| matches!(line.trim(), "active" | "reloading")).collect();
    (states.len() == count).then_some(states)
}
