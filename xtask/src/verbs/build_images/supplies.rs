//! A cluster's artifacts: locked, then fetched side by side, each verified or deferred.
//!
//! In: the model, its folder with `lock.toml`, how sources may be reached. Out: pins for render, and one [`Artifact`] for each
//! entry of the lock and arch that uses it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use blueprint::lock::{Entry, SourceUrl};
use blueprint::model::{Model, Pin, Pins};
use desired::cluster_manifest::ArtifactRow;
use desired::manifest::{BundlePath, Deferred, DeferredSource};
use desired::{Arch, ByteSize, Digest};
use host::bundle::Included;
use host::cache::CachedFile;
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
    /// Labels of artifacts whose own digest nobody knows yet; bundles do without them.
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
        let mut left_out: Vec<String> = locked.left_out().iter().map(Entry::label).collect();
        let (mut pins, mut supplies) = (BTreeMap::new(), Vec::new());
        for (entry, fetched) in locked.entries().iter().zip(fetched) {
            let here = match fetched {
                Fetched::Ready(file) => Ok(file.into_inner()),
                Fetched::Deferred { why } => Err(why),
            };
            for arch in used.iter().copied().filter(|arch| entry.is_for(*arch)) {
                let Some(digest) =
                    here.as_ref().ok().map(|file| file.digest.clone()).or_else(|| entry.digest.clone())
                else {
                    left_out.push(format!("{} (only the archive it comes in is pinned)", entry.label()));
                    continue;
                };
                let size = here.as_ref().ok().map(|file| file.size).or(entry.size).map(ByteSize);
                let pin = Pin {
                    version: entry.version.clone(),
                    file: entry.file.clone(),
                    mode: entry.mode,
                    digest: digest.clone(),
                    size,
                };
                pins.insert((entry.name.clone(), arch), pin);
                supplies.push(artifact(entry, arch, digest, size, here.as_ref())?);
            }
        }
        Ok(Self { pins: Pins::new(pins), artifacts: supplies, left_out })
    }
}

fn artifact(
    entry: &Entry,
    arch: Arch,
    digest: Digest,
    size: Option<ByteSize>,
    here: Result<&CachedFile, &String>,
) -> anyhow::Result<Artifact> {
    let supply = match here {
        Ok(file) => Supply::Included(Included {
            artifact: entry.name.clone(),
            file: entry.file.clone(),
            mode: entry.mode,
            path: file.path.clone(),
            size: ByteSize(file.size),
            digest: file.digest.clone(),
        }),
        Err(_) => Supply::Deferred(Deferred {
            artifact: entry.name.clone(),
            version: entry.version.clone(),
            file: entry.file.clone(),
            path: BundlePath::artifact(&entry.name, &entry.file)?,
            mode: entry.mode,
            digest: Some(digest.clone()),
            size,
            sources: entry.sources.iter().filter_map(web_source).collect(),
        }),
    };
    let row = ArtifactRow {
        name: entry.name.clone(),
        version: entry.version.clone(),
        arch,
        size,
        digest,
        presence: presence(here.err().cloned()),
        sources: entry.sources.iter().map(|source| source.url.to_string()).collect(),
    };
    Ok(Artifact { row, supply })
}

/// A source the node can ask with its own curl.
fn web_source(source: &blueprint::lock::Source) -> Option<DeferredSource> {
    match &source.url {
        SourceUrl::Https(url) | SourceUrl::Http(url) => Some(DeferredSource {
            url: url.clone(),
            digest: source.digest.clone(),
            member: source.member.clone(),
        }),
        SourceUrl::File(_) | SourceUrl::Npm { .. } => None,
    }
}
