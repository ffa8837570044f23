//! Tasks: `deploy:<service>`, the same command on every node.
//!
//! In: services and nodes. Out: on the service's own nodes the deployment itself; elsewhere the same task over there by
//! OpenSSH, since every node has an engine of its own (document 002, Service Integration Pattern).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::Serialize;

use crate::escape::sh;
use crate::model::{Capability, Model, Node, Service, ServiceKind};
use crate::render::RenderError;

/// Folder of the Compose files in a person's home, as document 003 lays it out; chezmoi fills it. mise fills the hole.
const COMPOSE: &str = "{{env.HOME}}/.config/docker/compose";

/// A task of mise.
#[derive(Debug, Serialize)]
pub struct Task {
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    dir: Option<String>,
    run: Vec<String>,
}

/// All tasks of `node`, by name.
///
/// # Errors
/// If a name has no form in a shell command.
pub fn tasks(model: &Model, node: &Node) -> Result<BTreeMap<String, Task>, RenderError> {
    let mut tasks = BTreeMap::new();
    for service in model.services.values().filter(|service| service.kind == ServiceKind::Compose) {
        let task = if service.nodes.contains(&node.name) {
            Some(here(model, service)?)
        } else {
            there(model, node, service)?
        };
        if let Some(task) = task {
            tasks.insert(format!("deploy:{}", service.name), task);
        }
    }
    Ok(tasks)
}

fn word(text: &str) -> Result<String, RenderError> {
    sh::word(text).map_err(RenderError::inexpressible("a task of mise"))
}

/// Networks (FIELD D3), the deployment, and a look at what runs: Infisical's command turns every exit code into 1
/// (FIELD D12), and a container can fall over after Compose has come back.
fn here(model: &Model, service: &Service) -> Result<Task, RenderError> {
    let mut run = Vec::new();
    for (name, range) in &model.docker.networks {
        let name = word(name)?;
        run.push(format!(
            "docker network inspect {name} >/dev/null 2>&1 || docker network create --subnet {range} {name}"
        ));
    }
    let name = word(&service.name)?;
    let file = match &service.secrets_file {
        Some(file) => format!(" --env-file {}", word(file.as_str())?),
        None => String::new(),
    };
    let compose =
        format!("docker compose --project-name {name} --env-file ../node.env{file} up --detach --wait");
    run.push(match &service.secrets_path {
        Some(path) => format!("{} -- {compose}", infisical(path.as_str())?),
        None => compose,
    });
    for container in service.images.keys() {
        let filters = [
            format!("label=com.docker.compose.project={}", service.name),
            format!("label=com.docker.compose.service={container}"),
            "status=running".to_owned(),
        ];
        let filters = filters.iter().map(|filter| Ok(format!("--filter {}", word(filter)?)));
        let filters = filters.collect::<Result<Vec<_>, RenderError>>()?.join(" ");
        let complaint = word(&format!("{container} of {} does not run", service.name))?;
        run.push(format!("docker ps --quiet {filters} | grep -q . || {{ echo {complaint} >&2; exit 1; }}"));
    }
    if let Some(container) = service.main.as_ref().filter(|_| service.runs("caddy")) {
        // Its file is the join's, and changes without the container.
        let container = word(container)?;
        run.push(format!(
            "docker compose --project-name {name} exec --no-TTY {container} caddy reload --config /etc/caddy/Caddyfile"
        ));
    }
    Ok(Task {
        description: format!("Deploy {}", summary(service)),
        dir: Some(format!("{COMPOSE}/{}", service.name)),
        run,
    })
}

/// Infisical's command with everything said (FIELD D13); its token comes from `INFISICAL_TOKEN`.
fn infisical(path: &str) -> Result<String, RenderError> {
    Ok(format!(
        "infisical run --projectId \"${{INFISICAL_PROJECT_ID:?the id of the project in Infisical}}\" --env \"${{INFISICAL_ENVIRONMENT:-prod}}\" --path {} --domain \"${{INFISICAL_DOMAIN:?the URL of Infisical}}\"",
        word(path)?
    ))
}

/// The same task on the service's own nodes; nothing where no Linux node of them has mise.
fn there(model: &Model, node: &Node, service: &Service) -> Result<Option<Task>, RenderError> {
    let (mut run, mut places) = (Vec::new(), Vec::new());
    for place in service.nodes.iter().filter_map(|name| model.nodes.get(name)) {
        if place.os.family.is_linux() && place.can(Capability::Mise) {
            let target = word(&format!("{}@{}", model.admin_user, address(node, place)))?;
            run.push(format!("ssh {target} mise run {}", word(&format!("deploy:{}", service.name))?));
            places.push(place.name.to_string());
        }
    }
    if run.is_empty() {
        return Ok(None);
    }
    let description = format!("Deploy {} (on {})", summary(service), places.join(", "));
    Ok(Some(Task { description, dir: None, run }))
}

/// Where `node` reaches `place`: over the mesh if both are in it, which also works away from home.
fn address(node: &Node, place: &Node) -> Ipv4Addr {
    match (node.mesh_address, place.mesh_address) {
        (Some(_), Some(address)) => address,
        _ => place.address,
    }
}

fn summary(service: &Service) -> String {
    if service.description.is_empty() {
        service.name.clone()
    } else {
        format!("{}: {}", service.name, service.description.trim_end_matches('.'))
    }
}
