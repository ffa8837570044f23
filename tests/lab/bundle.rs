//! The bundle of the lab's cluster, made by the product: `build-images` over `tests/fixtures/clusters/lab`.
//!
//! In: the lab with its k3s. Out: [`Bundle`], an output folder in which k3s and the images for nodes without the internet
//! are embedded, so that a node needs nothing but its archive. It is kept in the lab's folder, and whether it is
//! still current is the product's own judgement.

use super::{Lab, airgap};
use crate::programs::{self, said};
use anyhow::{Context as _, ensure};
use host::process::Invocation;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

/// The cluster's name, also that of its output folder.
pub const CLUSTER: &str = "lab";
/// How its bundles are built: with everything inside, since the desk has no vendor to reach.
pub const HOW: [&str; 3] = ["--air-gap", "--engine", "embedded"];
/// Where the profile is, in the repository.
const PROFILE: &str = "tests/fixtures/clusters/lab/cluster.toml";

/// What was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    desk: PathBuf,
}

impl Bundle {
    /// Builds it, once a run.
    ///
    /// # Errors
    /// If it can't be built.
    pub fn of(lab: &Lab) -> anyhow::Result<&'static Self> {
        static BUNDLE: OnceLock<Result<Bundle, String>> = OnceLock::new();
        let bundle = BUNDLE.get_or_init(|| Self::build(lab).map_err(|error| format!("{error:#}")));
        bundle.as_ref().map_err(|error| anyhow::anyhow!("{error}"))
    }

    fn build(lab: &Lab) -> anyhow::Result<Self> {
        let bundle = Self { desk: lab.folder.join("bundle") };
        let supplies = bundle.desk.join("supplies");
        airgap::make(&supplies).map_err(|missing| anyhow::anyhow!("{missing}"))?;
        let profiles = bundle.desk.join("profiles");
        for folder in ["roles", CLUSTER] {
            let folder = profiles.join(folder);
            std::fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        }
        let text = std::fs::read_to_string(crate::repository().join(PROFILE)).context("read the profile")?;
        let own = format!(
            "\n[artifacts.k3s]\nlocal = \"file:{}\"\n\n[artifacts.k3s-airgap-images]\nlocal = \"file:{}\"\n",
            lab.k3s().program().display(),
            supplies.join("k3s-airgap-images-{arch}.tar.zst").display()
        );
        std::fs::write(profiles.join(CLUSTER).join("cluster.toml"), text + &own)?;
        // A pin holds also against a local file that has changed; here the file is right.
        let lock = profiles.join(CLUSTER).join("lock.toml");
        if lock.exists() {
            std::fs::remove_file(&lock).with_context(|| format!("remove {}", lock.display()))?;
        }
        let output = bundle.build_images()?.run()?;
        ensure!(output.code == 0, "build-images ends with {}: {}", output.code, said(&output));
        bundle.unpack()?;
        Ok(bundle)
    }

    /// Unpacks the archive anew, as a person does who carries it on a stick.
    fn unpack(&self) -> anyhow::Result<()> {
        let folder = self.desk.join("stick");
        if folder.exists() {
            std::fs::remove_dir_all(&folder).with_context(|| format!("clear {}", folder.display()))?;
        }
        std::fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        Invocation::new("tar").args(["-x", "-z", "-f"]).arg(self.archive()).folder(&folder).run()?;
        Ok(())
    }

    /// A call of `build-images` that makes it, or finds that nothing has changed.
    ///
    /// # Errors
    /// If the program can't be built.
    pub fn build_images(&self) -> anyhow::Result<Invocation> {
        let call = programs::xtask()?.args(["build-images", CLUSTER]).args(HOW);
        let call = call.arg("--profiles").arg(self.profiles()).arg("--out").arg(self.out());
        Ok(call.env("XDG_CACHE_HOME", self.cache()).timeout(Duration::from_secs(1800)))
    }

    /// The desk's cache of artifacts.
    #[must_use]
    pub fn cache(&self) -> PathBuf {
        self.desk.join("cache")
    }

    /// The folder with the profile, for other verbs.
    #[must_use]
    pub fn profiles(&self) -> PathBuf {
        self.desk.join("profiles")
    }

    /// What `--out` names; the cluster's own folder lies in it.
    #[must_use]
    pub fn out(&self) -> PathBuf {
        self.desk.join("dist")
    }

    /// A file of the cluster's output folder.
    #[must_use]
    pub fn file(&self, path: impl AsRef<Path>) -> PathBuf {
        self.out().join(CLUSTER).join(path)
    }

    /// A folder that holds the unpacked archive.
    #[must_use]
    pub fn stick(&self) -> PathBuf {
        self.desk.join("stick").join("rootstock")
    }

    /// The archive a node of this machine's architecture joins from.
    #[must_use]
    pub fn archive(&self) -> PathBuf {
        self.file("bundle-amd64.tar.gz")
    }
}
