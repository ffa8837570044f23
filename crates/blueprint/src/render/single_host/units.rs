//! Podman's Quadlet units, and a unit of the system that runs Compose; both wait for the mounts that folders lie on.
//!
//! In: the parts of a service, its shares. Out: `quadlet/<part>.container`, `quadlet/<service>.network`, and
//! `systemd/<service>-compose.service`. Paths are literal (FIELD M5); `RequiresMountsFor=` alone is satisfied by `/`, so
//! `bootstrap wait-mount` looks for the real mount. Units of the system, as those of a person can't wait for its mounts
//! (FIELD M6, X31). Keys: podman-systemd.unit(5).

use std::collections::BTreeSet;

use serde::Serialize;

use super::{memory, relabel, share, variables};
use crate::model::{Model, Service, ShareServer, Volume};
use crate::render::application::{Folder, Part};
use crate::render::{RenderError, template};

/// 30 times 5 seconds, as document 000 has it, unless the service says otherwise.
const TRIES: (u32, u32) = (30, 5);
/// What a start may take besides waiting; an image is pulled in it.
const START_SECS: u32 = 300;
/// Where a person puts this folder, with the `.env` beside it.
const FOLDER: &str = "/etc/compose";

/// What all templates are told.
#[derive(Debug, Serialize)]
struct Context<'a> {
    service: &'a str,
    description: &'a str,
    /// Folders below those mounts; for any other `/` would do, which says nothing.
    folders: Vec<&'a str>,
    /// Mounts that have to be real.
    mounts: BTreeSet<&'a str>,
    wait_secs: u32,
    start_secs: u32,
    compose: String,
    container: Option<Container<'a>>,
}

#[derive(Debug, Serialize)]
struct Container<'a> {
    name: &'a str,
    image: &'a str,
    ports: &'a [String],
    volumes: Vec<String>,
    /// Each `NAME=value`.
    environment: Vec<String>,
    secrets: &'a [String],
    memory: Option<String>,
}

/// Each file by its name below the service's folder.
///
/// # Errors
/// If a value has no form in a unit.
pub fn documents(
    model: &Model,
    service: &Service,
    parts: &[Part<'_>],
) -> Result<Vec<(String, String)>, RenderError> {
    let wait_secs = wait_secs(service);
    let render = |name: &'static str, volumes: &[&Volume], container: Option<Container<'_>>| {
        let mounts = mounts(model, service, volumes);
        let context = Context {
            service: &service.name,
            description: &service.description,
            folders: volumes.iter().map(|volume| volume.source.as_str()).filter(below(&mounts)).collect(),
            wait_secs,
            start_secs: wait_secs * u32::try_from(mounts.len()).unwrap_or(1) + START_SECS,
            mounts,
            compose: format!("{FOLDER}/{}", service.name),
            container,
        };
        template::render(name, &context)
    };
    let mut files = Vec::new();
    for part in parts {
        let container = container(model, service, part)?;
        let own: Vec<&Volume> = part.folders.iter().map(|folder| folder.volume).collect();
        let text = render("single_host/part.container", &own, Some(container))?;
        files.push((format!("quadlet/{}.container", part.name), text));
    }
    let network = render("single_host/service.network", &[], None)?;
    files.push((format!("quadlet/{}.network", service.name), network));
    let all: Vec<&Volume> = parts.iter().flat_map(|part| &part.folders).map(|folder| folder.volume).collect();
    let text = render("single_host/compose.service", &all, None)?;
    files.push((format!("systemd/{}-compose.service", service.name), text));
    Ok(files)
}

fn container<'a>(model: &Model, service: &Service, part: &'a Part<'_>) -> Result<Container<'a>, RenderError> {
    let volume = |folder: &Folder<'_>| {
        let volume = folder.volume;
        let read_only = volume.read_only.then_some("ro");
        let flags: Vec<&str> = read_only.into_iter().chain(relabel::label(model, service, volume)).collect();
        let flags = if flags.is_empty() { String::new() } else { format!(":{}", flags.join(",")) };
        format!("{}:{}{flags}", volume.source, volume.target)
    };
    // Secrets come from Podman's own store, and nothing here is read by Compose.
    let plain = variables(model, part).into_iter().filter(|(name, _)| !part.secrets.contains(name));
    Ok(Container {
        name: part.name,
        image: part.image,
        ports: part.ports,
        volumes: part.folders.iter().map(volume).collect(),
        environment: plain.map(|(name, value)| format!("{name}={}", value.replace("$$", "$"))).collect(),
        secrets: part.secrets,
        memory: part.memory_limit.map(memory::bytes).transpose()?,
    })
}

/// Where the shares that these folders lie on are mounted on the service's nodes; a folder of the server's own root is no
/// mount.
fn mounts<'a>(model: &'a Model, service: &Service, volumes: &[&Volume]) -> BTreeSet<&'a str> {
    let mut all = BTreeSet::new();
    for share in volumes.iter().filter_map(|volume| share(model, service, volume)) {
        for node in &service.nodes {
            all.extend(share.clients.get(node).map(String::as_str));
            let serves = share.server == ShareServer::Node(node.clone());
            all.extend((serves && share.device.is_some()).then_some(share.path.as_str()));
        }
    }
    all
}

/// Whether a path lies below one of them.
fn below(mounts: &BTreeSet<&str>) -> impl Fn(&&str) -> bool + use<> {
    let mounts: Vec<String> = mounts.iter().map(|mount| format!("{mount}/")).collect();
    move |path| mounts.iter().any(|mount| format!("{path}/").starts_with(mount))
}

fn wait_secs(service: &Service) -> u32 {
    let setting = |name: &str| service.settings.get(name).and_then(|value| value.parse::<u32>().ok());
    let (tries, seconds) = TRIES;
    setting("wait-mount-tries")
        .unwrap_or(tries)
        .saturating_mul(setting("wait-mount-seconds").unwrap_or(seconds))
}
