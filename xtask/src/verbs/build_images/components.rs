//! The components of the bill of materials: our crates as cargo resolved them, and every artifact of the lock.
//!
//! In: `cargo metadata` and `Cargo.lock` of this workspace, the rows of the cluster manifest. Out: components.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context as _;
use blueprint::sbom::Component;
use desired::Pinned;
use desired::cluster_manifest::ArtifactRow;
use host::process::Invocation;
use serde::Deserialize;

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    /// Absent for a normal dependency.
    kind: Option<String>,
}

#[derive(Deserialize)]
struct LockFile {
    package: Vec<LockedPackage>,
}

#[derive(Deserialize)]
struct LockedPackage {
    name: String,
    version: String,
    checksum: Option<String>,
}

/// Every crate that is part of the node's program, for both arches.
pub fn of_the_program(workspace: &Path) -> anyhow::Result<Vec<Component>> {
    let output = Invocation::new("cargo")
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(desired::Arch::ALL.iter().flat_map(|arch| ["--filter-platform", arch.rust_target()]))
        .folder(workspace)
        .run()
        .context("list the crates of the node's program")?;
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).context("read what cargo metadata printed")?;
    let lock_path = workspace.join("Cargo.lock");
    let lock =
        std::fs::read_to_string(&lock_path).with_context(|| format!("read `{}`", lock_path.display()))?;
    let lock: LockFile = toml::from_str(&lock).context("read Cargo.lock")?;
    components(&metadata, &lock)
}

fn components(metadata: &Metadata, lock: &LockFile) -> anyhow::Result<Vec<Component>> {
    let checksums: BTreeMap<(&str, &str), &str> = lock
        .package
        .iter()
        .filter_map(|package| {
            Some(((package.name.as_str(), package.version.as_str()), package.checksum.as_deref()?))
        })
        .collect();
    let packages: BTreeMap<&str, &Package> =
        metadata.packages.iter().map(|package| (package.id.as_str(), package)).collect();
    let nodes: BTreeMap<&str, &Node> =
        metadata.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let root = metadata
        .packages
        .iter()
        .find(|package| package.name == "bootstrap")
        .context("no crate named bootstrap")?;
    let (mut seen, mut waiting) = (BTreeSet::new(), vec![root.id.as_str()]);
    while let Some(id) = waiting.pop() {
        if !seen.insert(id) {
            continue;
        }
        let node = nodes.get(id).with_context(|| format!("cargo metadata resolves no `{id}`"))?;
        let normal =
            node.deps.iter().filter(|dependency| dependency.dep_kinds.iter().any(|kind| kind.kind.is_none()));
        waiting.extend(normal.map(|dependency| dependency.pkg.as_str()));
    }
    seen.into_iter()
        .map(|id| {
            let package = packages.get(id).with_context(|| format!("cargo metadata lists no `{id}`"))?;
            let digest = checksums.get(&(package.name.as_str(), package.version.as_str()));
            Ok(Component {
                name: package.name.clone(),
                version: package.version.clone(),
                purl: format!("pkg:cargo/{}@{}", package.name, package.version),
                download: package.source.as_ref().map(|_| {
                    format!("https://crates.io/api/v1/crates/{}/{}/download", package.name, package.version)
                }),
                license: package.license.clone(),
                digest: digest.map(|hex| format!("sha256:{hex}").parse()).transpose()?,
            })
        })
        .collect()
}

/// An artifact as a component; its first source says what kind of package it is.
pub fn of_artifact(row: &ArtifactRow) -> Component {
    let npm = row.sources.iter().find_map(|source| source.strip_prefix("npm:"));
    let purl = match npm.and_then(|package| package.rsplit_once('@')) {
        Some((package, version)) => format!("pkg:npm/{}@{version}", package.replace('@', "%40")),
        None => format!("pkg:generic/{}@{}?arch={}", row.name, row.version.replace('+', "%2B"), row.arch),
    };
    Component {
        name: row.name.to_string(),
        version: row.version.clone(),
        purl,
        download: row.sources.iter().find(|source| source.starts_with("https:")).cloned(),
        license: None,
        // Of a file that nobody could look into yet, the one digest that is known is that of the download named above.
        digest: match &row.pinned {
            Pinned::File { digest, .. } => Some(digest.clone()),
            Pinned::Downloads(downloads) => downloads.first().filter(|_| downloads.len() == 1).cloned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_linked_is_listed() {
        let metadata: Metadata = serde_json::from_value(serde_json::json!({
            "packages": [
                {"id": "b", "name": "bootstrap", "version": "0.1.0", "license": "MIT", "source": null},
                {"id": "s", "name": "serde", "version": "1.0.0", "license": "MIT", "source": "registry"},
                {"id": "c", "name": "cc", "version": "1.0.0", "license": "MIT", "source": "registry"},
            ],
            "resolve": {"nodes": [
                {"id": "b", "deps": [{"pkg": "s", "dep_kinds": [{"kind": null}]}, {"pkg": "c", "dep_kinds": [{"kind": "build"}]}]},
                {"id": "s", "deps": []}, {"id": "c", "deps": []},
            ]},
        }))
        .unwrap();
        let lock = LockFile {
            package: vec![LockedPackage {
                name: "serde".to_owned(),
                version: "1.0.0".to_owned(),
                checksum: Some("ab".repeat(32)),
            }],
        };
        let components = components(&metadata, &lock).unwrap();
        let names: Vec<_> = components.iter().map(|component| component.name.as_str()).collect();
        assert_eq!(names, ["bootstrap", "serde"]);
        assert!(components[0].digest.is_none() && components[1].digest.is_some());
    }
}
