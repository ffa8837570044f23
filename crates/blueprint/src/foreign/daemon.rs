//! `daemon.json`, the Docker daemon's settings.
//!
//! In: JSON. Out: its tree, or the parser's reason at its line; findings on keys that do harm or nothing.

use super::File;
use super::facts::Facts;
use super::report::Report;
use super::yaml_tree::{self, Node};
use crate::finding::rules::{foreign as rule, version};
use crate::model::Capability;

/// Where a daemon of a person's own looks, and no other.
pub(crate) const ROOTLESS: [&str; 2] = [".config/docker/daemon.json", "dot_config/docker/daemon.json"];

pub(crate) fn read(text: &str, report: &mut Report<'_>) -> Option<Node> {
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
        let line =
            text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum::<usize>();
        let at = line + error.column().saturating_sub(1);
        report.at(&rule::NOT_ITS_KIND, at..at + 1, error.to_string());
        return None;
    }
    // JSON is YAML but for its tabs; a blank in the place of each keeps all others where they are.
    match yaml_tree::documents(&text.replace('\t', " ")) {
        Ok(documents) => documents.into_iter().next(),
        Err(broken) => {
            report.at(&rule::NOT_ITS_KIND, broken.span, broken.why);
            None
        }
    }
}

pub(crate) fn judge(file: &File<'_>, document: &Node, facts: &Facts<'_>, report: &mut Report<'_>) {
    if ROOTLESS.iter().any(|path| file.below().ends_with(path)) && !runs_rootless(facts) {
        report.at(&rule::DAEMON_PATH, 0..1, "only a rootless daemon reads this path");
    }
    if let Some(driver) = document.entry("storage-driver") {
        let message = "Docker chooses its storage itself";
        report.at(&rule::STORAGE_DRIVER, driver.span.clone(), message);
    }
    let insecure = document.get("insecure-registries").map(Node::items).unwrap_or_default();
    for mirror in document.get("registry-mirrors").map(Node::items).unwrap_or_default() {
        let url = mirror.text().unwrap_or_default();
        let host = url.split("://").last().unwrap_or_default().trim_end_matches('/');
        let own = facts.model.registries.contains_key(host)
            || insecure.iter().any(|registry| registry.text() == Some(host));
        if own {
            let message = format!("`{host}` is a registry of its own, no cache of Docker Hub");
            report.at(&version::MIRROR_SELF, mirror.span.clone(), message);
        }
    }
}

/// Whether some node has a daemon of a person's own.
pub(crate) fn runs_rootless(facts: &Facts<'_>) -> bool {
    facts.model.nodes.values().any(|node| node.capabilities.contains(&Capability::RootlessDocker))
}
