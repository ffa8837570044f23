//! Services on one machine without Kubernetes, in every form that document 000 names, from one description.
//!
//! In: Compose services with variants. Out, in the cluster tree, `compose/<service>/`: the Compose file, what it is
//! overridden with under SELinux, `.env.example`, the way there from volumes, a stack for Swarm, Podman's units, and a unit of the system that runs
//! Compose once the folders' real mounts are there. On the node: the local folders themselves. No secret value is in any.

mod compose;
mod environment;
mod memory;
mod migration;
mod relabel;
mod stack;
#[cfg(test)]
mod tests;
mod units;

use desired::resource::{Owner, Resource, Want};
use desired::{FileSet, Mode};

use super::RenderError;
use super::application::{self, Part};
use crate::model::{Model, Node, Pins, Service, Share, ShareServer, Variant, Volume};

/// Services that are written in further forms.
fn services(model: &Model) -> impl Iterator<Item = &Service> {
    model.services.values().filter(|service| !service.variants.is_empty())
}

/// The share that `volume` lies on, as any of `service`'s nodes sees it.
fn share<'a>(model: &'a Model, service: &Service, volume: &Volume) -> Option<&'a Share> {
    let below = |folder: &str| {
        let rest = volume.source.as_str().strip_prefix(folder);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    model.shares.values().find(|share| {
        let serves = |node| share.server == ShareServer::Node(node);
        let here = |node: &desired::NodeName| {
            (serves(node.clone()) && below(share.path.as_str()))
                || share.clients.get(node).is_some_and(|point| below(point))
        };
        service.nodes.iter().any(here)
    })
}

/// The files below `compose/`.
///
/// # Errors
/// If a value has no form in its file.
pub fn tree(model: &Model, _pins: &Pins) -> Result<FileSet, RenderError> {
    let mut files = FileSet::new();
    for service in services(model) {
        let parts = application::parts(service);
        let name = &service.name;
        let mut put = |file: String, text: String| {
            let path = format!("compose/{name}/{file}");
            let mode = if file.ends_with(".sh") { Mode::EXECUTABLE } else { Mode::PUBLIC };
            files.insert(&path, mode, text).map_err(RenderError::invalid(path.clone()))
        };
        put(format!("docker-compose.{name}.yml"), compose::document(model, service, &parts)?)?;
        put(format!("docker-compose.{name}.selinux.yml"), relabel::document(model, service, &parts)?)?;
        put(".env.example".to_owned(), environment::document(service, &parts)?)?;
        if let Some(text) = migration::script(service)? {
            put("migrate.sh".to_owned(), text)?;
        }
        if service.variants.contains(&Variant::Swarm) {
            put(format!("stack.{name}.yml"), stack::document(model, service, &parts)?)?;
        }
        if service.variants.contains(&Variant::Quadlet) {
            for (file, text) in units::documents(model, service, &parts)? {
                put(file, text)?;
            }
        }
    }
    Ok(files)
}

/// The folders of `node`'s services that lie on none of the cluster's shares: no engine is to make them as root's.
///
/// # Errors
/// Never, while a folder's mode is one.
pub fn resources(model: &Model, node: &Node, _pins: &Pins) -> Result<Vec<Resource>, RenderError> {
    let owner = Owner { user: model.admin_user.clone(), group: model.admin_user.clone() };
    let mut all = Vec::new();
    let here = services(model).filter(|service| node.os.family.is_linux() && service.runs_on(&node.name));
    for service in here {
        for volume in service.all_volumes().filter(|volume| share(model, service, volume).is_none()) {
            let want =
                Want::Directory { path: volume.source.clone(), mode: Mode::EXECUTABLE, owner: owner.clone() };
            all.push(Resource::new(want));
        }
    }
    Ok(all)
}

/// How a form writes a folder: by its variable, which has to be set, or as it is.
fn source(folder: &application::Folder<'_>) -> String {
    match folder.variable {
        Some(variable) => format!("${{{variable}:?see .env.example}}"),
        None => folder.volume.source.to_string(),
    }
}

/// Variables of a part: plain ones with `$` kept from being one of Compose, secrets by their names.
fn variables(model: &Model, part: &Part<'_>) -> std::collections::BTreeMap<String, String> {
    let zone = ("TZ".to_owned(), model.timezone.clone());
    let plain = part.environment.iter().map(|(name, value)| ((*name).to_owned(), value.replace('$', "$$")));
    let secrets = part.secrets.iter().map(|name| (name.clone(), format!("${{{name}:?see .env.example}}")));
    std::iter::once(zone).chain(plain).chain(secrets).collect()
}
