//! A cluster's artifacts: locked, then fetched side by side, each verified or deferred.
//!
//! In: the model, its folder with `lock.toml`, how sources may be reached. Out: pins for render, and one [`Artifact`] for each
//! entry of the lock and arch that uses it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context as _;
use blueprint::lock::Entry;
use blueprint::model::{Model, Pin, Pins};
use desired::cluster_manifest::ArtifactRow;
use desired::manifest::{BundlePath, Deferred, DeferredSource};
use desired::{Arch, ByteSize, Pinned};
use host::bundle::Included;
use host::fetch::{Fetched, Fetcher};

use super::cluster::{Artifact, Supply, presence};
use crate::artifacts::{self, Permission};
use crate::exit::Failure;

/// What a cluster builds from.
#[derive(Debug)]
pub struct Supplies {
    /// For render.
    pub pins: Pins,
    /// For bundles and the manifest.
    pub artifacts: Vec<Artifact>,
    /// Labels of optional artifacts without any pin; bundles do without them.
    pub left_out: Vec<String>,
}

impl Supplies {
    /// Locks and fetches what `model` wants; `folder` is its profile.
    pub fn get(
        model: &Model,
        folder: &Path,
        permission: &Permission,
        fetcher: &Fetcher,
    ) -> Result<Self, Failure> {
        let locked = artifacts::lock_on_disk(model, folder, permission, fetcher)?.locked;
        let wants: Vec<_> = locked.entries().iter().map(artifacts::want).collect();
        let fetched = fetcher.fetch_all(&wants).map_err(artifacts::failure_of)?;
        let used: BTreeSet<Arch> = model.linux_nodes().map(|node| node.arch).collect();
        let left_out = locked.left_out().iter().map(Entry::label).collect();
        let (mut pins, mut supplies) = (BTreeMap::new(), Vec::new());
        for (entry, fetched) in locked.entries().iter().zip(fetched) {
            let pinned = pinned(entry, &fetched)?;
            for arch in used.iter().copied().filter(|arch| entry.is_for(*arch)) {
                let pin = Pin {
                    version: entry.version.clone(),
                    file: entry.file.clone(),
                    mode: entry.mode,
                    pinned: pinned.clone(),
                };
                pins.insert((entry.name.clone(), arch), pin);
                supplies.push(artifact(entry, arch, pinned.clone(), &fetched)?);
            }
        }
        Ok(Self { pins: Pins::new(pins), artifacts: supplies, left_out })
    }
}

/// What nodes hold the file against. Of bytes that are here the digest is known, whatever the lock pins.
fn pinned(entry: &Entry, fetched: &Fetched) -> anyhow::Result<Pinned> {
    match fetched {
        Fetched::Ready(file) => {
            Ok(Pinned::File { digest: file.digest.clone(), size: Some(ByteSize(file.size)) })
        }
        Fetched::Deferred { .. } => entry.pinned().with_context(|| {
            format!("{} is left to the nodes, yet none of its sources can be verified", entry.label())
        }),
    }
}

fn artifact(entry: &Entry, arch: Arch, pinned: Pinned, fetched: &Fetched) -> anyhow::Result<Artifact> {
    let (supply, why) = match fetched {
        Fetched::Ready(content) => {
            let included = Included {
                artifact: entry.name.clone(),
                file: entry.file.clone(),
                mode: entry.mode,
                content: content.clone(),
            };
            (Supply::Included(included), None)
        }
        Fetched::Deferred { why } => (Supply::Deferred(deferred(entry)?), Some(why.clone())),
    };
    let row = ArtifactRow {
        name: entry.name.clone(),
        version: entry.version.clone(),
        arch,
        pinned,
        presence: presence(why),
        sources: entry.sources.iter().map(|source| source.url.to_string()).collect(),
    };
    Ok(Artifact { row, supply })
}

/// How a node gets it with its own curl.
fn deferred(entry: &Entry) -> anyhow::Result<Deferred> {
    let source = |source: &blueprint::lock::Source| DeferredSource {
        url: source.url.to_string(),
        digest: source.digest.clone(),
        member: source.member.clone(),
    };
    Ok(Deferred {
        artifact: entry.name.clone(),
        version: entry.version.clone(),
        file: entry.file.clone(),
        path: BundlePath::artifact(&entry.name, &entry.file)?,
        mode: entry.mode,
        digest: entry.digest.clone(),
        size: entry.size.map(ByteSize),
        sources: entry.sources_for_nodes().map(source).collect(),
    })
}
