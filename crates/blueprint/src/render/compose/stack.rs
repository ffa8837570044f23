//! A service's `compose.yaml`, by a serializer.
//!
//! In: a service and the node it runs on. Out: the file with that node's paths. Secrets are names that Compose demands a
//! value for; folders on a share must be there, or a container would fill the disk below the mount point (FIELD X13);
//! the main container waits for the others. Logs are rotated here only where the daemon is not ours to set.

use std::collections::{BTreeMap, BTreeSet};

use desired::ByteSize;
use serde::Serialize;

use crate::escape::{compose, yaml};
use crate::lint::service::within;
use crate::model::{Capability, Container, Model, Node, Service, Setting, SettingPart, Volume};
use crate::render::{RenderError, domains};

#[derive(Debug, Serialize)]
struct Document {
    name: String,
    services: BTreeMap<String, Entry>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    networks: BTreeMap<String, Network>,
}

#[derive(Debug, Serialize)]
struct Entry {
    image: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    command: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    restart: &'static str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    depends_on: BTreeMap<String, Condition>,
    environment: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network_mode: Option<&'static str>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    networks: BTreeSet<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ports: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    volumes: Vec<Bind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    healthcheck: Option<HealthCheck>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logging: Option<Logging>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deploy: Option<Deploy>,
}

#[derive(Debug, Serialize)]
struct Condition {
    condition: &'static str,
}

#[derive(Debug, Serialize)]
struct Bind {
    r#type: &'static str,
    source: String,
    target: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    read_only: bool,
    bind: BindOptions,
}

#[derive(Debug, Serialize)]
struct BindOptions {
    create_host_path: bool,
}

/// A container may take two minutes to start, as those that migrate a database do; after that a minute of failures counts.
#[derive(Debug, Serialize)]
struct HealthCheck {
    test: Vec<String>,
    interval: &'static str,
    timeout: &'static str,
    retries: u32,
    start_period: &'static str,
}

#[derive(Debug, Serialize)]
struct Logging {
    driver: &'static str,
    options: BTreeMap<&'static str, String>,
}

#[derive(Debug, Serialize)]
struct Deploy {
    resources: Resources,
}

#[derive(Debug, Serialize)]
struct Resources {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    limits: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reservations: Option<Reservations>,
}

#[derive(Debug, Serialize)]
struct Reservations {
    devices: [Device; 1],
}

#[derive(Debug, Serialize)]
struct Device {
    driver: &'static str,
    count: &'static str,
    capabilities: [&'static str; 1],
}

#[derive(Debug, Serialize)]
struct Network {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    driver: Option<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    external: bool,
}

/// The file of `service` on `node`.
///
/// # Errors
/// If it has no form in YAML.
pub(super) fn document(model: &Model, service: &Service, node: &Node) -> Result<String, RenderError> {
    let containers = service.containers.iter();
    let document = Document {
        name: service.name.clone(),
        services: containers
            .map(|(name, container)| (name.clone(), entry(model, service, node, name, container)))
            .collect(),
        networks: networks(service),
    };
    let text = yaml::document(&document).map_err(RenderError::inexpressible("a Compose file"))?;
    Ok(format!("# Written by rootstock for cluster {}; it overwrites changes made here.\n{text}", model.name))
}

fn entry(model: &Model, service: &Service, node: &Node, name: &str, container: &Container) -> Entry {
    let words = |words: &[String]| words.iter().map(|word| compose::text(word)).collect::<Vec<_>>();
    let is_main = service.main.as_deref() == Some(name);
    let mut environment: BTreeMap<String, String> =
        container.environment.iter().map(|(key, value)| (key.clone(), setting(value))).collect();
    environment.entry("TZ".to_owned()).or_insert_with(|| compose::text(&model.timezone));
    if is_main && service.runs("pihole") {
        // Pi-hole parts the entries of a list with semicolons.
        environment.insert("FTLCONF_dns_hosts".to_owned(), compose::text(&domains::records(model).join(";")));
    }
    Entry {
        image: compose::text(&container.image),
        command: words(&container.command),
        user: container.user.as_deref().map(compose::text),
        restart: "unless-stopped",
        depends_on: if is_main { others(service, name) } else { BTreeMap::new() },
        environment,
        network_mode: container.host_network.then_some("host"),
        networks: networks_of(service, container),
        ports: if container.host_network { Vec::new() } else { words(&container.ports) },
        volumes: container.volumes.iter().map(|volume| bind(model, node, volume)).collect(),
        healthcheck: health_check(&container.health_check),
        logging: logging(model, node),
        deploy: deploy(node, container),
    }
}

fn setting(setting: &Setting) -> String {
    let part = |part: &SettingPart| match part {
        SettingPart::Text(text) => compose::text(text),
        SettingPart::Secret(name) => compose::required(name),
    };
    setting.0.iter().map(part).collect()
}

/// All containers but `main`, as it waits for them.
fn others(service: &Service, main: &str) -> BTreeMap<String, Condition> {
    let others = service.containers.iter().filter(|(name, _)| *name != main);
    let condition = |container: &Container| {
        if container.health_check.is_empty() { "service_started" } else { "service_healthy" }
    };
    others.map(|(name, container)| (name.clone(), Condition { condition: condition(container) })).collect()
}

/// Whether containers talk to one another over a network of their own.
fn has_own_network(service: &Service) -> bool {
    service.containers.values().filter(|container| !container.host_network).count() > 1
}

fn networks_of(service: &Service, container: &Container) -> BTreeSet<String> {
    let mut names = container.networks.clone();
    // Compose puts a container that names none into the default one.
    if !names.is_empty() && has_own_network(service) {
        names.insert("default".to_owned());
    }
    names
}

fn networks(service: &Service) -> BTreeMap<String, Network> {
    let shared = service.containers.values().flat_map(|container| &container.networks);
    let mut networks: BTreeMap<String, Network> =
        shared.map(|name| (name.clone(), Network { name: None, driver: None, external: true })).collect();
    if has_own_network(service) {
        let name = Some(format!("{}-internal", service.name));
        networks.insert("default".to_owned(), Network { name, driver: Some("bridge"), external: false });
    }
    networks
}

/// A folder under the path that `node` has it at. One that is only read, or lies on a share, is made by somebody else:
/// where it is missing the container must not start.
fn bind(model: &Model, node: &Node, volume: &Volume) -> Bind {
    let (source, on_share) = place(model, node, volume.source.as_str());
    Bind {
        r#type: "bind",
        source: compose::text(&source),
        target: compose::text(volume.target.as_str()),
        read_only: volume.read_only,
        bind: BindOptions { create_host_path: !on_share && !volume.read_only },
    }
}

/// Where `node` has what is at `path` on some node, and whether that is on a share.
fn place(model: &Model, node: &Node, path: &str) -> (String, bool) {
    let here = model.share_paths(&node.name);
    for share in model.shares.values() {
        let Some(own) = here.get(share.name.as_str()) else { continue };
        let known = std::iter::once(*own)
            .chain([share.path.as_str()])
            .chain(share.clients.values().map(String::as_str));
        if let Some(rest) =
            known.filter(|known| within(path, known)).find_map(|known| path.strip_prefix(known))
        {
            return (format!("{own}{rest}"), true);
        }
    }
    (path.to_owned(), false)
}

fn health_check(words: &[String]) -> Option<HealthCheck> {
    let test = std::iter::once("CMD".to_owned()).chain(words.iter().map(|word| compose::text(word)));
    (!words.is_empty()).then(|| HealthCheck {
        test: test.collect(),
        interval: "10s",
        timeout: "5s",
        retries: 6,
        start_period: "2m",
    })
}

/// Docker Desktop and Podman are not told by us how to rotate.
fn logging(model: &Model, node: &Node) -> Option<Logging> {
    let ours = [Capability::Docker, Capability::Swarm, Capability::RootlessDocker];
    let ours = node.os.family.is_linux() && ours.into_iter().any(|engine| node.can(engine));
    (!ours).then(|| Logging {
        driver: "json-file",
        options: BTreeMap::from([
            ("max-size", model.docker.log_max_size.clone()),
            ("max-file", model.docker.log_max_file.to_string()),
        ]),
    })
}

fn deploy(node: &Node, container: &Container) -> Option<Deploy> {
    let mut limits = BTreeMap::new();
    limits.extend(container.memory_limit.map(|limit| ("memory", memory(limit))));
    limits.extend(container.cpu_limit_millis.map(|millis| ("cpus", cores(millis))));
    let uses_gpu = container.gpu && node.can(Capability::NvidiaGpu);
    let reservations = uses_gpu.then_some(Reservations {
        devices: [Device { driver: "nvidia", count: "all", capabilities: ["gpu"] }],
    });
    (!limits.is_empty() || reservations.is_some())
        .then_some(Deploy { resources: Resources { limits, reservations } })
}

/// Compose's `m` is a mebibyte.
fn memory(ByteSize(bytes): ByteSize) -> String {
    const MEBIBYTE: u64 = 1 << 20;
    if bytes.is_multiple_of(MEBIBYTE) { format!("{}m", bytes / MEBIBYTE) } else { format!("{bytes}b") }
}

fn cores(millis: u64) -> String {
    format!("{}.{:03}", millis / 1000, millis % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::OsFamily;
    use crate::render::fixture;
    use serde_json::Value;

    fn of(model: &Model, node: &str) -> Value {
        let text = document(model, &model.services["forge"], &model.nodes[node]).unwrap();
        yaml::read(&text).unwrap()
    }

    fn with_database() -> Model {
        let mut model = fixture::model();
        let service = model.services.get_mut("forge").unwrap();
        let forge = service.containers.get_mut("forge").unwrap();
        forge.networks.insert("lab-net".to_owned());
        forge.environment.insert("URL".to_owned(), Setting::read("db://a$b:${FORGE_KEY}@forge-db"));
        let health_check = ["pg_isready".to_owned()].into();
        let container = Container { image: "postgres:16.1".to_owned(), health_check, ..Container::default() };
        service.containers.insert("forge-db".to_owned(), container);
        model
    }

    #[test]
    fn a_share_is_at_the_path_its_node_has_it_at_and_must_be_there() {
        let model = fixture::model();
        for (node, path) in [("store", "/media/ada/my nas/data/forge"), ("maker", "/mnt/my nas/data/forge")] {
            let volume = &of(&model, node)["services"]["forge"]["volumes"][0];
            assert_eq!(volume["source"], path);
            assert_eq!(volume["bind"]["create_host_path"], false);
        }
        assert!(!place(&model, &model.nodes["store"], "/media/ada/my nasty").1);
    }

    #[test]
    fn secrets_are_demanded_and_dollars_are_kept() {
        let document = of(&with_database(), "store");
        let environment = &document["services"]["forge"]["environment"];
        assert_eq!(environment["FORGE_KEY"], "${FORGE_KEY:?see .env.example}");
        assert_eq!(environment["URL"], "db://a$$b:${FORGE_KEY:?see .env.example}@forge-db");
        assert_eq!(environment["TZ"], "Etc/UTC");
    }

    #[test]
    fn the_main_container_waits_and_alone_is_in_the_shared_network() {
        let document = of(&with_database(), "store");
        let services = &document["services"];
        assert_eq!(services["forge"]["depends_on"]["forge-db"]["condition"], "service_healthy");
        assert_eq!(services["forge"]["networks"], serde_json::json!(["default", "lab-net"]));
        assert!(
            services["forge-db"].get("networks").is_none() && services["forge-db"].get("ports").is_none()
        );
        assert_eq!(document["networks"]["lab-net"]["external"], true);
        assert_eq!(document["networks"]["default"]["name"], "forge-internal");
        assert!(document.get("version").is_none());
    }

    #[test]
    fn a_gpu_is_reserved_where_one_is_and_logs_are_rotated_where_nobody_else_does() {
        let mut model = fixture::model();
        let forge = model.services.get_mut("forge").unwrap().containers.get_mut("forge").unwrap();
        (forge.gpu, forge.memory_limit, forge.cpu_limit_millis) = (true, Some(ByteSize(1 << 30)), Some(1500));
        model.nodes.get_mut("maker").unwrap().capabilities.insert(Capability::NvidiaGpu);
        let (store, maker) = (of(&model, "store"), of(&model, "maker"));
        let resources = |document: &Value| document["services"]["forge"]["deploy"]["resources"].clone();
        assert_eq!(resources(&maker)["reservations"]["devices"][0]["capabilities"][0], "gpu");
        assert!(resources(&store).get("reservations").is_none());
        assert_eq!(resources(&store)["limits"], serde_json::json!({ "memory": "1024m", "cpus": "1.500" }));
        assert!(store["services"]["forge"].get("logging").is_none());
        let mac = model.nodes.get_mut("maker").unwrap();
        mac.os.family = OsFamily::Macos;
        assert_eq!(of(&model, "maker")["services"]["forge"]["logging"]["options"]["max-file"], "3");
    }

    #[test]
    fn a_container_in_the_nodes_own_network_publishes_nothing() {
        let mut model = fixture::model();
        model.services.get_mut("forge").unwrap().containers.get_mut("forge").unwrap().host_network = true;
        let document = of(&model, "store");
        assert_eq!(document["services"]["forge"]["network_mode"], "host");
        assert!(document["services"]["forge"].get("ports").is_none());
    }
}
