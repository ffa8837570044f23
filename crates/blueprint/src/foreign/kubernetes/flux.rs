//! Flux's Kustomizations.
//!
//! In: one object and all others. Out: findings on paths that are not there, and on orders that wait for nothing.

use super::super::File;
use super::super::facts::{Facts, is_kind};
use super::super::report::Report;
use super::super::yaml_tree::Node;
use crate::finding::rules::foreign as rule;

pub(super) fn judge(file: &File<'_>, document: &Node, facts: &Facts<'_>, report: &mut Report<'_>) {
    if !is_kind(document, "kustomize.toolkit.fluxcd.io/", "Kustomization") {
        return;
    }
    let Some(spec) = document.get("spec") else { return };
    // What another source holds is not among these files.
    let source = spec.at(&["sourceRef", "name"]).and_then(Node::text);
    if let Some(path) = spec.get("path")
        && source.is_none_or(|name| name == "flux-system")
        && path.text().is_some_and(|text| !facts.has_folder(file.service(), text))
    {
        let message = format!("no file of `{}` is below this path", file.service());
        report.at(&rule::FLUX_PATH, path.span.clone(), message);
    }
    for item in spec.get("dependsOn").map(Node::items).unwrap_or_default() {
        if item.text().is_some() {
            report.at(&rule::DEPENDS_ON, item.span.clone(), "a word stands where a table is wanted");
        }
        let Some(name) = item.text().or_else(|| item.text_at("name")) else { continue };
        let other = facts
            .kustomizations()
            .find(|(_, other)| other.at(&["metadata", "name"]).is_some_and(|own| own.text() == Some(name)));
        let waits = other.and_then(|(_, other)| other.get("spec")).is_none_or(|spec| {
            spec.says("wait") || spec.get("healthChecks").is_some_and(|checks| !checks.items().is_empty())
        });
        if !waits {
            let message = format!("`{name}` is Ready before its objects are");
            report.at(&rule::FLUX_WAIT, item.span.clone(), message);
        }
    }
}
