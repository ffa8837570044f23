//! Bases: the vendor images that cards are made of, as `images/bases/*.toml` describe them.
//!
//! In: the text of one such file. Out: a [`BaseEntry`], or every fault in it with its line. A base says for which boards,
//! architecture and release it is, what its first boot obeys, where its partitions lie, and which images there are, each
//! pinned or with the reason why not. Nothing is fetched here.

mod faults;

use std::ops::Range;

use desired::card::FirstBoot;
use desired::{Arch, Digest};
use serde::Deserialize;
use toml::Spanned;

use crate::spec::{Board, OsFamily};

pub use faults::{Fault, Faults};

/// A vendor image, and all its releases that are known.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BaseEntry {
    /// The version of this format, 1.
    schema_version: Spanned<u32>,
    /// What people call it.
    pub system: String,
    /// The boards it boots on.
    boards: Spanned<Vec<Board>>,
    /// The machine its programs are for.
    pub arch: Arch,
    /// The operating system.
    pub os: BaseOs,
    /// What its first boot obeys.
    pub first_boot: FirstBoot,
    /// Where its partitions are.
    pub partitions: Partitions,
    /// Its images, the one to take first.
    #[serde(rename = "image", default)]
    images: Vec<Spanned<BaseImage>>,
}

/// An operating system, as nodes name it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BaseOs {
    /// The family.
    pub family: OsFamily,
    /// The release as its maker writes it.
    pub release: String,
}

/// A kind of partition table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Table {
    /// The old one.
    Mbr,
    /// UEFI's.
    Gpt,
}

/// Where the partitions of a base are; what is found in an image is held against it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Partitions {
    /// The table's kind.
    pub table: Table,
    /// The one that the firmware reads, and that the seed is put on.
    pub boot: Partition,
    /// The system's own.
    pub root: Partition,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Partition {
    /// Its number, from 1.
    pub number: u32,
    /// `vfat` or `ext4`.
    pub file_system: String,
    /// The volume's name, where it always has the same.
    pub label: Option<String>,
}

/// One image of a base.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BaseImage {
    /// The vendor's name of it, a date or a number.
    pub version: String,
    /// Where it is fetched.
    pub url: String,
    /// The SHA-256 of the file as it is fetched.
    pub digest: Option<Digest>,
    /// The length of that file.
    pub size: Option<u64>,
    /// The SHA-256 of the disk that comes out of it.
    pub raw_digest: Option<Digest>,
    /// The length of that disk.
    pub raw_size: Option<u64>,
    /// The vendor's own list of digests.
    pub list: Option<String>,
    /// Who vouches for the digests.
    pub evidence: Option<String>,
    /// Why it has none.
    pub unpinned: Option<String>,
}

impl BaseImage {
    /// The name of the file that is fetched.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or(&self.url)
    }
}

impl BaseEntry {
    /// Reads one file of the catalogue.
    ///
    /// # Errors
    /// [`Faults`]: every one of it.
    pub fn parse(text: &str) -> Result<Self, Faults> {
        let entry: Self = toml::from_str(text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            Faults(vec![Fault::at(text, &span, error.message().to_owned())])
        })?;
        let faults = entry.faults(text);
        if faults.is_empty() { Ok(entry) } else { Err(Faults(faults)) }
    }

    fn faults(&self, text: &str) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut fault = |span: Range<usize>, message: String| faults.push(Fault::at(text, &span, message));
        if *self.schema_version.get_ref() != 1 {
            let version = self.schema_version.get_ref();
            fault(
                self.schema_version.span(),
                format!("version {version} of this format is not known here; write 1"),
            );
        }
        if self.boards.get_ref().is_empty() {
            fault(self.boards.span(), "`boards` is empty: name at least one that it boots on".to_owned());
        }
        if self.images.is_empty() {
            fault(0..0, "there is no `[[image]]`".to_owned());
        }
        if self.partitions.boot.number == self.partitions.root.number {
            fault(0..0, "boot and root are the same partition".to_owned());
        }
        for (at, image) in self.images.iter().enumerate() {
            let (span, image) = (image.span(), image.get_ref());
            let earlier = self.images[..at].iter().any(|other| other.get_ref().version == image.version);
            if earlier {
                fault(span.clone(), format!("there is already an image {}", image.version));
            }
            for why in image.faults() {
                fault(span.clone(), why);
            }
        }
        faults
    }

    /// The boards it boots on.
    #[must_use]
    pub fn boards(&self) -> &[Board] {
        self.boards.get_ref()
    }

    /// Its images, the one to take first.
    pub fn images(&self) -> impl Iterator<Item = &BaseImage> {
        self.images.iter().map(Spanned::get_ref)
    }

    /// Whether it is for such a node.
    #[must_use]
    pub fn suits(&self, board: Board, arch: Arch, family: OsFamily, release: &str) -> bool {
        self.boards().contains(&board)
            && self.arch == arch
            && self.os.family == family
            && self.os.release == release
    }
}

impl BaseImage {
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for url in [Some(&self.url), self.list.as_ref()].into_iter().flatten() {
            if !url.starts_with("https://") || url.contains(char::is_whitespace) {
                faults.push(format!("`{}` is no https: address", url.escape_debug()));
            }
        }
        match (&self.digest, &self.evidence, &self.unpinned) {
            (Some(_), Some(_), None) | (None, None, Some(_)) => {}
            (Some(_), None, _) => faults.push("a digest needs `evidence`: who vouches for it".to_owned()),
            (Some(_), Some(_), Some(_)) => faults.push("it has a digest, so `unpinned` goes".to_owned()),
            (None, _, None) => faults.push("it has no `digest`: say why in `unpinned`".to_owned()),
            (None, Some(_), _) => faults.push("`evidence` vouches for a digest that is not there".to_owned()),
        }
        if self.digest.is_none() && (self.raw_digest.is_some() || self.size.is_some()) {
            faults.push("the disk's digest or the file's size stands without the file's digest".to_owned());
        }
        let sha256 = desired::types::DigestAlgorithm::Sha256;
        for digest in [&self.digest, &self.raw_digest].into_iter().flatten() {
            if digest.algorithm() != sha256 {
                faults.push(format!("{} is no sha256, which is what is compared", digest.short()));
            }
        }
        if self.size == Some(0) || self.raw_size.is_some_and(|size| size == 0 || size % 512 != 0) {
            faults.push("`size` is above 0, and `raw-size` a multiple of 512".to_owned());
        }
        faults
    }
}

#[cfg(test)]
mod tests;
