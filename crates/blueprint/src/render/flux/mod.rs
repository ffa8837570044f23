//! The repository that Flux applies: stages, charts, volumes and apps of a k3s cluster (documents 001 and 004).
//!
//! In: services of kind `kubernetes` beside a service `flux`. Out: `flux/<path>/…` in the cluster tree, to be committed as it is.
//! Every file is written by a serializer. What `flux bootstrap` makes, the folder `flux-system`, is named and never written;
//! Secrets are named and made by a person, outside of Git.

mod apps;
mod chart;
mod folder;
mod object;
mod stage;

use desired::FileSet;
use desired::resource::Resource;

use self::folder::Tree;
use super::RenderError;
use crate::model::{Model, Node, Pins, ServiceKind};

/// The folders of a node that volumes of apps lie in; k3s would not make them.
///
/// # Errors
/// If one is no absolute path.
pub fn resources(model: &Model, node: &Node, _pins: &Pins) -> Result<Vec<Resource>, RenderError> {
    apps::folders(model, node)
}

/// `flux/<path>/…`; nothing for a cluster without a service `flux`.
///
/// # Errors
/// If a setting has no form in its object.
pub fn tree(model: &Model, _pins: &Pins) -> Result<FileSet, RenderError> {
    let Some(flux) = model.services.get("flux").filter(|flux| flux.kind == ServiceKind::Kubernetes) else {
        return Ok(FileSet::new());
    };
    let root = stage::root(flux)?;
    let mut tree = Tree::new(model);
    // With a list of its own the root applies these two alone, and not every folder below it at once.
    tree.name("", "flux-system");
    tree.name("", "cluster");
    chart::put(&mut tree, model, flux)?;
    apps::put(&mut tree, model)?;
    stage::put(&mut tree, flux, &root)?;
    tree.finish(&format!("flux/{root}"))
}

#[cfg(test)]
mod tests;
