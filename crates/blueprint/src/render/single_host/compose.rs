//! The Compose file: one for `docker compose` and `podman compose`.
//!
//! In: the parts of a service. Out: YAML of the Compose Specification, without the `version` that is obsolete there
//! (FIELD X32). Folders are bound in the long form and must be there, or an engine would make an empty one as root's
//! (FIELD X13).

use std::collections::BTreeMap;

use serde::Serialize;

use super::{memory, source, variables};
use crate::escape::yaml;
use crate::model::{Model, Service};
use crate::render::RenderError;
use crate::render::application::Part;

#[derive(Debug, Serialize)]
struct File {
    name: String,
    services: BTreeMap<String, Container>,
}

#[derive(Debug, Serialize)]
struct Container {
    image: String,
    restart: &'static str,
    environment: BTreeMap<String, String>,
    ports: Vec<String>,
    volumes: Vec<Bind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mem_limit: Option<String>,
}

#[derive(Debug, Serialize)]
struct Bind {
    #[serde(rename = "type")]
    kind: &'static str,
    source: String,
    target: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    read_only: bool,
    bind: Options,
}

#[derive(Debug, Serialize)]
struct Options {
    create_host_path: bool,
}

/// The file's text.
///
/// # Errors
/// If a value has no form in YAML, or an amount of memory none in Compose.
pub fn document(model: &Model, service: &Service, parts: &[Part<'_>]) -> Result<String, RenderError> {
    let mut services = BTreeMap::new();
    for part in parts {
        let bind = |folder| Bind {
            kind: "bind",
            source: source(folder),
            target: folder.volume.target.to_string(),
            read_only: folder.volume.read_only,
            bind: Options { create_host_path: false },
        };
        let container = Container {
            image: part.image.to_owned(),
            restart: "unless-stopped",
            environment: variables(model, part),
            ports: part.ports.to_vec(),
            volumes: part.folders.iter().map(bind).collect(),
            mem_limit: part.memory_limit.map(memory::bytes).transpose()?,
        };
        services.insert(part.name.to_owned(), container);
    }
    yaml::document(&File { name: service.name.clone(), services })
        .map_err(RenderError::inexpressible(format!("the Compose file of {}", service.name)))
}
