//! Longhorn's settings.
//!
//! In: one document, a HelmRelease or values, and all manifests. Out: findings on tolerations and on pods beyond its driver.

use super::super::facts::{Facts, is_kind};
use super::super::report::{Report, lines};
use super::super::yaml_tree::Node;
use super::pod;
use crate::finding::rules::foreign as rule;

pub(super) fn judge(document: &Node, facts: &Facts<'_>, report: &mut Report<'_>) {
    let tainted = document.find("taintToleration");
    if let Some(setting) = tainted.filter(|entry| entry.value.text().is_some_and(|text| !text.is_empty())) {
        let lacks =
            |part: &&str| document.find(part).is_none_or(|entry| entry.value.get("tolerations").is_none());
        let missing: Vec<&str> =
            ["longhornManager", "longhornDriver", "longhornUI"].into_iter().filter(lacks).collect();
        if !missing.is_empty() {
            let message = format!("{} without tolerations", missing.join(", "));
            report.at(&rule::LONGHORN_TOLERATIONS, setting.span.clone(), message);
        }
    }
    if let Some(setting) = document.find("systemManagedComponentsNodeSelector")
        && let Some(label) = setting.value.text().and_then(|text| text.split(':').next())
        && let Some(name) = beyond(label, facts)
    {
        let message = format!("`{name}` uses Longhorn and is placed without `{label}`");
        report.at(&rule::LONGHORN_ABSENT, setting.span.clone(), message);
    }
}

/// A workload with a Longhorn volume whose place says nothing of that label.
fn beyond<'a>(label: &str, facts: &Facts<'a>) -> Option<&'a str> {
    facts.manifests().find_map(|(_, node)| {
        let pod = pod(node)?;
        let places = pod.get("nodeSelector").is_some()
            || pod.find("requiredDuringSchedulingIgnoredDuringExecution").is_some();
        let selected = pod.get("nodeSelector").is_some_and(|selector| selector.get(label).is_some());
        let required = pod.get("affinity").and_then(|affinity| affinity.find("nodeSelectorTerms"));
        let required = required.is_some_and(|terms| mentions(&terms.value, label));
        (places && !selected && !required && has_longhorn(node, pod, facts))
            .then(|| node.at(&["metadata", "name"])?.text())?
    })
}

fn mentions(terms: &Node, label: &str) -> bool {
    terms
        .items()
        .iter()
        .flat_map(|term| term.get("matchExpressions").map(Node::items).unwrap_or_default())
        .any(|expression| expression.text_at("key") == Some(label))
}

fn has_longhorn(node: &Node, pod: &Node, facts: &Facts<'_>) -> bool {
    let is_class = |claim: &Node| {
        claim
            .at(&["spec", "storageClassName"])
            .and_then(Node::text)
            .is_some_and(|class| class.starts_with("longhorn"))
    };
    let own = node.at(&["spec", "volumeClaimTemplates"]).map(Node::items).unwrap_or_default();
    own.iter().any(is_class)
        || pod.get("volumes").map(Node::items).unwrap_or_default().iter().any(|volume| {
            let Some(claim) = volume.at(&["persistentVolumeClaim", "claimName"]).and_then(Node::text) else {
                return false;
            };
            facts.manifests().any(|(_, other)| {
                is_kind(other, "v1", "PersistentVolumeClaim")
                    && other.at(&["metadata", "name"]).is_some_and(|name| name.text() == Some(claim))
                    && is_class(other)
            })
        })
}

/// The parser knows no comments, so lines are looked at.
pub(super) fn comments(text: &str, report: &mut Report<'_>) {
    for (span, line) in lines(text) {
        let Some((setting, comment)) = line.split_once('#') else { continue };
        let comment = comment.to_ascii_lowercase();
        let inverted = ["true prevents", "true forbids", "true blocks", "false allows"];
        if (setting.contains("replicaSoftAntiAffinity") || setting.contains("replica-soft-anti-affinity"))
            && inverted.iter().any(|words| comment.contains(words))
        {
            report.at(&rule::INVERTED_COMMENT, span, "it is the other way round");
        }
    }
}
