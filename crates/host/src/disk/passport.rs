//! A card's passport: what was put on it, for whom, from what; read back years later, offline.
//!
//! In: at the desk the digests of everything that is seeded; later a card's boot partition. Out: stable JSON, and for every
//! file whether it still is what was seeded. What a node takes away once it has joined is told apart from what drifted.

use std::collections::BTreeMap;

use desired::card::{FirstBoot, Lasts};
use desired::types::DigestAlgorithm;
use desired::{Arch, ByteSize, ClusterName, Digest, NodeName};
use serde::{Deserialize, Serialize};

use super::fat::Fat;
use super::{DiskError, ReadAt};
use crate::digest::Hasher;

/// The version of the passport's keys.
pub const FORMAT: u32 = 1;
/// Its place on the boot partition.
pub const PATH: &str = "rootstock/passport.json";
/// The signature of its text, where the desk has a key.
pub const SIGNATURE: &str = "rootstock/passport.json.minisig";
/// The folder of what the node's first boot puts in the place of files that held a secret.
const AFTER: &str = "rootstock/after";
/// What the node's first boot reports.
pub const STATUS: &str = "rootstock/status.txt";

/// A file that was seeded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Seeded {
    /// Its content, by sha256.
    pub digest: Digest,
    /// How long it stays so.
    pub lasts: Lasts,
}

/// What the card was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Origin {
    /// Its name.
    pub name: String,
    /// Its digest, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Its length, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<ByteSize>,
}

/// The passport.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Passport {
    /// [`FORMAT`].
    pub format: u32,
    /// The cluster.
    pub cluster: ClusterName,
    /// The node.
    pub node: NodeName,
    /// Its architecture.
    pub arch: Arch,
    /// The version of the tool that made the card.
    pub tool_version: String,
    /// What its first boot obeys, in words.
    pub first_boot: FirstBoot,
    /// The vendor's image.
    pub base: Origin,
    /// The bundle the node joins from.
    pub bundle: Origin,
    /// Where the node fetches the bundle, if it does not lie on the card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetched_from: Option<String>,
    /// Secrets that lie on the card until the node has joined, by reference.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub carries: Vec<String>,
    /// When the token among them ends, as it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_expires: Option<String>,
    /// Every file that was put there or changed, by path.
    pub files: BTreeMap<String, Seeded>,
}

/// How a file is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// As it was seeded.
    AsSeeded,
    /// Gone or changed, as was meant by the node's first boot.
    UsedUp,
    /// Somebody changed it.
    Changed,
    /// Somebody took it away.
    Gone,
}

impl Fate {
    /// Whether the card is no more what its passport says.
    #[must_use]
    pub const fn is_drift(self) -> bool {
        matches!(self, Self::Changed | Self::Gone)
    }
}

impl std::fmt::Display for Fate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::AsSeeded => "as seeded",
            Self::UsedUp => "used up by the first boot",
            Self::Changed => "CHANGED",
            Self::Gone => "GONE",
        })
    }
}

/// Why a card's passport can't be read.
#[derive(Debug, thiserror::Error)]
pub enum PassportError {
    /// The boot partition.
    #[error("the boot partition can't be read")]
    Disk(#[from] DiskError),
    /// The text.
    #[error("{PATH} is no passport that this version reads; the card was made by another, or it is damaged")]
    Text(#[from] serde_json::Error),
}

impl Passport {
    /// Its text: stable, with a newline at its end.
    #[must_use]
    pub fn text(&self) -> String {
        let text = serde_json::to_string_pretty(self).expect("texts, numbers and tables have a form in JSON");
        text + "\n"
    }

    /// The passport on a volume and what its first boot reported; none if there is none.
    ///
    /// # Errors
    /// [`PassportError`].
    pub fn read<R: ReadAt + ?Sized>(
        fat: &Fat<'_, R>,
    ) -> Result<Option<(Self, Option<String>)>, PassportError> {
        let Some(bytes) = fat.read(PATH)? else { return Ok(None) };
        let passport = serde_json::from_slice(&bytes)?;
        let status = fat.read(STATUS)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Ok(Some((passport, status)))
    }

    /// How each of its files is now; `has_booted` once a first boot has reported.
    ///
    /// # Errors
    /// [`DiskError`] if the volume is damaged.
    pub fn verify<R: ReadAt + ?Sized>(
        &self,
        fat: &Fat<'_, R>,
        has_booted: bool,
    ) -> Result<BTreeMap<String, Fate>, DiskError> {
        let mut fates = BTreeMap::new();
        for (path, seeded) in &self.files {
            let mut hasher = Hasher::new(DigestAlgorithm::Sha256);
            let is_there = fat.stream(path, |bytes| hasher.update(bytes))?.is_some();
            let now = is_there.then(|| hasher.finish());
            let is_same = now.as_ref() == Some(&seeded.digest);
            let fate = match (is_same, seeded.lasts, is_there) {
                (true, _, _) => Fate::AsSeeded,
                (false, Lasts::UntilJoined, _) if has_booted && self.may_stay(path, now.as_ref()) => {
                    Fate::UsedUp
                }
                (false, _, true) => Fate::Changed,
                (false, _, false) => Fate::Gone,
            };
            fates.insert(path.clone(), fate);
        }
        Ok(fates)
    }

    /// Whether a first boot leaves this content, none if the file is gone, in the place of what was seeded.
    fn may_stay(&self, path: &str, now: Option<&Digest>) -> bool {
        let after = self.files.get(&format!("{AFTER}/{path}"));
        // Where nothing is put in its place, the system goes on with it: the kernel's command line.
        now.zip(after).is_none_or(|(now, after)| *now == after.digest)
    }
}
