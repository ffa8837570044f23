//! Everything given back: what the journal says was there before us, the last change first.
//!
//! In: the journal and the node as it is now. Out: each resource as it was, or kept with the reason where somebody else
//! has changed it since; what is given back is journaled too, so a run that was cut off goes on where it stopped.

mod block;
mod line;
mod place;
mod shared;

use std::collections::BTreeSet;

use desired::observed::{Answer, Observed};
use desired::resource::{PackageManager, Resource, ResourceId, Want};
use desired::{AbsPath, UnitName};

use super::{PerformError, compose, home, hostname, kernel_module, mesh, packages, sysctl, unit};
use crate::journal::{History, Journal, JournalError, More, PlaceBefore, State, Step, Story, saved};
use crate::k3s_remains;
use crate::observe;
use crate::process::{self, Invocation};
use crate::report::Report;
use crate::root::Root;

/// What became of one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undone {
    /// It is as it was.
    Restored,
    /// It was as it had been; nothing had to be done.
    Unchanged,
    /// As far as it can be: the rest is said.
    Partly {
        /// What stays, as a clause.
        why: String,
    },
    /// Left as it is, and in the journal.
    Kept {
        /// Why, as a clause.
        why: String,
    },
}

/// Gives back everything the journal knows and tells of each. The journal goes last, unless something was kept or
/// failed; gives whether it is gone.
///
/// # Errors
/// If the journal itself can't be written or removed.
pub fn leave(
    root: &Root,
    mut journal: Journal<'_>,
    force: bool,
    report: &Report,
    mut tell: impl FnMut(&ResourceId, &Result<Undone, PerformError>),
) -> Result<bool, JournalError> {
    let stories: Vec<(ResourceId, Story)> =
        journal.history().backwards().into_iter().map(|(id, story)| (id.clone(), story.clone())).collect();
    let places = stories.iter().filter_map(|(_, story)| Some(story.first.place.as_ref()?.path.clone()));
    let undo = Undo { root, force, report, places: places.collect() };
    let mut restarts = Vec::new();
    for (id, story) in &stories {
        if process::is_ending() {
            return Ok(false);
        }
        let undone = undo.one(story, &mut restarts);
        tell(id, &undone);
        if matches!(undone, Ok(Undone::Restored | Undone::Unchanged | Undone::Partly { .. })) {
            journal.note(id, Step::Undone)?;
        }
    }
    if root.is_live() && !stories.is_empty() {
        undo.settle(&restarts, &mut tell);
    }
    if journal.history().is_empty() {
        journal.close()?;
        return Ok(true);
    }
    Ok(false)
}

struct Undo<'a> {
    root: &'a Root,
    /// What somebody else changed is replaced too.
    force: bool,
    /// Who waits is told for whom.
    report: &'a Report,
    /// Everything that is given back, so that no other step takes it away.
    places: BTreeSet<AbsPath>,
}

impl Undo<'_> {
    fn one(&self, story: &Story, restarts: &mut Vec<(ResourceId, UnitName)>) -> Result<Undone, PerformError> {
        let mut undone = match (&story.first.place, &story.first.more) {
            (Some(before), Some(More::Block { comment, name })) => {
                block::undo(self.root, before, (comment, name))?
            }
            (Some(before), Some(More::Line { words })) => line::undo(self.root, story, before, words)?,
            (Some(before), _) => place::undo(self.root, story, before, self.force)?,
            (None, _) => Undone::Unchanged,
        };
        if matches!(undone, Undone::Kept { .. }) {
            return Ok(undone);
        }
        if let Some(more) = &story.first.more {
            let also = self.more(story, more, restarts)?;
            if undone == Undone::Unchanged || matches!(also, Undone::Kept { .. } | Undone::Partly { .. }) {
                undone = also;
            }
        }
        match place::clear_folders(self.root, &story.folders)? {
            Some(folder) if !matches!(undone, Undone::Kept { .. } | Undone::Partly { .. }) => {
                Ok(Undone::Partly { why: format!("{folder} stays, there is something else in it") })
            }
            _ => Ok(undone),
        }
    }

    fn more(
        &self,
        story: &Story,
        more: &More,
        restarts: &mut Vec<(ResourceId, UnitName)>,
    ) -> Result<Undone, PerformError> {
        match more {
            // Done with the file it lies in.
            More::Block { .. } | More::Line { .. } => Ok(Undone::Unchanged),
            More::Hostname { name } => hostname::set(name).map(|()| Undone::Restored),
            More::Sysctl { place, value } => sysctl::set(place, value).map(|()| Undone::Restored),
            More::Module { loaded: true, .. } => Ok(Undone::Unchanged),
            More::Module { name, loaded: false } => {
                // A module that is in use now serves somebody; the next start does without it.
                match kernel_module::modprobe(&["--remove", "--", name]) {
                    Ok(()) => Ok(Undone::Restored),
                    Err(_) => {
                        Ok(Undone::Partly { why: format!("module {name} is in use until the next start") })
                    }
                }
            }
            More::Packages { manager, installed } => self.packages(story, *manager, *installed),
            More::Unit { name, enabled, masked, active, ground } => {
                let mut undone = self.unit(name, *enabled, *masked, *active)?;
                if let Some(ground) = ground {
                    let stays = k3s_remains::clear(self.root, ground, &self.places)?;
                    if !stays.is_empty() {
                        undone = Undone::Partly { why: stays.join(", ") };
                    }
                }
                if *active == Some(true) {
                    let id = Want::Unit {
                        name: name.clone(),
                        enabled: *enabled,
                        active: true,
                        waits: false,
                        restart_on: BTreeSet::new(),
                    };
                    restarts.push((id.id(), name.clone()));
                }
                Ok(undone)
            }
            More::Tools { user, tools } => home::uninstall(self.root, user, tools),
            More::Project { project, services } => compose::undo(self.root, project, services),
            More::Mesh { member } => mesh::undo(self.root, *member),
            More::Run { name } => {
                Ok(Undone::Partly { why: format!("what the command `{name}` did can't be undone by itself") })
            }
        }
    }

    fn packages(&self, story: &Story, manager: PackageManager, list: u64) -> Result<Undone, PerformError> {
        if !self.root.is_live() {
            return Ok(Undone::Kept { why: "packages are removed on the running node alone".to_owned() });
        }
        let now = observe::packages::every(self.root, manager).map_err(PerformError::Other)?;
        let mut came: BTreeSet<String> = story.installed.clone();
        if story.is_open() {
            let path = saved(list);
            let text = self.root.read_text(path.as_str()).map_err(PerformError::file("read", &path))?;
            let earlier: BTreeSet<String> = text.unwrap_or_default().lines().map(str::to_owned).collect();
            came.extend(now.difference(&earlier).cloned());
        }
        came.retain(|name| now.contains(name));
        if came.is_empty() {
            return Ok(Undone::Unchanged);
        }
        packages::remove(manager, &came, self.report).map(|()| Undone::Restored)
    }

    fn unit(
        &self,
        name: &UnitName,
        enabled: bool,
        masked: bool,
        active: Option<bool>,
    ) -> Result<Undone, PerformError> {
        let want = Want::Unit {
            name: name.clone(),
            enabled,
            active: false,
            waits: false,
            restart_on: BTreeSet::new(),
        };
        let seen = observe::one(self.root, &Resource::new(want), &History::default(), &BTreeSet::new());
        // A unit that is gone has nothing left to give back.
        let Some(Observed::Unit { enabled: now_enabled, masked: now_masked, active: now, .. }) = seen else {
            return Ok(Undone::Unchanged);
        };
        let mut undone = Undone::Unchanged;
        let mut call = |verb: &str| {
            undone = Undone::Restored;
            unit::systemctl(self.root, &[verb], name)
        };
        // Without knowing better: what was started at boot ran.
        let ran = active.unwrap_or(enabled);
        if now == Answer::Known(true) && !ran {
            call("stop")?;
        }
        if now_enabled != enabled {
            call(if enabled { "enable" } else { "disable" })?;
        }
        if masked && !now_masked {
            call("mask")?;
        }
        Ok(undone)
    }

    /// systemd reads the units as they are again, and what ran before us runs on what it ran on.
    fn settle(
        &self,
        restarts: &[(ResourceId, UnitName)],
        tell: &mut impl FnMut(&ResourceId, &Result<Undone, PerformError>),
    ) {
        // Without systemd nothing has to be settled.
        let _ = Invocation::new("systemctl").arg("daemon-reload").run();
        for (id, name) in restarts {
            let verb = if self.root.is_live() { "restart" } else { continue };
            tell(id, &unit::start(self.root, name, verb, false).map(|()| Undone::Restored));
        }
    }
}

/// The file as it was before us; none if it was not there, or its copy is gone.
fn original(root: &Root, before: &PlaceBefore) -> Result<Option<Vec<u8>>, PerformError> {
    let State::File { saved: Some(number), .. } = &before.state else { return Ok(None) };
    let copy = saved(*number);
    root.read(copy.as_str()).map_err(PerformError::file("read", &copy))
}
