//! Compose files.
//!
//! In: the document. Out: findings on what its services mount, run and hold, and on networks that nobody makes.

use super::File;
use super::bind::{Bind, Owner};
use super::facts::Facts;
use super::report::Report;
use super::yaml_tree::{Entry, Node};
use crate::finding::rules::{foreign as rule, service, trust};
use crate::lint::service::{is_database, names_secret};

pub(crate) fn judge(file: &File<'_>, document: &Node, facts: &Facts<'_>, report: &mut Report<'_>) {
    let services = document.get("services").map(Node::entries).unwrap_or_default();
    // An override may hold networks alone.
    if services.is_empty() && matches!(file.name(), "compose.yaml" | "compose.yml" | "docker-compose.yml") {
        report.at(&service::COMPOSE_FILE, document.span.clone(), "it names no services");
    }
    if let Some(version) = document.entry("version") {
        let message = "`version` means nothing to Compose 2";
        report.at(&rule::COMPOSE_VERSION, version.span.clone(), message);
    }
    for network in document.get("networks").map(Node::entries).unwrap_or_default() {
        external(network, facts, report);
    }
    for entry in services {
        container(file, &entry.value, facts, report);
    }
}

fn external(network: &Entry, facts: &Facts<'_>, report: &mut Report<'_>) {
    let Some(external) = network.value.get("external") else { return };
    if external.text() == Some("false") {
        return;
    }
    let name = network.value.text_at("name").or_else(|| external.text_at("name")).unwrap_or(&network.key);
    if !facts.creates(name) {
        let message = format!("nobody creates the network `{name}`");
        report.at(&rule::EXTERNAL_NETWORK, network.span.clone(), message);
    }
}

fn container(file: &File<'_>, container: &Node, facts: &Facts<'_>, report: &mut Report<'_>) {
    let image = container.text_at("image").unwrap_or_default();
    if let Some(node) = container.get("image")
        && container.get("build").is_none()
    {
        report.image(image, &node.span);
    }
    for (name, value, span) in variables(container) {
        if matches!(name, "USER_UID" | "USER_GID") && image.contains("rootless") {
            let message = format!("`{image}` does not read `{name}`");
            report.at(&rule::ROOTLESS_IDS, span.clone(), message);
        }
        if names_secret(name) && !value.is_empty() && !value.starts_with('$') {
            let message = format!("`{name}` looks like a secret and has a plain value");
            report.at(&trust::SECRET_SETTING, span, message);
        }
    }
    let owner = Owner { service: file.service(), database: is_database(image) };
    for volume in container.get("volumes").map(Node::items).unwrap_or_default() {
        let bind = match (volume.text(), volume.get("source")) {
            (Some(text), _) => Bind::short(text, &volume.span),
            (None, Some(source)) => {
                let flags = volume.at(&["bind", "selinux"]).and_then(Node::text).unwrap_or_default();
                source.text().map(|path| Bind { source: path, flags, span: source.span.clone() })
            }
            (None, None) => None,
        };
        if let Some(bind) = bind {
            bind.judge(&owner, facts, report);
        }
    }
}

/// Environment variables with values, in either of the two forms; one that is passed through has none.
fn variables(container: &Node) -> Vec<(&str, &str, std::ops::Range<usize>)> {
    let Some(environment) = container.get("environment") else { return Vec::new() };
    let table = environment
        .entries()
        .iter()
        .filter_map(|entry| Some((entry.key.as_str(), entry.value.text()?, entry.span.clone())));
    let list = environment.items().iter().filter_map(|item| {
        let (name, value) = item.text()?.split_once('=')?;
        Some((name, value, item.span.clone()))
    });
    table.chain(list).collect()
}
