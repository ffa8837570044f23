//! The bundle of a cluster of the lab, made by the product: `build-images` over `tests/fixtures/clusters/`.
//!
//! In: the lab with its k3s. Out: [`Bundle`], an output folder in which k3s and the images for nodes without the internet
//! are embedded, so that a node needs nothing but its archive. It is kept in the lab's folder, and whether it is
//! still current is the product's own judgement.

use super::{Lab, airgap, k3s};
use crate::programs::{self, said};
use anyhow::{Context as _, ensure};
use desired::Arch;
use host::process::Invocation;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The cluster of one server and two agents; a cluster's name is also that of its folders.
pub const CLUSTER: &str = "lab";
/// The cluster of three servers.
pub const TRIO: &str = "trio";
/// The cluster with an agent that boots from a card.
pub const INSERTED: &str = "inserted";
/// The cluster with an agent of the other architecture.
pub const MIXED: &str = "mixed";
/// How its bundles are built: with everything inside, since the desk has no vendor to reach.
pub const HOW: [&str; 3] = ["--air-gap", "--engine", "embedded"];
/// Those that were built in this run by cluster and whether with the newer k3s, or why they were not.
static BUILT: Mutex<Built> = Mutex::new(Built::new());

type Built = BTreeMap<(&'static str, bool), Result<&'static Bundle, String>>;

/// Where the profile of a cluster is, in the repository.
pub(super) fn profile(cluster: &str) -> PathBuf {
    crate::repository().join("tests/fixtures/clusters").join(cluster).join("cluster.toml")
}

/// What was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    cluster: &'static str,
    desk: PathBuf,
}

impl Bundle {
    /// That of [`CLUSTER`], built once a run.
    ///
    /// # Errors
    /// If it can't be built.
    pub fn of(lab: &Lab) -> anyhow::Result<&'static Self> {
        Self::of_cluster(lab, CLUSTER)
    }

    /// That of any cluster.
    ///
    /// # Errors
    /// If it can't be built.
    pub fn of_cluster(lab: &Lab, cluster: &'static str) -> anyhow::Result<&'static Self> {
        Self::once(lab, cluster, false)
    }

    /// That of [`CLUSTER`] after a person wrote a newer k3s in its profile.
    ///
    /// # Errors
    /// If it can't be built.
    pub fn newer(lab: &Lab) -> anyhow::Result<&'static Self> {
        Self::once(lab, CLUSTER, true)
    }

    fn once(lab: &Lab, cluster: &'static str, newer: bool) -> anyhow::Result<&'static Self> {
        let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
        let build = || Ok(&*Box::leak(Box::new(Self::build(lab, cluster, newer)?)));
        let bundle = built
            .entry((cluster, newer))
            .or_insert_with(|| build().map_err(|error: anyhow::Error| format!("{error:#}")));
        bundle.clone().map_err(|error| anyhow::anyhow!("{error}"))
    }

    fn build(lab: &Lab, cluster: &'static str, newer: bool) -> anyhow::Result<Self> {
        let desk = if newer { format!("{cluster}-newer") } else { cluster.to_owned() };
        let bundle = Self { cluster, desk: lab.folder.join("bundles").join(desk) };
        let supplies = bundle.desk.join("supplies");
        for arch in bundle.archs() {
            airgap::make(&supplies, *arch).map_err(|missing| anyhow::anyhow!("{missing}"))?;
        }
        let profiles = bundle.desk.join("profiles");
        for folder in ["roles", cluster] {
            let folder = profiles.join(folder);
            std::fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        }
        let text = std::fs::read_to_string(profile(cluster)).context("read the profile")?;
        let (program, text) = match newer {
            true => (lab.k3s().newer_program(), text.replace(k3s::VERSION, k3s::NEWER)),
            false => (lab.k3s().program(), text),
        };
        let of = |arch: Arch| supplies.join(format!("k3s-{arch}"));
        link(&program, &of(Arch::Amd64))?;
        if bundle.archs().contains(&Arch::Arm64) {
            link(&lab.other_k3s().program(), &of(Arch::Arm64))?;
        }
        let own = format!(
            "\n[artifacts.k3s]\nlocal = \"file:{}\"\n\n[artifacts.k3s-airgap-images]\nlocal = \"file:{}\"\n",
            supplies.join("k3s-{arch}").display(),
            supplies.join("k3s-airgap-images-{arch}.tar.zst").display()
        );
        std::fs::write(profiles.join(cluster).join("cluster.toml"), text + &own)?;
        // A pin holds also against a local file that has changed; here the file is right.
        let lock = profiles.join(cluster).join("lock.toml");
        if lock.exists() {
            std::fs::remove_file(&lock).with_context(|| format!("remove {}", lock.display()))?;
        }
        let output = bundle.build_images()?.run()?;
        ensure!(output.code == 0, "build-images ends with {}: {}", output.code, said(&output));
        for arch in bundle.archs() {
            unpack(&bundle.archive(*arch), &bundle.place(*arch))?;
        }
        Ok(bundle)
    }

    fn place(&self, arch: Arch) -> PathBuf {
        self.desk.join(format!("stick-{arch}"))
    }

    /// What its nodes are.
    fn archs(&self) -> &'static [Arch] {
        if self.cluster == MIXED { &[Arch::Amd64, Arch::Arm64] } else { &[Arch::Amd64] }
    }

    /// A call of `build-images` that makes it, or finds that nothing has changed.
    ///
    /// # Errors
    /// If the program can't be built.
    pub fn build_images(&self) -> anyhow::Result<Invocation> {
        let call = programs::xtask()?.args(["build-images", self.cluster]).args(HOW);
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
        self.out().join(self.cluster).join(path)
    }

    /// A folder that holds the unpacked archive of this machine's architecture.
    #[must_use]
    pub fn stick(&self) -> PathBuf {
        self.stick_of(Arch::Amd64)
    }

    /// The same of any architecture that the cluster has.
    #[must_use]
    pub fn stick_of(&self, arch: Arch) -> PathBuf {
        self.place(arch).join("rootstock")
    }

    /// The archive a node of that architecture joins from.
    #[must_use]
    pub fn archive(&self, arch: Arch) -> PathBuf {
        self.file(format!("bundle-{arch}.tar.gz"))
    }
}

/// Unpacks an archive anew, as a person does who carries it on a stick.
///
/// # Errors
/// If the folder can't be cleared or written, or the archive is none.
pub fn unpack(archive: &Path, folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("clear {}", folder.display()))?;
    }
    std::fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    Invocation::new("tar").args(["-x", "-z", "-f"]).arg(archive).folder(folder).run()?;
    Ok(())
}

/// Lets `to` be another name of a program.
fn link(program: &Path, to: &Path) -> anyhow::Result<()> {
    drop(std::fs::remove_file(to));
    std::os::unix::fs::symlink(program, to).with_context(|| format!("link {}", to.display()))
}
