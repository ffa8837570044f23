//! Compose projects on nodes with Docker, from the files a person wrote.
//!
//! In: a service's `compose.yaml`, its plain settings, the names of its secrets. Out: the file below `/etc/rootstock/compose`,
//! a file for root alone for each secret, and the project, up. Where the profile has no such file the service is deployed
//! from the person's home (decision 0021).

use std::collections::{BTreeMap, BTreeSet};

use desired::resource::{Owner, Resource, ResourceId, SecretPart, Want};
use desired::{AbsPath, Mode, SecretReference};

use super::{RenderError, docker};
use crate::model::{Capability, Model, Node, Pins, Service};

/// Where the files of projects lie, a folder each.
const FOLDER: &str = "/etc/rootstock/compose";

/// The projects of `node`.
///
/// # Errors
/// If a service's name is no path, or the name of a secret no variable.
pub fn resources(model: &Model, node: &Node, _pins: &Pins) -> Result<Vec<Resource>, RenderError> {
    let has_docker = node.can(Capability::Docker) || node.can(Capability::Swarm);
    if !node.os.family.is_linux() || !has_docker {
        return Ok(Vec::new());
    }
    let mut all = Vec::new();
    for service in model.services_on(&node.name).filter(|service| service.runs_on(&node.name)) {
        if let Some(text) = &service.compose {
            all.extend(project(model, service, text)?);
        }
    }
    Ok(all)
}

fn project(model: &Model, service: &Service, text: &str) -> Result<Vec<Resource>, RenderError> {
    let name = &service.name;
    let file = path(&format!("{FOLDER}/{name}/compose.yaml"))?;
    let mut all = vec![Resource::new(Want::File {
        path: file.clone(),
        mode: Mode::PUBLIC,
        owner: Owner::root(),
        content: text.to_owned(),
    })];
    let mut secrets = BTreeMap::new();
    for secret in service.all_secrets() {
        let path = path(&format!("{FOLDER}/{name}/secrets/{secret}"))?;
        all.push(Resource::new(Want::SecretFile {
            path: path.clone(),
            mode: Mode::PRIVATE,
            owner: Owner::root(),
            parts: vec![SecretPart::Secret(SecretReference::Environment(secret.clone()))],
        }));
        secrets.insert(secret.clone(), path);
    }
    let restart_on: BTreeSet<ResourceId> = all.iter().map(|resource| resource.id.clone()).collect();
    let want = Want::Compose {
        project: name.clone(),
        file,
        environment: service.environment.clone(),
        secrets,
        restart_on,
    };
    let project = docker::ready(model)?.iter().fold(Resource::new(want), Resource::after);
    all.push(project);
    Ok(all)
}

fn path(text: &str) -> Result<AbsPath, RenderError> {
    text.parse().map_err(RenderError::invalid(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    fn of(model: &Model, node: &str) -> Vec<Resource> {
        resources(model, &model.nodes[node], &Pins::default()).unwrap()
    }

    #[test]
    fn a_project_has_its_file_its_secrets_and_everything_that_docker_needs() {
        let mut model = fixture::model();
        assert!(of(&model, "store").is_empty(), "without a file of the profile it is deployed from a home");
        model.services.get_mut("forge").unwrap().compose =
            Some("services: { forge: { image: a } }\n".to_owned());
        let all = of(&model, "store");
        let ids: Vec<&str> = all.iter().map(|resource| resource.id.as_str()).collect();
        assert_eq!(
            ids,
            [
                "file:/etc/rootstock/compose/forge/compose.yaml",
                "secret-file:/etc/rootstock/compose/forge/secrets/FORGE_KEY",
                "compose:forge"
            ]
        );
        let Want::Compose { restart_on, secrets, .. } = &all[2].want else { panic!() };
        assert_eq!((restart_on.len(), secrets.len()), (2, 1));
        let after: Vec<&str> = all[2].after.iter().map(ResourceId::as_str).collect();
        assert_eq!(after, ["run:docker-network-lab-net", "unit:docker.service"]);
        // Only where there is Docker, and of nodes that stand by for one another only on the first.
        assert!(of(&model, "worker").is_empty());
        model.services.get_mut("forge").unwrap().prefers =
            vec!["maker".parse().unwrap(), "store".parse().unwrap()];
        assert!(of(&model, "store").is_empty());
        assert_eq!(of(&model, "maker").len(), 3);
    }
}
