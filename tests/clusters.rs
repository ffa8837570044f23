//! The clusters under `profiles/`, resolved, with stand-ins for pins.
//!
//! In: the repository. Out: models and what render makes of them. The pins have digests of nothing: these are for trials
//! that let real readers judge our files, not for anything that is installed.

use anyhow::Context as _;
use blueprint::model::{Model, Pin, Pins};
use blueprint::parse::Source;
use blueprint::resolve::{Profile, Resolution, resolve};
use desired::{Arch, FileSet, Mode, Pinned};
use std::path::Path;

/// Artifacts that families ask the lock for.
const PINNED: [&str; 6] = ["k3s", "k3s-airgap-images", "k3s-install", "mise", "chezmoi", "docker-compose"];

/// The folders of the clusters.
pub const CLUSTERS: [&str; 3] = ["colab", "homelab", "vnext"];

/// The text of a cluster, and those of the shared roles.
///
/// # Errors
/// If a file can't be read.
pub fn profile(folder: &str) -> anyhow::Result<(Source, Vec<Source>)> {
    let profiles = crate::repository().join("profiles");
    Ok((source(&profiles, &format!("{folder}/cluster.toml"))?, sources(&profiles, "roles")?))
}

/// What comes of a cluster.
#[must_use]
pub fn resolved(folder: &str, cluster: &Source, roles: &[Source]) -> Resolution {
    resolve(&Profile { folder, cluster, roles, files: &[] })
}

/// Every cluster of the repository.
///
/// # Errors
/// If a file can't be read or a profile has an error.
pub fn models() -> anyhow::Result<Vec<Model>> {
    let mut models = Vec::new();
    for folder in CLUSTERS {
        let (cluster, roles) = profile(folder)?;
        let resolution = resolved(folder, &cluster, &roles);
        let found = resolution.findings;
        models.push(resolution.model.with_context(|| format!("profile {folder}: {found:?}"))?);
    }
    Ok(models)
}

fn source(profiles: &Path, path: &str) -> anyhow::Result<Source> {
    let text =
        std::fs::read_to_string(profiles.join(path)).with_context(|| format!("read profiles/{path}"))?;
    Ok(Source::new(path, text))
}

fn sources(profiles: &Path, folder: &str) -> anyhow::Result<Vec<Source>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(profiles.join(folder))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    names.iter().map(|name| source(profiles, &format!("{folder}/{name}"))).collect()
}

/// Pins for everything, with digests of nothing.
///
/// # Errors
/// Never, while the names above are names.
pub fn stand_in_pins(model: &Model) -> anyhow::Result<Pins> {
    let mut pins = std::collections::BTreeMap::new();
    let versions = model.versions.keys().map(ToString::to_string);
    for name in versions.chain(PINNED.iter().map(|name| (*name).to_owned())) {
        for arch in [Arch::Amd64, Arch::Arm64] {
            let name: desired::ArtifactName = name.parse()?;
            let pin = Pin {
                version: version(model, name.as_str()),
                file: name.to_string(),
                mode: Mode::EXECUTABLE,
                pinned: Pinned::File { digest: format!("sha256:{}", "0".repeat(64)).parse()?, size: None },
            };
            pins.insert((name, arch), pin);
        }
    }
    Ok(Pins::new(pins))
}

/// What the profile wants of that artifact; everything of k3s has k3s's version.
fn version(model: &Model, name: &str) -> String {
    match &model.k3s {
        Some(k3s) if name.starts_with("k3s") => k3s.version.clone(),
        _ => model.versions.get(name).cloned().unwrap_or_else(|| "0".to_owned()),
    }
}

/// Writes a file set below a folder.
///
/// # Errors
/// If a file can't be written.
pub fn pour(files: &FileSet, folder: &Path) -> anyhow::Result<()> {
    for (path, entry) in files.iter() {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&path, &entry.content).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}
