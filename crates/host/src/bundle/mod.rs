//! Bundles: assembled at the desk, distrusted on the node.
//!
//! Out (feature `net`): program, resources of every node, artifacts → manifest → one deterministic `tar.gz`.
//! In: a folder or a `tar.gz`, every byte of it read and held against the manifest before anything else happens; only
//! that makes a [`Verified`] [`Bundle`]. Nothing is unpacked on the way.

#[cfg(feature = "net")]
mod assemble;
pub(crate) mod at_hand;
mod folder;
mod found;
mod take;
mod verify;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[cfg(feature = "net")]
pub use assemble::{Contents, Included, Written, write};
pub use at_hand::AtHand;
use desired::manifest::{BundleManifest, Fault, ManifestError};
use desired::order::OrderError;
use desired::resource::Resource;
use desired::{Digest, Invalid, NodeName};
pub use take::take;
pub use verify::verify;

use crate::archive::ArchiveError;
#[cfg(doc)]
use crate::verified::Verified;

/// What a bundle says, once it was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The folder or archive.
    pub place: PathBuf,
    /// What lies in it.
    pub manifest: BundleManifest,
    /// SHA-256 of the manifest's text: the bundle's identity.
    pub digest: Digest,
    /// What each node shall be.
    pub nodes: BTreeMap<NodeName, Vec<Resource>>,
}

/// Why a bundle is refused or could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// It, or something in it, can't be read.
    #[error("can't read {}", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// There is none at that place.
    #[error("{} holds no bundle: there is no manifest.json, and it is no tar.gz", .0.display())]
    NoBundle(PathBuf),
    /// The archive is damaged or holds what no bundle holds.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// An entry of a folder that no bundle holds.
    #[error("{entry} is refused: {why}")]
    Refused {
        /// The entry, relative to the bundle, control characters escaped.
        entry: String,
        /// Why.
        why: String,
    },
    /// The manifest is not acceptable.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A key is pinned, and the bundle has no signature.
    #[error(
        "it is not signed, and this node takes only what the pinned key signed; build it with --sign-key"
    )]
    Unsigned,
    /// A key is pinned, and its owner did not sign this.
    #[error("its signature does not hold: {0}")]
    Signature(String),
    /// Files differ from the manifest.
    #[error("{} files differ from the manifest{}", .0.len(), first(.0))]
    Differs(Vec<Fault>),
    /// A node's resources can't be read or fulfilled.
    #[error("the resources of {node} are not usable: {why}")]
    Resources {
        /// The node.
        node: NodeName,
        /// Why, as a sentence.
        why: String,
    },
    /// The program is for another machine than the manifest says.
    #[error("the program in the bundle is not for {wanted}, as the manifest says, but {found}")]
    Program {
        /// The arch of the manifest.
        wanted: desired::Arch,
        /// What it is.
        found: String,
    },
    /// Two resources of one node exclude each other.
    #[error("the resources of {node} have no order")]
    Order {
        /// The node.
        node: NodeName,
        /// Why.
        source: OrderError,
    },
    /// It can't be signed.
    #[cfg(feature = "net")]
    #[error(transparent)]
    Signing(#[from] crate::signature::SigningError),
    /// A name that can't stand in a bundle.
    #[error(transparent)]
    Name(#[from] Invalid),
}

impl BundleError {
    /// How many differences an error message names.
    pub const NAMED: usize = 10;

    /// Whether the bundle was read and found wrong, rather than not found or not readable.
    #[must_use]
    pub const fn is_verification_failure(&self) -> bool {
        !matches!(self, Self::Unreadable { .. } | Self::NoBundle(_) | Self::Order { .. } | Self::Name(_))
    }
    fn unreadable(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Unreadable { path: path.to_owned(), source }
    }
    fn refused(entry: &str, why: impl Into<String>) -> Self {
        Self::Refused { entry: entry.escape_debug().to_string(), why: why.into() }
    }
}

fn first(faults: &[Fault]) -> String {
    let mut text = String::new();
    for fault in faults.iter().take(BundleError::NAMED) {
        text.push_str("\n  ");
        text.push_str(&fault.to_string());
    }
    if faults.len() > BundleError::NAMED {
        text.push_str(&format!("\n  and {} more", faults.len() - BundleError::NAMED));
    }
    text
}

#[cfg(test)]
#[cfg(feature = "net")]
mod tests;
