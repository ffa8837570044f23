//! What one cluster's output is made from, as one digest; quick enough for a run that does nothing.
//!
//! In: the cluster's profile, shared roles, images, the sources of the node's program, this tool, and the flags that
//! change output. Out: a digest that changes when any of them does.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::Context as _;
use desired::Digest;
use host::freshness::Inputs;

/// What every cluster's output is made from.
#[derive(Debug)]
pub struct Common {
    program: Digest,
    images: Digest,
    roles: Digest,
    tool: String,
    flags: String,
}

impl Common {
    /// Takes what is the same for all clusters. `flags` are the words that change output.
    pub fn read(workspace: &Path, profiles: &Path, flags: String) -> anyhow::Result<Self> {
        let of = |name: &str, path: &Path| {
            let mut inputs = Inputs::default();
            inputs.add_path(name, path).with_context(|| format!("read `{}`", path.display()))?;
            anyhow::Ok(inputs.digest())
        };
        Ok(Self {
            program: host::cargo_build::inputs(workspace)?,
            images: images(&workspace.join("images"))?,
            roles: of("roles", &profiles.join("roles"))?,
            tool: tool().context("look at this program's own file")?,
            flags,
        })
    }

    /// The words that change output.
    pub fn flags(&self) -> &str {
        &self.flags
    }

    /// The digest of everything `cluster`'s output is made from.
    pub fn of_cluster(&self, profiles: &Path, cluster: &str) -> anyhow::Result<Digest> {
        let mut inputs = Inputs::default();
        for (name, part) in [("program", &self.program), ("images", &self.images), ("roles", &self.roles)] {
            inputs.add(name, part.hex().as_bytes());
        }
        inputs.add("tool", self.tool.as_bytes());
        inputs.add("flags", self.flags.as_bytes());
        let profile = profiles.join(cluster);
        inputs.add_path("profile", &profile).with_context(|| format!("read `{}`", profile.display()))?;
        Ok(inputs.digest())
    }
}

/// The images, each a folder with a Dockerfile; what cards are made of lies beside them and is part of no bundle.
fn images(folder: &Path) -> anyhow::Result<Digest> {
    let about = || format!("read `{}`", folder.display());
    let mut names = std::fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect::<std::io::Result<Vec<_>>>())
        .with_context(about)?;
    names.retain(|name| name != "bases");
    names.sort();
    let mut inputs = Inputs::default();
    for name in names {
        inputs.add_path(&name.to_string_lossy(), &folder.join(&name)).with_context(about)?;
    }
    Ok(inputs.digest())
}

/// Stands for this tool's own code: cargo gives a rebuilt program a new time, and nothing else changes it.
fn tool() -> std::io::Result<String> {
    let metadata = std::fs::metadata(std::env::current_exe()?)?;
    Ok(format!("{} {} {}", metadata.len(), metadata.mtime(), metadata.mtime_nsec()))
}
