//! Kubernetes manifests, and values of charts.
//!
//! In: the documents of a file. Out: findings on each object; what Longhorn and Flux are told is in modules of their own.

mod flux;
mod longhorn;
mod route;
mod volume;

use super::File;
use super::facts::{Facts, is_kind};
use super::report::Report;
use super::yaml_tree::Node;
use crate::finding::rules::{foreign as rule, service, share, trust};
use crate::lint::service::names_secret;
use crate::model::Orchestrator;

pub(crate) fn judge(file: &File<'_>, documents: &[Node], facts: &Facts<'_>, report: &mut Report<'_>) {
    for document in documents {
        longhorn::judge(document, facts, report);
        let (Some(kind), Some(_)) = (document.get("kind"), document.text_at("apiVersion")) else { continue };
        if facts.model.orchestrator == Orchestrator::Compose {
            let message = "the cluster is run by Compose";
            report.at(&service::SERVICE_KIND, kind.span.clone(), message);
        }
        // What Flux made for itself is not touched.
        if !file.below().contains("flux-system/") {
            access(document, report);
        }
        route::judge(document, facts, report);
        volume::judge(document, facts, report);
        flux::judge(file, document, facts, report);
        if let Some(pod) = pod(document) {
            workload(pod, facts, report);
        }
    }
    longhorn::comments(&file.source.text, report);
}

/// What a document runs: the pod's own spec, or that of its template.
pub(crate) fn pod(document: &Node) -> Option<&Node> {
    let spec = document.get("spec")?;
    match document.text_at("kind")? {
        "Pod" => Some(spec),
        "CronJob" => spec.at(&["jobTemplate", "spec", "template", "spec"]),
        _ => spec.at(&["template", "spec"]),
    }
}

fn containers(pod: &Node) -> impl Iterator<Item = &Node> {
    ["initContainers", "containers"].into_iter().filter_map(|key| pod.get(key)).flat_map(Node::items)
}

/// Mounts through which file systems of a container reach the host, each with its container.
pub(crate) fn bidirectional(pod: &Node) -> impl Iterator<Item = (&Node, &Node)> {
    containers(pod).flat_map(|container| {
        let mounts = container.get("volumeMounts").map(Node::items).unwrap_or_default();
        let both = mounts.iter().filter(|mount| mount.text_at("mountPropagation") == Some("Bidirectional"));
        both.map(move |mount| (container, mount))
    })
}

fn access(document: &Node, report: &mut Report<'_>) {
    let encrypted = document.get("sops").is_some();
    for key in ["stringData", "data"] {
        if is_kind(document, "v1", "Secret")
            && let Some(entry) = document.entry(key)
            && entry.value.entries().iter().any(|entry| is_value(&entry.value))
            && !encrypted
        {
            report.at(&rule::MANIFEST_SECRET, entry.span.clone(), "values of a Secret stand here");
        }
    }
    let role = document.at(&["roleRef", "name"]).filter(|role| role.text() == Some("cluster-admin"));
    if let Some(role) = role
        && document.text_at("kind") == Some("ClusterRoleBinding")
    {
        report.at(&rule::CLUSTER_ADMIN, role.span.clone(), "this account may do everything");
    }
}

/// Something other than nothing, or a variable that is put in later.
fn is_value(node: &Node) -> bool {
    node.text().is_some_and(|text| !text.is_empty() && !text.starts_with("${"))
}

fn workload(pod: &Node, facts: &Facts<'_>, report: &mut Report<'_>) {
    for container in containers(pod) {
        let Some(image) = container.get("image") else { continue };
        let name = image.text().unwrap_or_default();
        report.image(name, &image.span);
        if name.contains("ingress-nginx/controller") {
            report.at(&rule::INGRESS_NGINX, image.span.clone(), "ingress-nginx is no longer maintained");
        }
        if name.contains("samba") && facts.model.orchestrator == Orchestrator::K3s {
            let message = "a Kubernetes cluster with an SMB share";
            report.at(&share::SMB_IN_CLUSTER, image.span.clone(), message);
        }
        for variable in container.get("env").map(Node::items).unwrap_or_default() {
            let name = variable.text_at("name").unwrap_or_default();
            let value = variable.text_at("value").unwrap_or_default();
            if let Some(entry) = variable.entry("value")
                && names_secret(name)
                && !value.is_empty()
                && !value.starts_with("$")
            {
                let message = format!("`{name}` looks like a secret and has a plain value");
                report.at(&trust::SECRET_SETTING, entry.span.clone(), message);
            }
        }
    }
    for (container, mount) in bidirectional(pod) {
        if !container.get("securityContext").is_some_and(|context| context.says("privileged"))
            && let Some(entry) = mount.entry("mountPropagation")
        {
            report.at(&rule::BIDIRECTIONAL, entry.span.clone(), "its container is not privileged");
        }
    }
    for volume in pod.get("volumes").map(Node::items).unwrap_or_default() {
        if let Some(path) = volume.at(&["hostPath", "path"])
            && path.text().is_some_and(|path| path.ends_with("/docker.sock"))
        {
            report.at(&service::DOCKER_SOCKET, path.span.clone(), "k3s has no Docker socket");
        }
    }
}
