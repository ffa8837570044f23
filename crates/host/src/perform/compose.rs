//! Compose projects, brought up and looked at again.

use std::collections::BTreeSet;

use desired::change::{Action, compare};
use desired::resource::Resource;

use super::{PerformError, Performer, Undone};
use crate::compose::{containers, of_project, take_down};
use crate::journal::{After, Before, More};
use crate::observe;
use crate::process::find_program;
use crate::root::Root;

impl Performer<'_> {
    pub(super) fn compose(&mut self, resource: &Resource, project: &str) -> Result<(), PerformError> {
        let call = of_project(self.root, &resource.want).map_err(PerformError::Other)?;
        let there = containers(project)?;
        let there: BTreeSet<String> =
            there.iter().filter_map(|container| container.service().map(str::to_owned)).collect();
        let more = More::Project { project: project.to_owned(), services: there };
        let before = Before { place: None, more: Some(more) };
        self.change(&resource.id, before, None, |this| {
            // Waits until everything runs and is healthy; what ends instead is an error that names it.
            let up = call.args(["up", "--detach", "--wait", "--quiet-pull", "--no-build"]);
            up.run()?;
            let seen = observe::compose::observe(this.root, &resource.want);
            match compare(&resource.want, &seen) {
                change if change.action == Action::None => Ok(After::default()),
                change => Err(PerformError::NoEffect {
                    command: format!("docker compose up of {project}"),
                    probe: format!("docker ps, {},", change.summary()),
                }),
            }
        })
    }
}

/// Takes down what was brought up.
pub(super) fn undo(root: &Root, project: &str, there: &BTreeSet<String>) -> Result<Undone, PerformError> {
    if !root.is_live() {
        return Ok(Undone::Kept { why: "containers are taken down on the running node alone".to_owned() });
    }
    // Whoever took Docker away has taken its containers along.
    if find_program("docker").is_none() || !take_down(project, there)? {
        return Ok(Undone::Unchanged);
    }
    Ok(Undone::Partly { why: "its volumes stay, and the images it runs".to_owned() })
}
