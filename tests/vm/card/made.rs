//! Cards of the nodes of `tests/fixtures/clusters/cards`, made by the product: `image` from a base of the lab.
//!
//! In: the lab with its bases. Out: [`Cards`], an image a node, and what its node is to be. Who may log in is decided here: the
//! profile names a variable, and the key in it is made for the run.

use crate::lab::Lab;
use crate::programs::{self, said};
use crate::vm::bundle::GuestBundle;
use crate::vm::line;
use crate::vm::rehearsal::Role;
use anyhow::{Context as _, ensure};
use desired::Arch;
use host::process::Invocation;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// Who may log in.
const USER: &str = "keeper";
/// Where the profile looks for the key that may, and for a password.
const KEY: &str = "ROOTSTOCK_LAB_KEY";
const PASSWORD: &str = "ROOTSTOCK_LAB_PASSWORD";
/// A password as crypt(3) writes it; nobody knows of what.
const HASH: &str =
    "$6$onlyforthis$P1u8lP3mVYxkMy3QmX8o7pXo9bqgE2cY1hVb8gKqf0wF5xw0pZkq1m4y1cQ3m0H5mCq5vB7xk3dZ8aYt2uJ9r/";

/// What cards are made with.
#[derive(Debug)]
pub struct Cards {
    folder: TempDir,
    bundle: &'static GuestBundle,
}

impl Cards {
    /// Builds their bundles, and a key for their person.
    ///
    /// # Errors
    /// If the bundles can't be built.
    pub fn of(lab: &Lab) -> anyhow::Result<Self> {
        let cards = Self { folder: programs::scratch()?, bundle: GuestBundle::of_cards(lab)? };
        line::make_key(&cards.key())?;
        Ok(cards)
    }

    /// What the node of that architecture is to be.
    #[must_use]
    pub fn role(&self, arch: Arch) -> Role {
        let (node, last) = match arch {
            Arch::Amd64 => ("card", 21),
            Arch::Arm64 => ("board", 22),
        };
        Role {
            node: node.to_owned(),
            arch,
            address: Ipv4Addr::new(10, 0, 2, last),
            user: Some((USER.to_owned(), self.key())),
            // What follows its last sign: journals escape the signs before it.
            secrets: HASH.rsplit('$').take(1).map(str::to_owned).collect(),
            // Nobody serves what it mounts.
            orphans: ["mnt-media.mount", "rootstock-mounts.service", "lab-media.service"]
                .map(str::to_owned)
                .into(),
            others: Vec::new(),
        }
    }

    /// A card of that node.
    ///
    /// # Errors
    /// If the product makes none.
    pub fn card(&self, lab: &Lab, arch: Arch) -> anyhow::Result<PathBuf> {
        let key = std::fs::read_to_string(self.key().with_extension("pub")).context("read the key")?;
        let node = self.role(arch).node;
        let call = programs::xtask()?.args(["image", &node, "--profiles"]).arg(self.bundle.profiles());
        let call = call.env(KEY, key.trim()).env(PASSWORD, HASH);
        image(lab, call, (arch, &node), &self.bundle.out().join("cards"))
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("person")
    }
}

/// A card of a node from the lab's base; `call` is one of `image` that names the node and its profiles, `built` the folder of
/// what was built for its cluster.
///
/// # Errors
/// If the product makes none.
pub fn image(
    lab: &Lab,
    call: Invocation,
    (arch, node): (Arch, &str),
    built: &Path,
) -> anyhow::Result<PathBuf> {
    let out = built.parent().context("a cluster's folder lies in another")?;
    let call = call.args(["--offline", "--base"]).arg(lab.base(arch).image());
    let output = call.arg("--out").arg(out).timeout(Duration::from_secs(1200)).run()?;
    ensure!(output.code == 0, "image ends with {}: {}", output.code, said(&output));
    Ok(built.with_extension("cards").join(format!("{node}.img")))
}
