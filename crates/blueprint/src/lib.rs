//! Pure: from what a person wrote to what each node shall be.
//!
//! In: the text of profiles. Out: findings, the resolved model, pins, and rendered resources and file sets.
//! Nothing here reaches a process, the network, a file, a clock or the environment.

pub mod base;
pub mod escape;
pub mod finding;
pub mod foreign;
mod lint;
pub mod lock;
pub mod model;
pub mod parse;
pub mod render;
pub mod resolve;
pub mod sbom;
pub mod spec;
