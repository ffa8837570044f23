//! A desk to build at: a copy of one cluster's profile, an output folder, and calls of `build-images` over both.
//!
//! The cluster is `vnext` where no other is named: it needs no download that could be had, and what it pins is deferred.

use crate::programs;
use anyhow::ensure;
use host::process::{Invocation, Output};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The cluster whose profile is copied where no other is named.
pub const CLUSTER: &str = "vnext";

/// A profiles folder of its own, an output folder, and calls of the verb over them.
#[derive(Debug)]
pub struct Desk {
    folder: tempfile::TempDir,
    cluster: String,
}

impl Desk {
    /// A new desk.
    ///
    /// # Errors
    /// If the profile can't be copied.
    pub fn new() -> anyhow::Result<Self> {
        Self::of(CLUSTER)
    }
    /// A new desk for another cluster of the repository.
    ///
    /// # Errors
    /// If the profile can't be copied.
    pub fn of(cluster: &str) -> anyhow::Result<Self> {
        let folder = programs::scratch()?;
        for part in ["roles", cluster] {
            let to = folder.path().join("profiles").join(part);
            std::fs::create_dir_all(&to)?;
            for entry in std::fs::read_dir(crate::repository().join("profiles").join(part))? {
                let entry = entry?;
                if entry.path().is_file() {
                    std::fs::copy(entry.path(), to.join(entry.file_name()))?;
                }
            }
        }
        Ok(Self { folder, cluster: cluster.to_owned() })
    }
    /// The desk's own folder, for whatever else a trial needs.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
    /// The copied `cluster.toml`.
    #[must_use]
    pub fn profile(&self) -> PathBuf {
        self.folder.path().join("profiles").join(&self.cluster).join("cluster.toml")
    }
    /// A cache of its own: what the person has fetched before would make bundles longer, so trials would depend on it.
    #[must_use]
    pub fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }
    /// Where output goes.
    #[must_use]
    pub fn out(&self) -> PathBuf {
        self.folder.path().join("dist")
    }
    /// A call of the verb with the embedded engine and no network, into `out`; every exit code is an answer.
    ///
    /// # Errors
    /// If the program can't be built.
    pub fn call(&self, out: &Path) -> anyhow::Result<Invocation> {
        self.call_with("embedded", out)
    }
    /// The same with another engine.
    ///
    /// # Errors
    /// If the program can't be built.
    pub fn call_with(&self, engine: &str, out: &Path) -> anyhow::Result<Invocation> {
        let call = programs::xtask()?.args(["build-images", &self.cluster, "--offline", "--engine", engine]);
        let call = call.arg("--profiles").arg(self.folder.path().join("profiles")).arg("--out").arg(out);
        Ok(call.env("XDG_CACHE_HOME", self.cache()).timeout(Duration::from_secs(900)))
    }
    /// The same into [`Self::out`], run.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn build(&self) -> anyhow::Result<Output> {
        Ok(self.call(&self.out())?.run()?)
    }
    /// Replaces the first `from` in the profile.
    ///
    /// # Errors
    /// If the profile holds no `from`.
    pub fn edit(&self, from: &str, to: &str) -> anyhow::Result<()> {
        let text = std::fs::read_to_string(self.profile())?;
        ensure!(text.contains(from), "the profile holds no `{from}`");
        Ok(std::fs::write(self.profile(), text.replacen(from, to, 1))?)
    }
}
