//! The bundles of machines' clusters, made by the product: `build-images` over `tests/fixtures/clusters/guest` and `…/cards`.
//!
//! In: the lab. Out: [`GuestBundle`], a bundle of each architecture, packed and unpacked. It is kept in the lab's folder;
//! whether it is still current is the product's own judgement.

use crate::lab::Lab;
use crate::lab::bundle::unpack;
use crate::programs::{self, said};
use anyhow::{Context as _, ensure};
use desired::Arch;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

/// Where their profiles are.
const PROFILES: &str = "tests/fixtures/clusters";

/// What was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestBundle {
    desk: PathBuf,
}

impl GuestBundle {
    /// Builds that of the guests' cluster, once a run.
    ///
    /// # Errors
    /// If it can't be built.
    pub fn of(lab: &Lab) -> anyhow::Result<&'static Self> {
        static BUNDLE: OnceLock<Result<GuestBundle, String>> = OnceLock::new();
        Self::once(lab, "guest", &BUNDLE)
    }

    /// Builds that of the cards' cluster, once a run.
    ///
    /// # Errors
    /// If it can't be built.
    pub fn of_cards(lab: &Lab) -> anyhow::Result<&'static Self> {
        static BUNDLE: OnceLock<Result<GuestBundle, String>> = OnceLock::new();
        Self::once(lab, "cards", &BUNDLE)
    }

    fn once(
        lab: &Lab,
        cluster: &'static str,
        bundle: &'static OnceLock<Result<Self, String>>,
    ) -> anyhow::Result<&'static Self> {
        let bundle = bundle.get_or_init(|| Self::build(lab, cluster).map_err(|error| format!("{error:#}")));
        bundle.as_ref().map_err(|error| anyhow::anyhow!("{error}"))
    }

    fn build(lab: &Lab, cluster: &'static str) -> anyhow::Result<Self> {
        let desk = lab.folder().join(format!("{cluster}-bundle"));
        let (profiles, out) = (desk.join("profiles"), desk.join("dist"));
        for folder in ["roles", cluster] {
            let folder = profiles.join(folder);
            std::fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        }
        let to = profiles.join(cluster).join("cluster.toml");
        let from = crate::repository().join(PROFILES).join(cluster).join("cluster.toml");
        std::fs::copy(from, &to).context("copy the profile")?;
        let call = programs::xtask()?.args(["build-images", cluster, "--offline", "--engine", "embedded"]);
        let call = call.arg("--profiles").arg(&profiles).arg("--out").arg(&out);
        let output =
            call.env("XDG_CACHE_HOME", desk.join("cache")).timeout(Duration::from_secs(1800)).run()?;
        ensure!(output.code == 0, "build-images ends with {}: {}", output.code, said(&output));
        let bundle = Self { desk };
        for arch in Arch::ALL {
            unpack(&out.join(cluster).join(format!("bundle-{arch}.tar.gz")), &bundle.place(arch))?;
        }
        Ok(bundle)
    }

    fn place(&self, arch: Arch) -> PathBuf {
        self.desk.join(format!("stick-{arch}"))
    }

    /// The folder of profiles it was made from.
    #[must_use]
    pub fn profiles(&self) -> PathBuf {
        self.desk.join("profiles")
    }

    /// Where the product put everything.
    #[must_use]
    pub fn out(&self) -> PathBuf {
        self.desk.join("dist")
    }

    /// A folder that holds the unpacked archive of that architecture.
    #[must_use]
    pub fn stick(&self, arch: Arch) -> PathBuf {
        self.place(arch).join("rootstock")
    }
}
