//! The stack for Swarm, in the old form of Compose that `docker stack deploy` reads.
//!
//! In: the parts of a service and its nodes. Out: YAML of version 3.9, with nothing in it that is newer. Tasks stay on the
//! service's nodes: a bind mount's folder must be where a task lands. Source: docker stack deploy; Compose file version 3.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{memory, source, variables};
use crate::escape::yaml;
use crate::model::{Model, Service};
use crate::render::RenderError;
use crate::render::application::Part;

#[derive(Debug, Serialize)]
struct File {
    version: &'static str,
    services: BTreeMap<String, Container>,
}

#[derive(Debug, Serialize)]
struct Container {
    image: String,
    environment: BTreeMap<String, String>,
    ports: Vec<String>,
    volumes: Vec<Bind>,
    deploy: Deploy,
}

#[derive(Debug, Serialize)]
struct Bind {
    #[serde(rename = "type")]
    kind: &'static str,
    source: String,
    target: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    read_only: bool,
}

#[derive(Debug, Serialize)]
struct Deploy {
    replicas: u32,
    placement: Placement,
    restart_policy: Restart,
    update_config: Update,
    #[serde(skip_serializing_if = "Option::is_none")]
    resources: Option<Resources>,
}

#[derive(Debug, Serialize)]
struct Placement {
    constraints: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Restart {
    condition: &'static str,
    delay: &'static str,
}

/// The old one goes before the new one comes: never two at once on the same database.
#[derive(Debug, Serialize)]
struct Update {
    order: &'static str,
}

#[derive(Debug, Serialize)]
struct Resources {
    limits: Limits,
}

#[derive(Debug, Serialize)]
struct Limits {
    memory: String,
}

/// The file's text.
///
/// # Errors
/// As the Compose file's.
pub fn document(model: &Model, service: &Service, parts: &[Part<'_>]) -> Result<String, RenderError> {
    let mut services = BTreeMap::new();
    for part in parts {
        let bind = |folder| Bind {
            kind: "bind",
            source: source(folder),
            target: folder.volume.target.to_string(),
            read_only: folder.volume.read_only,
        };
        let limit = part.memory_limit.map(memory::bytes).transpose()?;
        let container = Container {
            image: part.image.to_owned(),
            environment: variables(model, part),
            ports: part.ports.to_vec(),
            volumes: part.folders.iter().map(bind).collect(),
            deploy: Deploy {
                replicas: service.replicas,
                placement: Placement { constraints: constraints(service) },
                restart_policy: Restart { condition: "on-failure", delay: "15s" },
                update_config: Update { order: "stop-first" },
                resources: limit.map(|memory| Resources { limits: Limits { memory } }),
            },
        };
        services.insert(part.name.to_owned(), container);
    }
    let body = yaml::document(&File { version: "3.9", services })
        .map_err(RenderError::inexpressible(format!("the stack of {}", service.name)))?;
    Ok(format!(
        "# Read by the old loader, which reads no .env: set -a; . ./.env; set +a\n\
         #     docker stack deploy -c stack.{0}.yml {0}\n\
         # Swarm wants a rootful Docker on every node.\n{body}",
        service.name
    ))
}

/// Constraints are all to hold, so several nodes can't be named by them: the first that is preferred is, or the first.
fn constraints(service: &Service) -> Vec<String> {
    let node = service.prefers.first().or_else(|| service.nodes.first());
    node.map(|node| format!("node.hostname == {node}")).into_iter().collect()
}
