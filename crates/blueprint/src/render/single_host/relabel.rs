//! What the Compose file is overridden with on a machine where SELinux enforces.
//!
//! In: the parts of a service, and the shares. Out: YAML with labels for the folders that may have them: `Z` for one
//! container's own, `z` for one that several write to; none for what lies on a share, which holds no labels (FIELD D11,
//! X33), is only read, or is so broad that others' files would be relabelled with it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{share, source};
use crate::escape::yaml;
use crate::model::{Model, Service, Volume};
use crate::render::RenderError;
use crate::render::application::Part;

/// Folders above this depth are other programs' too: `/srv`, `/home/ada`.
const OWN_DEPTH: usize = 3;

#[derive(Debug, Serialize)]
struct File {
    services: BTreeMap<String, Container>,
}

#[derive(Debug, Serialize)]
struct Container {
    volumes: Vec<Bind>,
}

#[derive(Debug, Serialize)]
struct Bind {
    #[serde(rename = "type")]
    kind: &'static str,
    source: String,
    target: String,
    bind: Options,
}

#[derive(Debug, Serialize)]
struct Options {
    create_host_path: bool,
    selinux: &'static str,
}

/// The label for `volume`, if it may have one.
pub fn label(model: &Model, service: &Service, volume: &Volume) -> Option<&'static str> {
    let depth = volume.source.as_str().split('/').filter(|part| !part.is_empty()).count();
    if volume.read_only || depth < OWN_DEPTH || share(model, service, volume).is_some() {
        return None;
    }
    let all = model.services.values().flat_map(Service::all_volumes);
    let users = all.filter(|other| other.source == volume.source).count();
    Some(if users > 1 { "z" } else { "Z" })
}

/// The file's text.
///
/// # Errors
/// If a value has no form in YAML.
pub fn document(model: &Model, service: &Service, parts: &[Part<'_>]) -> Result<String, RenderError> {
    let container = |part: &Part<'_>| {
        let bind = |folder| {
            let folder: &crate::render::application::Folder<'_> = folder;
            let selinux = label(model, service, folder.volume)?;
            Some(Bind {
                kind: "bind",
                source: source(folder),
                target: folder.volume.target.to_string(),
                bind: Options { create_host_path: false, selinux },
            })
        };
        let volumes: Vec<Bind> = part.folders.iter().filter_map(bind).collect();
        (!volumes.is_empty()).then(|| (part.name.to_owned(), Container { volumes }))
    };
    let services = parts.iter().filter_map(container).collect();
    let body = yaml::document(&File { services })
        .map_err(RenderError::inexpressible(format!("the labels of {}", service.name)))?;
    let name = &service.name;
    Ok(format!(
        "# For machines where SELinux enforces; others leave it out:\n\
         #     docker compose -f docker-compose.{name}.yml -f docker-compose.{name}.selinux.yml up -d\n\
         # Z gives a folder to one container, z to several. Never on NFS or CIFS, which hold no labels, nor on folders\n\
         # that are others' too: their files would be relabelled.\n{body}"
    ))
}
