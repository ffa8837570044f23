//! Docker and Podman on nodes that run containers themselves.
//!
//! In: a node's capabilities, the cluster's registries and Docker settings. Out: packages of its distribution, `daemon.json`
//! at the path the daemon reads (FIELD D10), the Compose plugin, shared networks, units. No storage driver and no registry
//! mirror: the first hides images when it changes (FIELD D8), the second serves Docker Hub alone (FIELD D9).

use std::collections::{BTreeMap, BTreeSet};

use desired::resource::{Owner, Resource, ResourceId, Want};
use desired::{Mode, UnitName};
use serde_json::{Value, json};

use super::packages::{self, Need};
use super::{RenderError, pin};
use crate::model::{Capability, Model, Node, Pins};

/// Where `docker compose` looks for plugins of the whole machine; `/usr/local/bin` makes no plugin (FIELD D6).
const COMPOSE: &str = "/usr/local/lib/docker/cli-plugins/docker-compose";
const DAEMON: &str = "/etc/docker/daemon.json";

/// What a node with Docker or Podman is given.
///
/// # Errors
/// If the Compose plugin is not pinned at the profile's version.
pub fn resources(model: &Model, node: &Node, pins: &Pins) -> Result<Vec<Resource>, RenderError> {
    if !node.os.family.is_linux() {
        return Ok(Vec::new());
    }
    let mut all = Vec::new();
    if node.can(Capability::Docker) || node.can(Capability::Swarm) {
        all.extend(engine(model, node)?);
    }
    if node.can(Capability::RootlessDocker) {
        all.extend(rootless(model, node)?);
    }
    if node.can(Capability::Podman) {
        all.extend(packages::resource(node, &[Need::Podman]));
    }
    if !all.is_empty() {
        // Podman hands `podman compose` to the same plugin.
        all.extend(compose(model, node, pins)?);
    }
    Ok(all)
}

/// Docker Engine as root.
fn engine(model: &Model, node: &Node) -> Result<Vec<Resource>, RenderError> {
    let mut all: Vec<Resource> =
        packages::resource(node, &[Need::Docker, Need::Buildx]).into_iter().collect();
    let daemon = Resource::new(Want::File {
        path: DAEMON.parse().map_err(RenderError::invalid(DAEMON))?,
        mode: Mode::PUBLIC,
        owner: Owner::root(),
        content: daemon_json(model)?,
    });
    let containerd = unit("containerd.service", BTreeSet::new())?;
    let docker = unit("docker.service", [daemon.id.clone()].into())?.after(&containerd.id);
    let networks = networks(model, &docker)?;
    all.extend([daemon, containerd, docker]);
    all.extend(networks);
    Ok(all)
}

/// The daemon's settings: log rotation, and registries that speak plain HTTP.
fn daemon_json(model: &Model) -> Result<String, RenderError> {
    let mut keys: BTreeMap<&str, Value> = BTreeMap::new();
    keys.insert("log-driver", json!("json-file"));
    // Both are texts to Docker, the count too.
    keys.insert(
        "log-opts",
        json!({ "max-size": model.docker.log_max_size, "max-file": model.docker.log_max_file.to_string() }),
    );
    let plain: Vec<&str> = model
        .registries
        .iter()
        .filter(|(_, registry)| registry.http)
        .map(|(host, _)| host.as_str())
        .collect();
    if !plain.is_empty() {
        keys.insert("insecure-registries", json!(plain));
    }
    let mut text = serde_json::to_string_pretty(&keys).map_err(RenderError::json(DAEMON))?;
    text.push('\n');
    Ok(text)
}

/// Bridge networks that several Compose files name as external, which must be there before them (FIELD D3).
fn networks(model: &Model, docker: &Resource) -> Result<Vec<Resource>, RenderError> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let network = |(name, range): (&String, &ipnet::Ipv4Net)| {
        let range = range.to_string();
        Resource::new(Want::Run {
            name: format!("docker-network-{name}"),
            command: words(&["docker", "network", "create", "--driver", "bridge", "--subnet", &range, name]),
            unless: words(&["docker", "network", "inspect", name]),
        })
        .after(&docker.id)
    };
    Ok(model.docker.networks.iter().map(network).collect())
}

/// What must be there before containers are started: the daemon, and the networks that several projects share.
///
/// # Errors
/// Never: the daemon's unit has a legal name.
pub(super) fn ready(model: &Model) -> Result<Vec<ResourceId>, RenderError> {
    let docker = unit("docker.service", BTreeSet::new())?;
    let networks = networks(model, &docker)?;
    Ok(std::iter::once(docker).chain(networks).map(|resource| resource.id).collect())
}

/// Docker of the admin user; its daemon reads a file in that user's home. The user's own manager starts it.
fn rootless(model: &Model, node: &Node) -> Result<Vec<Resource>, RenderError> {
    let user = &model.admin_user;
    let owner = Owner { user: user.clone(), group: user.clone() };
    let home = format!("/home/{user}/.config");
    let folder = |path: String| {
        Ok(Resource::new(Want::Directory {
            path: path.parse().map_err(RenderError::invalid("the admin user's home"))?,
            mode: Mode::EXECUTABLE,
            owner: owner.clone(),
        }))
    };
    let path = format!("{home}/docker/daemon.json");
    let mut all: Vec<Resource> =
        packages::resource(node, &[Need::Docker, Need::RootlessDocker]).into_iter().collect();
    all.extend([
        folder(home.clone())?,
        folder(format!("{home}/docker"))?,
        Resource::new(Want::File {
            path: path.parse().map_err(RenderError::invalid(path.clone()))?,
            mode: Mode::PUBLIC,
            owner: owner.clone(),
            content: daemon_json(model)?,
        }),
    ]);
    Ok(all)
}

/// The Compose plugin, where the profile names its version.
fn compose(model: &Model, node: &Node, pins: &Pins) -> Result<Option<Resource>, RenderError> {
    const ARTIFACT: &str = "docker-compose";
    let Some(wanted) = model.versions.get(ARTIFACT) else {
        return Ok(None);
    };
    let pin = pin(pins, ARTIFACT, node)?;
    let artifact = ARTIFACT.parse().map_err(RenderError::invalid(ARTIFACT))?;
    if pin.version != *wanted {
        return Err(RenderError::StalePin {
            artifact,
            pinned: pin.version.clone(),
            wanted: wanted.clone(),
            node: node.name.clone(),
        });
    }
    Ok(Some(Resource::new(Want::Artifact {
        path: COMPOSE.parse().map_err(RenderError::invalid(COMPOSE))?,
        mode: pin.mode,
        artifact,
        file: pin.file.clone(),
        version: None,
        pinned: pin.pinned.clone(),
    })))
}

fn unit(name: &str, restart_on: BTreeSet<ResourceId>) -> Result<Resource, RenderError> {
    let name: UnitName = name.parse().map_err(RenderError::invalid(name))?;
    Ok(Resource::new(Want::Unit { name, enabled: true, active: true, waits: false, restart_on }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{OsFamily, Registry};
    use crate::render::testing;

    fn with(capability: Capability) -> Model {
        let mut model = testing::model();
        model.versions.insert("docker-compose".parse().unwrap(), "v2.40.3".to_owned());
        model.nodes.get_mut("pi-1").unwrap().capabilities.insert(capability);
        model
    }

    fn of(model: &Model) -> Vec<Resource> {
        resources(model, &model.nodes["pi-1"], &testing::pins()).unwrap()
    }

    fn ids(all: &[Resource]) -> Vec<&str> {
        all.iter().map(|resource| resource.id.as_str()).collect()
    }

    #[test]
    fn the_daemon_is_told_nothing_that_breaks_with_a_version() {
        let mut model = with(Capability::Docker);
        let registry = Registry {
            mirrors: vec!["https://mirror.home.arpa".to_owned()],
            http: true,
            user: None,
            password: None,
        };
        model.registries.insert("git.ism.la:5000".to_owned(), registry);
        let all = of(&model);
        let daemon =
            all.iter().find(|resource| resource.id.as_str() == "file:/etc/docker/daemon.json").unwrap();
        let Want::File { content, .. } = &daemon.want else { panic!() };
        let json: Value = serde_json::from_str(content).unwrap();
        assert_eq!(json["log-opts"], json!({ "max-size": "10m", "max-file": "3" }));
        assert_eq!(json["insecure-registries"], json!(["git.ism.la:5000"]));
        // FIELD D7, D8, D9
        for left_out in ["storage-driver", "registry-mirrors", "hosts", "exec-opts"] {
            assert!(json.get(left_out).is_none(), "{left_out}");
        }
    }

    #[test]
    fn compose_is_a_plugin_and_the_daemon_restarts_with_its_file() {
        let model = with(Capability::Docker);
        let all = of(&model);
        assert!(ids(&all).contains(&"artifact:/usr/local/lib/docker/cli-plugins/docker-compose"));
        let docker = all.iter().find(|resource| resource.id.as_str() == "unit:docker.service").unwrap();
        let Want::Unit { restart_on, .. } = &docker.want else { panic!() };
        assert_eq!(restart_on.len(), 1);
        assert!(docker.after.iter().any(|id| id.as_str() == "unit:containerd.service"));
    }

    #[test]
    fn shared_networks_are_made_once_and_only_with_docker() {
        let mut model = with(Capability::Docker);
        model.docker.networks.insert("cluster-local".to_owned(), "172.20.0.0/16".parse().unwrap());
        let all = of(&model);
        let network =
            all.iter().find(|resource| resource.id.as_str() == "run:docker-network-cluster-local").unwrap();
        let Want::Run { command, unless, .. } = &network.want else { panic!() };
        assert!(command.contains(&"172.20.0.0/16".to_owned()));
        assert_eq!(unless.join(" "), "docker network inspect cluster-local");
    }

    #[test]
    fn podman_alone_brings_no_daemon() {
        let model = with(Capability::Podman);
        assert_eq!(
            ids(&of(&model)),
            ["packages:apt", "artifact:/usr/local/lib/docker/cli-plugins/docker-compose"]
        );
    }

    #[test]
    fn rootless_settings_lie_in_the_users_home() {
        let model = with(Capability::RootlessDocker);
        let all = of(&model);
        assert!(ids(&all).contains(&"file:/home/operator/.config/docker/daemon.json"));
        assert!(!ids(&all).contains(&"file:/etc/docker/daemon.json"));
    }

    #[test]
    fn a_stale_pin_and_a_missing_one_name_the_command_that_helps() {
        let mut model = with(Capability::Docker);
        let missing = resources(&model, &model.nodes["pi-1"], &Pins::default()).unwrap_err().to_string();
        assert!(
            missing.contains("docker-compose has no pin for arm64") && missing.contains("cargo xtask lock")
        );
        model.versions.insert("docker-compose".parse().unwrap(), "v3.0.0".to_owned());
        let stale = resources(&model, &model.nodes["pi-1"], &testing::pins()).unwrap_err().to_string();
        assert!(stale.contains("v2.40.3") && stale.contains("v3.0.0"), "{stale}");
    }

    #[test]
    fn docker_desktop_is_its_makers_business() {
        let mut model = with(Capability::DockerDesktop);
        model.nodes.get_mut("pi-1").unwrap().os.family = OsFamily::Windows;
        assert!(of(&model).is_empty());
    }
}
