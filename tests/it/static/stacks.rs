//! Compose files that are made from the spec: in the home of each node that runs them, read by the real Compose.

use anyhow::{Context as _, ensure};
use serde_json::Value;
use std::path::Path;
use tests::clusters::{models, pour, stand_in_pins};
use tests::consumers::chezmoi::{self, Machine};
use tests::consumers::compose;
use tests::lab::{Lab, Need};
use tests::programs::scratch;
use tests::ring::{Ring, Trial};

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::new(Ring::Static, "stacks::compose_takes_every_stack_in_the_home_of_its_node", every_stack)
            .needs(&[Need::Chezmoi, Need::Compose]),
    ]
}

/// Every service of documents 002 and 003 that Compose runs.
const SERVICES: [&str; 7] = ["caddy", "gitea", "headscale", "infisical", "mcp", "minio", "pi-hole"];

fn every_stack(lab: &Lab) -> anyhow::Result<()> {
    let model = models()?.into_iter().find(|model| model.name.as_str() == "colab").context("colab")?;
    let tree = scratch()?;
    pour(&blueprint::render::cluster(&model, &stand_in_pins(&model)?)?, tree.path())?;
    let mut seen = Vec::new();
    for node in model.linux_nodes() {
        let machine = Machine { hostname: node.name.as_str(), os: "linux", arch: node.arch.as_str() };
        let home = chezmoi::apply(lab, &tree.path().join("chezmoi"), machine)?;
        let folders = home.path().join(".config/docker/compose");
        let expected: Vec<&str> =
            model.services_on(&node.name).map(|service| service.name.as_str()).collect();
        for service in folders_in(&folders)? {
            ensure!(expected.contains(&service.as_str()), "{} was given {service}", node.name);
            let config = compose::config(lab, &folders.join(&service))?;
            judge(&service, &config)?;
            seen.push(service);
        }
    }
    seen.sort();
    ensure!(seen == SERVICES, "stacks of colab: {seen:?}");
    Ok(())
}

fn folders_in(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

/// Document 002, Standard Service Anatomy, and what 003 gets wrong there.
fn judge(service: &str, config: &Value) -> anyhow::Result<()> {
    ensure!(config["name"] == service, "{service}: {}", config["name"]);
    for (name, container) in config["services"].as_object().context("services are a table")? {
        let at = |path: &str| container.pointer(path).unwrap_or(&Value::Null);
        ensure!(at("/restart") == "unless-stopped", "{service}/{name}: restart");
        ensure!(at("/healthcheck/test").is_array(), "{service}/{name}: no health check");
        ensure!(!at("/deploy/resources/limits/memory").is_null(), "{service}/{name}: no memory limit");
        ensure!(!at("/deploy/resources/limits/cpus").is_null(), "{service}/{name}: no CPU limit");
        ensure!(at("/container_name").is_null(), "{service}/{name}: a name of its own");
        ensure!(at("/deploy/resources/reservations").is_null(), "{service}/{name}: a GPU on a node without");
        ensure!(at("/environment/TZ").is_string(), "{service}/{name}: no time zone");
        let empty = Vec::new();
        for volume in at("/volumes").as_array().unwrap_or(&empty) {
            let source = volume["source"].as_str().context("a volume has a source")?;
            ensure!(!source.ends_with("docker.sock"), "{service}/{name}: Docker's socket");
            let on_server = service != "mcp";
            ensure!(!on_server || !source.starts_with("/mnt/fortress"), "{service}/{name}: {source}");
        }
    }
    if service == "gitea" {
        let gitea = &config["services"]["gitea"];
        ensure!(gitea["user"] == "1000:1000", "rootless Gitea's user");
        ensure!(gitea["environment"]["GITEA__database__PASSWD"] == "put-in", "its password is put in");
        let waits = &gitea["depends_on"]["gitea-db"]["condition"];
        ensure!(waits == "service_healthy", "it waits for its database");
        let data = config.pointer("/services/gitea-db/volumes/0/source");
        ensure!(data.is_some_and(|data| data == "/srv/gitea/postgres"), "PostgreSQL lies on the local disk");
        ensure!(config["networks"]["cluster-local"]["external"] == true, "the shared network");
    }
    Ok(())
}
