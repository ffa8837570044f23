//! Every effect: processes, files, archives, images, network, observation of a node.
//!
//! In: data that the pure crates made (invocations, file sets, pins). Out: what the world answered, as typed
//! values or errors that name the act and the object. Nothing here knows a spec or a template.

pub mod archive;
pub mod bundle;
#[cfg(feature = "net")]
pub mod cache;
pub mod cargo_build;
mod compose;
mod digest;
#[cfg(feature = "disk")]
pub mod disk;
pub mod elf;
#[cfg(feature = "net")]
pub mod fetch;
pub mod freshness;
pub mod health;
#[cfg(feature = "interrupt")]
pub mod interrupt;
pub mod journal;
mod k3s_remains;
pub mod leak_scan;
pub mod mount;
pub mod observe;
#[cfg(feature = "net")]
pub mod oci;
pub mod parallel;
pub mod perform;
mod person;
pub mod preflight;
pub mod process;
mod processes;
pub mod report;
pub mod root;
pub mod running_system;
pub mod secret;
#[cfg(feature = "net")]
pub mod serve;
pub mod signature;
#[cfg(feature = "net")]
pub mod ssh;
pub mod stage;
pub mod tree;
pub mod verified;
