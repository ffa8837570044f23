//! Render: from the model and the pins to what each node shall be, and to the trees of the cluster.
//!
//! In: a resolved [`Model`], its [`Pins`], a node. Out: [`Resource`]s in the order they can be made, and file sets for
//! people to read. A family is a module with `resources`, and where it has more to say `extras` (further files of a
//! node) and `tree` (files of the cluster); [`FAMILIES`] is the one list of them. No secret value is ever here.

mod application;
mod chezmoi;
mod compose;
mod docker;
mod error;
#[cfg(test)]
mod fixture;
mod gather;
mod host;
mod k3s;
mod kubernetes;
mod mesh;
mod mise;
mod mounts;
pub mod packages;
mod preview;
pub mod seed;
mod single_host;
pub mod template;
#[cfg(test)]
mod testing;

use desired::FileSet;
use desired::resource::Resource;
pub use error::RenderError;

use crate::model::{Model, Node, Pins};

/// What one node is given.
#[derive(Debug, Clone)]
pub struct NodeOutput {
    /// What it shall be; each stands after everything it names in `after`.
    pub resources: Vec<Resource>,
    /// The same for people: `README.txt`, `resources.json`, `rootfs/…`, and scripts to do it by hand.
    pub files: FileSet,
}

/// What a family makes of a node.
type OfNode<T> = fn(&Model, &Node, &Pins) -> Result<T, RenderError>;
/// What a family makes of the cluster.
type OfCluster<T> = fn(&Model, &Pins) -> Result<T, RenderError>;

/// A part of the work with its own module.
#[derive(Debug, Clone, Copy)]
struct Family {
    /// Its name in errors and in the guide.
    name: &'static str,
    /// What it wants on a node; empty where it has nothing to do.
    resources: OfNode<Vec<Resource>>,
    /// Further files beside the node's resources.
    extras: Option<OfNode<FileSet>>,
    /// Files of the cluster tree.
    tree: Option<OfCluster<FileSet>>,
}

/// All families, in the order their resources come where nothing else decides.
const FAMILIES: &[Family] = &[
    Family { name: "host", resources: host::resources, extras: None, tree: None },
    Family { name: "mounts", resources: mounts::resources, extras: None, tree: None },
    Family { name: "k3s", resources: k3s::resources, extras: Some(k3s::extras), tree: Some(k3s::tree) },
    Family { name: "kubernetes", resources: nothing, extras: None, tree: Some(kubernetes::tree) },
    Family { name: "mesh", resources: mesh::resources, extras: None, tree: None },
    Family { name: "docker", resources: docker::resources, extras: None, tree: None },
    Family { name: "compose", resources: compose::resources, extras: None, tree: None },
    Family {
        name: "single-host",
        resources: single_host::resources,
        extras: None,
        tree: Some(single_host::tree),
    },
    Family { name: "chezmoi", resources: chezmoi::resources, extras: None, tree: Some(chezmoi::tree) },
    Family { name: "mise", resources: mise::resources, extras: None, tree: Some(mise::tree) },
];

/// For a family that only has files of the cluster.
fn nothing(_: &Model, _: &Node, _: &Pins) -> Result<Vec<Resource>, RenderError> {
    Ok(Vec::new())
}

/// What `node` shall be, with the files that show it to a person.
///
/// # Errors
/// If a pin is missing, a value has no form in its file, or two families want the same thing.
pub fn node(model: &Model, node: &Node, pins: &Pins) -> Result<NodeOutput, RenderError> {
    let mut wanted = Vec::new();
    let mut extras = FileSet::new();
    for family in FAMILIES {
        let resources = (family.resources)(model, node, pins)?;
        wanted.extend(resources.into_iter().map(|resource| (family.name, resource)));
        if let Some(render) = family.extras {
            merge(&mut extras, render(model, node, pins)?, &node.name)?;
        }
    }
    let resources = gather::gather(&node.name, wanted)?;
    let files = preview::files(model, node, &resources, extras)?;
    Ok(NodeOutput { resources, files })
}

/// The trees that belong to the cluster as a whole.
///
/// # Errors
/// As [`node`].
pub fn cluster(model: &Model, pins: &Pins) -> Result<FileSet, RenderError> {
    let mut files = FileSet::new();
    for family in FAMILIES {
        if let Some(render) = family.tree {
            merge(&mut files, render(model, pins)?, &model.name)?;
        }
    }
    Ok(files)
}

/// Adds the files of a family to those of all.
fn merge(all: &mut FileSet, of_family: FileSet, whose: &impl std::fmt::Display) -> Result<(), RenderError> {
    all.merge(of_family).map_err(RenderError::invalid(format!("the files of {whose}")))
}

/// The pin of `artifact` for `node`.
///
/// # Errors
/// If the lock has none.
pub(crate) fn pin<'a>(
    pins: &'a Pins,
    artifact: &str,
    node: &Node,
) -> Result<&'a crate::model::Pin, RenderError> {
    pins.get(artifact, node.arch).ok_or_else(|| unpinned(artifact, node))
}

fn unpinned(artifact: &str, node: &Node) -> RenderError {
    match artifact.parse() {
        Ok(artifact) => RenderError::Unpinned { artifact, arch: node.arch, node: node.name.clone() },
        Err(source) => RenderError::Invalid { what: "an artifact's name".to_owned(), source },
    }
}
