//! Apps: what runs, what it keeps, and how it is reached.
//!
//! In: services of kind `kubernetes` that are neither charts nor jobs. Out: `apps/<category>/<app>/…`, the folder `shared` of a
//! category with what several apps use, volumes of the stage before, and a component that places the pods which stand by on two
//! nodes (document 001, Pod affinity pattern).

mod affinity;
mod network;
mod pod;
mod replication;
mod volume;
mod workload;

use std::collections::BTreeSet;

use desired::resource::{Owner, Resource, ResourceId, Want};

use super::folder::Tree;
use super::object::Namespace;
use super::stage::Stage;
use crate::model::{Kubernetes, Model, Node, Service, ServiceKind};
use crate::render::RenderError;

/// A service that is an app.
#[derive(Debug, Clone, Copy)]
struct App<'a> {
    service: &'a Service,
    kubernetes: &'a Kubernetes,
}

impl App<'_> {
    fn folder(&self) -> String {
        format!("{}/{}/{}", Stage::Apps.folder(), self.kubernetes.category, self.service.name)
    }
}

fn all(model: &Model) -> impl Iterator<Item = App<'_>> {
    model.services.values().filter_map(|service| {
        let kubernetes = service.kubernetes.as_ref()?;
        let is_app = service.kind == ServiceKind::Kubernetes
            && service.name != "flux"
            && service.schedule.is_none()
            && kubernetes.chart.is_none()
            && !service.settings.contains_key("suspend-flux-first");
        is_app.then_some(App { service, kubernetes })
    })
}

/// The folders of apps, each a namespace.
pub(super) fn categories(model: &Model) -> BTreeSet<String> {
    all(model).map(|app| app.kubernetes.category.clone()).collect()
}

/// The folder of what several apps of a category use.
fn shared(category: &str) -> String {
    format!("{}/{category}/shared", Stage::Apps.folder())
}

/// The folders of `node` that volumes of apps lie in, each after the one above it.
///
/// # Errors
/// If one is no absolute path.
pub(super) fn folders(model: &Model, node: &Node) -> Result<Vec<Resource>, RenderError> {
    let mut all_folders = Vec::new();
    for pair in all(model).filter_map(|app| volume::pair(model, app.service)) {
        if !pair.places.iter().any(|place| place.node == node.name) {
            continue;
        }
        let ends = pair.path.match_indices('/').map(|(end, _)| end).skip(1).chain([pair.path.len()]);
        let mut above: Option<ResourceId> = None;
        for end in ends {
            let path = pair.path[..end].parse().map_err(RenderError::invalid("a folder of an app"))?;
            let mode = "0755".parse().map_err(RenderError::invalid("a folder of an app"))?;
            let folder = Resource::new(Want::Directory { path, mode, owner: Owner::root() });
            let folder = above.iter().fold(folder, Resource::after);
            above = Some(folder.id.clone());
            all_folders.push(folder);
        }
    }
    Ok(all_folders)
}

/// Everything of all apps.
///
/// # Errors
/// If a value has no form in YAML, or an app answers to a name without the port that Traefik asks.
pub(super) fn put(tree: &mut Tree, model: &Model) -> Result<(), RenderError> {
    for category in categories(model) {
        tree.put(&shared(&category), "namespace", &Namespace::new(&category))?;
        volume::put_shared(tree, model, &category)?;
    }
    affinity::put(tree, model)?;
    for app in all(model) {
        let folder = app.folder();
        workload::put(tree, model, app)?;
        network::put(tree, model, app)?;
        volume::put(tree, model, app)?;
        replication::put(tree, model, app)?;
        if affinity::stands_by(app.service) {
            tree.apply(&folder, &affinity::component(app.service));
        }
    }
    Ok(())
}
