//! How requests come in: controllers and entry points.
//!
//! In: one object. Out: findings on a controller that is given up, and on entry points that Traefik does not have.

use std::collections::BTreeSet;

use super::super::facts::Facts;
use super::super::report::Report;
use super::super::yaml_tree::Node;
use crate::finding::rules::foreign as rule;

pub(super) fn judge(document: &Node, facts: &Facts<'_>, report: &mut Report<'_>) {
    controller(document, report);
    let annotation = document
        .at(&["metadata", "annotations"])
        .and_then(|node| node.get("traefik.ingress.kubernetes.io/router.entrypoints"));
    let listed = document.at(&["spec", "entryPoints"]).map(Node::items).unwrap_or_default();
    let known = entry_points(facts);
    for node in annotation.into_iter().chain(listed) {
        let mut names = node.text().unwrap_or_default().split(',').map(str::trim);
        if let Some(known) = &known
            && let Some(name) = names.find(|name| !known.contains(*name))
        {
            let message = format!("Traefik has no entry point `{name}`");
            report.at(&rule::ENTRY_POINT, node.span.clone(), message);
        }
    }
}

fn controller(document: &Node, report: &mut Report<'_>) {
    let spec = document.get("spec");
    let at = |keys: &[&str]| spec.and_then(|spec| spec.at(keys));
    let class = document.text_at("kind") == Some("IngressClass");
    let marks = [
        at(&["chart", "spec", "chart"]).filter(|node| node.text() == Some("ingress-nginx")),
        at(&["chart"]).filter(|node| node.text() == Some("ingress-nginx")),
        at(&["url"]).filter(|node| node.text().is_some_and(|url| url.contains("/ingress-nginx"))),
        at(&["controller"]).filter(|node| class && node.text() == Some("k8s.io/ingress-nginx")),
    ];
    if let Some(mark) = marks.into_iter().flatten().next() {
        report.at(&rule::INGRESS_NGINX, mark.span.clone(), "ingress-nginx is no longer maintained");
    }
}

/// Those of the chart among the files, or of k3s's own Traefik; unknown if it comes from elsewhere.
fn entry_points(facts: &Facts<'_>) -> Option<BTreeSet<String>> {
    let values = facts.manifests().find_map(|(_, node)| {
        let chart = node.at(&["spec", "chart", "spec", "chart"]).or_else(|| node.at(&["spec", "chart"]))?;
        (chart.text() == Some("traefik")).then(|| node.at(&["spec", "values", "ports"]))?
    });
    if let Some(ports) = values {
        return Some(ports.entries().iter().map(|entry| entry.key.clone()).collect());
    }
    // A HelmChartConfig changes k3s's own by text that is not read here.
    let changed = facts.manifests().any(|(_, node)| node.text_at("kind") == Some("HelmChartConfig"));
    let own = facts.model.k3s.as_ref().is_some_and(|k3s| !k3s.disable.iter().any(|name| name == "traefik"));
    let packaged = ["web", "websecure", "traefik", "metrics"].map(str::to_owned);
    (own && !changed).then(|| BTreeSet::from(packaged))
}
