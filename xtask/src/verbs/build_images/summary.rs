//! The closing table of `build-images`: what was made, how large, which digest, embedded or deferred.
//!
//! In: cluster manifests. Out: an aligned table for people, or the same as one JSON document.

use std::path::PathBuf;

use desired::Pinned;
use desired::cluster_manifest::{ArtifactRow, ClusterManifest, Presence};
use serde::{Deserialize, Serialize};

use crate::table;

/// The version of the JSON answer.
const ANSWER_VERSION: u32 = 1;

/// What became of one cluster.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ClusterAnswer {
    /// Its output folder.
    pub output: PathBuf,
    /// Nothing had to be done.
    pub unchanged: bool,
    /// What is in the output.
    pub manifest: ClusterManifest,
    /// Optional artifacts without any pin; bundles do without them.
    pub left_out: Vec<String>,
    /// References of images that were pushed.
    pub pushed: Vec<String>,
    /// The words that changed output, so that others can tell whether it is current.
    pub made_with: String,
}

impl ClusterAnswer {
    /// Whether a run with a better network could embed more.
    pub fn has_deferred(&self) -> bool {
        let deferred = |artifact: &ArtifactRow| matches!(artifact.presence, Presence::Deferred { .. });
        !self.left_out.is_empty() || self.manifest.artifacts.iter().any(deferred)
    }
}

/// The answer as one JSON document.
pub fn json(answers: &[ClusterAnswer]) -> String {
    let answer =
        serde_json::json!({ "answer-version": ANSWER_VERSION, "verb": "build-images", "clusters": answers });
    format!("{answer:#}\n")
}

/// The answer for people.
pub fn text(answers: &[ClusterAnswer]) -> String {
    let mut text = String::new();
    if answers.iter().all(|answer| answer.unchanged && answer.pushed.is_empty()) {
        text.push_str("Nothing changed; the output is up to date.\n\n");
    }
    text.push_str(&table::aligned(["cluster", "what", "arch", "size", "digest", "state"], &rows(answers)));
    for answer in answers {
        for pushed in &answer.pushed {
            text.push_str(&format!("pushed {pushed}\n"));
        }
    }
    for answer in answers {
        for label in &answer.left_out {
            text.push_str(&format!(
                "left out of {}: {label}; it is optional, and no source could be reached to pin it\n",
                answer.manifest.cluster
            ));
        }
    }
    let deferred: Vec<String> = answers.iter().flat_map(deferred).collect();
    if !deferred.is_empty() {
        text.push_str("\nDeferred: pinned, but not reached from here. Each node fetches and verifies it when it joins:\n");
        text.push_str(&deferred.concat());
        text.push_str("Try again with --refetch; make it an error with --air-gap.\n");
    }
    text
}

fn rows(answers: &[ClusterAnswer]) -> Vec<[String; 6]> {
    let mut rows = Vec::new();
    for answer in answers {
        let manifest = &answer.manifest;
        let made = if answer.unchanged { "unchanged" } else { "built" };
        let mut row = |what: String, arch: &str, size: String, digest: &str, state: &str| {
            rows.push([
                manifest.cluster.to_string(),
                what,
                arch.to_owned(),
                size,
                digest.to_owned(),
                state.to_owned(),
            ]);
        };
        for bundle in &manifest.bundles {
            let what = format!("bundle, {} nodes", bundle.nodes.len());
            row(what, bundle.arch.as_str(), bundle.size.to_string(), bundle.digest.short(), made);
        }
        for image in &manifest.images {
            let arches: Vec<_> = image.manifests.keys().map(|arch| arch.as_str()).collect();
            let what = format!("image {}", image.name);
            row(what, &arches.join("+"), image.size.to_string(), image.digest.short(), made);
        }
        for artifact in &manifest.artifacts {
            let what = format!("{} {}", artifact.name, artifact.version);
            let size = artifact.pinned.size().map_or("?".to_owned(), |size| size.to_string());
            let digest = match &artifact.pinned {
                Pinned::File { digest, .. } => digest.short().to_owned(),
                through @ Pinned::Downloads(_) => through.to_string(),
            };
            let state = match artifact.presence {
                Presence::Embedded => "embedded",
                Presence::Deferred { .. } => "DEFERRED",
            };
            row(what, artifact.arch.as_str(), size, &digest, state);
        }
    }
    rows
}

fn deferred(answer: &ClusterAnswer) -> Vec<String> {
    let rows = answer.manifest.artifacts.iter().filter_map(|artifact| match &artifact.presence {
        Presence::Embedded => None,
        Presence::Deferred { why } => Some(format!(
            "  {} {} {} ({}): {why}\n",
            answer.manifest.cluster, artifact.name, artifact.version, artifact.arch
        )),
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use desired::cluster_manifest::CLUSTER_MANIFEST_VERSION;
    use desired::{Arch, Digest};

    fn answer(presence: Presence, unchanged: bool) -> ClusterAnswer {
        let artifact = ArtifactRow {
            name: "k3s".parse().unwrap(),
            version: "v1.36.4+k3s1".to_owned(),
            arch: Arch::Arm64,
            pinned: Pinned::File { digest: Digest::sha256_of(b"k3s"), size: None },
            presence,
            sources: Vec::new(),
        };
        let manifest = ClusterManifest {
            manifest_version: CLUSTER_MANIFEST_VERSION,
            cluster: "lab".parse().unwrap(),
            tool_version: "0.1.0".to_owned(),
            bundles: Vec::new(),
            images: Vec::new(),
            artifacts: vec![artifact],
        };
        ClusterAnswer {
            output: "dist/lab".into(),
            unchanged,
            manifest,
            left_out: Vec::new(),
            pushed: Vec::new(),
            made_with: String::new(),
        }
    }

    #[test]
    fn what_is_deferred_is_said_loudly_with_its_reason() {
        let text = text(&[answer(Presence::Deferred { why: "no route to host".to_owned() }, false)]);
        assert!(
            text.contains("DEFERRED") && text.contains("no route to host") && text.contains("--refetch"),
            "{text}"
        );
        assert!(!text.contains("Nothing changed"));
    }

    #[test]
    fn an_unchanged_run_says_so_first() {
        assert!(text(&[answer(Presence::Embedded, true)]).starts_with("Nothing changed"));
    }
}
