//! Volumes and their copies.
//!
//! In: one object. Out: findings on volumes that anybody may claim, on SMB, and on VolSync's pairs.

use super::super::facts::{Facts, is_kind};
use super::super::report::Report;
use super::super::yaml_tree::Node;
use crate::finding::rules::{foreign as rule, share};
use crate::model::Orchestrator;

pub(super) fn judge(document: &Node, facts: &Facts<'_>, report: &mut Report<'_>) {
    let Some(spec) = document.get("spec") else { return };
    if is_kind(document, "volsync.backube/", "ReplicationDestination")
        && let Some(mover) = spec.entry("syncthing")
    {
        report.at(&rule::SYNCTHING_DESTINATION, mover.span.clone(), "Syncthing has no destination");
    }
    if !is_kind(document, "v1", "PersistentVolume") {
        return;
    }
    if let Some(driver) = spec.at(&["csi", "driver"])
        && driver.text() == Some("smb.csi.k8s.io")
        && facts.model.orchestrator == Orchestrator::K3s
    {
        report.at(&share::SMB_IN_CLUSTER, driver.span.clone(), "a Kubernetes cluster with an SMB share");
    }
    let name = document.at(&["metadata", "name"]);
    let text = name.and_then(Node::text);
    let classed = spec.text_at("storageClassName").is_some_and(|class| !class.is_empty());
    let claimed = facts.manifests().any(|(_, other)| {
        is_kind(other, "v1", "PersistentVolumeClaim")
            && other.at(&["spec", "volumeName"]).is_some_and(|volume| volume.text() == text)
    });
    if let Some(name) = name
        && spec.get("claimRef").is_none()
        && !classed
        && !claimed
    {
        report.at(&rule::ANY_CLAIM, name.span.clone(), "any claim may get this volume");
    }
}
