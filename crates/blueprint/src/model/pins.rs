//! Pins: what the lock knows of each artifact, in the form render needs.

use std::collections::BTreeMap;

use desired::{Arch, ArtifactName, Mode, Pinned};

/// One pinned file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// Its version.
    pub version: String,
    /// Its file name in the bundle's folder of the artifact.
    pub file: String,
    /// Permission bits it is installed with.
    pub mode: Mode,
    /// What its bytes are held against.
    pub pinned: Pinned,
}

/// The pins of a cluster by artifact and arch; only a lock makes them.
#[derive(Debug, Clone, Default)]
pub struct Pins(BTreeMap<(ArtifactName, Arch), Pin>);

impl Pins {
    /// The pins with this content.
    #[must_use]
    pub const fn new(pins: BTreeMap<(ArtifactName, Arch), Pin>) -> Self {
        Self(pins)
    }
    /// The pin of `artifact` for `arch`.
    #[must_use]
    pub fn get(&self, artifact: &str, arch: Arch) -> Option<&Pin> {
        let name: ArtifactName = artifact.parse().ok()?;
        self.0.get(&(name, arch))
    }
    /// All, by artifact, then arch.
    pub fn iter(&self) -> impl Iterator<Item = (&ArtifactName, Arch, &Pin)> {
        self.0.iter().map(|((name, arch), pin)| (name, *arch, pin))
    }
}
