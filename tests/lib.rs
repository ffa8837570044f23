//! Shared ground of the rings above unit.
//!
//! [`node`] is a node to join; [`lab`] sets up real tools, engines and registries; [`ring`] is what a trial is and how its end is recorded;
//! [`programs`] runs our own binaries as processes; [`consumers`] lets the real readers of our files judge them; [`clusters`] resolves the three
//! profiles for that; [`documents`] finds
//! the commands our documents tell people to type; [`vm`] boots virtual machines.
//! The trials themselves are in `it/<ring>/<noun>.rs`. Nothing here is part of a product.

pub mod clusters;
pub mod consumers;
pub mod desk;
pub mod documents;
pub mod lab;
pub mod node;
pub mod programs;
pub mod ring;
pub mod seeds;
pub mod vm;

use std::path::Path;

/// The root of the working tree these tests were compiled in.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
