//! A cluster's machines, worked on from the desk.
//!
//! In: the profile, what `build-images` made of it, and machines that ssh reaches. Out: nodes that joined, were replaced,
//! or tell how they are. Which nodes, in what order, and what kubectl's answers mean is decided by the pure modules
//! (`selection`, `order`, `kube`, `evictions`, `storage`, `outcome`); the rest calls programs through `host`.

pub mod crew;
pub mod desk;
pub mod evictions;
pub mod join;
pub mod kube;
pub mod machine;
pub mod membership;
pub mod metadata;
pub mod order;
pub mod outcome;
pub mod replace;
pub mod secrets;
pub mod selection;
pub mod server;
pub mod status;
pub mod storage;
pub mod upgrade;
