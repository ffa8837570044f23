//! The contract between the operator's desk and a node.
//!
//! In: nothing but values. Out: the types both sides speak: resources (what a node shall be), the pure
//! function from desired and observed to a change, the plan, file sets and the manifest of a bundle.
//! This crate reaches nothing outside itself.

pub mod artifact;
pub mod block;
pub mod card;
pub mod change;
pub mod cluster_manifest;
pub mod diagnosis;
pub mod fileset;
pub mod identity;
pub mod kernel_line;
pub mod manifest;
pub mod observed;
pub mod order;
pub mod plan;
pub mod preflight;
pub mod resource;
pub mod types;

pub use artifact::Pinned;
pub use fileset::{FileEntry, FileSet};
pub use types::{
    AbsPath, Arch, ArtifactName, ByteSize, ClusterName, Digest, Invalid, MacAddress, Mode, NodeName,
    SecretReference, SerialNumber, UnitName,
};
