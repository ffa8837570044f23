//! Changes made: one file a kind of resource.
//!
//! In: a verified bundle, the plan that was shown, the open journal. Out: each change done, or failed with a reason;
//! what needs a failed one is skipped, everything else is still done. Every change is looked at again just before it
//! is made, journaled with what was there before it starts, and journaled again when it is done.

mod artifact;
mod block;
mod compose;
mod content;
mod directory;
mod error;
mod fetch;
mod home;
mod hostname;
mod kernel_module;
mod line;
mod mesh;
mod packages;
mod place;
mod run;
mod secret_file;
mod sysctl;
mod undo;
mod unit;

use std::collections::{BTreeMap, BTreeSet};

use desired::change::{Action, Change, compare};
use desired::order::{OrderError, needs};
use desired::plan::Plan;
use desired::resource::{Resource, ResourceId, Want};

pub use error::PerformError;
pub use undo::{Undone, leave};

use crate::bundle::Bundle;
use crate::journal::{After, Before, History, Journal, Step};
use crate::observe;
use crate::process;
use crate::report::Report;
use crate::root::{Accounts, Root};
use crate::secret::Secret;
use crate::verified::Verified;

/// How a change ended.
#[derive(Debug)]
pub enum Outcome {
    /// It is made.
    Done,
    /// Another change had made it already.
    Unneeded,
    /// It was not tried.
    Skipped {
        /// Why, as a clause.
        why: String,
    },
    /// It was not made, or not to its end.
    Failed(PerformError),
}

/// What changes are made with.
#[derive(Debug)]
pub struct Performer<'a> {
    root: &'a Root,
    bundle: &'a Verified<Bundle>,
    journal: Journal<'a>,
    accounts: Accounts,
    /// Who waits is told for whom.
    report: Report,
    /// Standard input, once it was read: it can be read only once.
    stdin: Option<Secret>,
    /// Resources whose effect waits for the machine's next start, and what comes after them with it.
    awaited: BTreeSet<ResourceId>,
    /// systemd has read its units again in this run.
    reloaded: bool,
}

impl<'a> Performer<'a> {
    /// A performer for the run that holds `journal`.
    #[must_use]
    pub fn new(root: &'a Root, bundle: &'a Verified<Bundle>, journal: Journal<'a>, report: Report) -> Self {
        let accounts = Accounts::read(root);
        let awaited = BTreeSet::new();
        Self { root, bundle, journal, accounts, report, stdin: None, awaited, reloaded: false }
    }

    /// Makes every change of `plan` in its order and tells of each as it ends; none after this run was asked to end.
    ///
    /// # Errors
    /// If the resources have no order. Changes that fail are outcomes.
    pub fn run(
        &mut self,
        resources: &[Resource],
        plan: &Plan,
        mut tell: impl FnMut(&Change, &Outcome),
    ) -> Result<(), OrderError> {
        self.clear_leftovers();
        self.awaited = observe::awaited(self.root, resources);
        let needs = needs(resources)?;
        let by_id: BTreeMap<&ResourceId, &Resource> =
            resources.iter().map(|resource| (&resource.id, resource)).collect();
        let mut missing: BTreeSet<&ResourceId> = BTreeSet::new();
        let pending =
            plan.changes().iter().filter(|change| !matches!(change.action, Action::None | Action::Left));
        for change in pending {
            let Some(resource) = by_id.get(&change.id) else { continue };
            let needed = needs.get(&change.id).into_iter().flatten();
            let lacking = needed.into_iter().find(|needed| missing.contains(**needed));
            let outcome = match lacking {
                Some(lacking) => Outcome::Skipped { why: format!("it needs {lacking}, which is not done") },
                None => self.one(resource),
            };
            if matches!(outcome, Outcome::Skipped { .. } | Outcome::Failed(_)) {
                missing.insert(&resource.id);
            }
            tell(change, &outcome);
            if process::is_ending() {
                break;
            }
        }
        Ok(())
    }

    /// Removes what a cut-off run left aside of places: of any, since a `leave` that was cut off writes its line last.
    fn clear_leftovers(&self) {
        for (_, story) in self.journal.history().backwards() {
            // Where that fails, the change that follows fails too and says why.
            let _ = story.first.place.as_ref().map(|before| place::clear_leftovers(self.root, before));
        }
    }

    /// What the journal tells now.
    #[must_use]
    pub const fn history(&self) -> &History {
        self.journal.history()
    }

    /// Makes one change, unless it has become needless.
    fn one(&mut self, resource: &Resource) -> Outcome {
        let observed = observe::one(self.root, resource, self.journal.history(), &self.awaited);
        let now = observed.map(|observed| compare(&resource.want, &observed).action);
        if matches!(now, Some(Action::None | Action::Left)) {
            return Outcome::Unneeded;
        }
        match self.make(resource) {
            Ok(()) => Outcome::Done,
            Err(error) => Outcome::Failed(error),
        }
    }

    fn make(&mut self, resource: &Resource) -> Result<(), PerformError> {
        let id = &resource.id;
        match &resource.want {
            Want::Hostname { name } => self.hostname(id, name),
            Want::Packages { manager, names, files } => self.packages(id, *manager, names, files),
            Want::KernelModule { name } => self.kernel_module(id, name),
            Want::Sysctl { key, value } => self.sysctl(id, key, value),
            Want::Directory { path, mode, owner } => self.directory(id, path, *mode, owner),
            Want::File { path, mode, owner, content } => {
                let ownership = self.accounts.ownership(*mode, owner)?;
                self.text(id, path, ownership, content.as_bytes())
            }
            Want::SecretFile { path, mode, owner, parts } => self.secret_file(id, path, *mode, owner, parts),
            Want::ManagedBlock { path, name, comment, content } => {
                self.block(id, path, (comment, name), content)
            }
            Want::ManagedLine { path, words, .. } => self.line(id, path, words),
            Want::Artifact { .. } => self.artifact(id, &resource.want),
            Want::Unit { .. } => self.unit(resource),
            Want::Run { name, command, unless } => self.command(id, name, command, unless),
            Want::Chezmoi { user, source } => self.chezmoi(user, source),
            Want::Mise { user, tools } => self.mise(resource, user, tools),
            Want::Compose { project, .. } => self.compose(resource, project),
            Want::Mesh { .. } => self.mesh(resource),
            // Never asked for: they are left to others, so their change is never pending.
            Want::NodeMetadata { .. } => Ok(()),
        }
    }

    /// The frame of every change: what was there is on the disk before `act` starts, what is there when it has ended.
    fn change(
        &mut self,
        id: &ResourceId,
        before: Before,
        intended: Option<After>,
        act: impl FnOnce(&mut Self) -> Result<After, PerformError>,
    ) -> Result<(), PerformError> {
        self.journal.note(id, Step::Begin { before, intended })?;
        match act(self) {
            Ok(after) => Ok(self.journal.note(id, Step::Done { after })?),
            Err(error) => {
                // The change's own error is the one to tell; without this line its end is simply not known.
                let _ = self.journal.note(id, Step::Failed { why: error.sentence() });
                Err(error)
            }
        }
    }
}
