//! Container images as OCI layouts: built without a daemon, by buildx, and pushed.
//!
//! ```text
//! Dockerfile + contexts ─dockerfile─▶ instructions ─build─▶ layout folder ─push─▶ registry
//!                      └─bake─▶ docker-bake.json ─buildx─▶ layout folder ───┘
//! ```
//!
//! A layout is a folder: `oci-layout`, `index.json` with one descriptor (an image index of both arches) and
//! `blobs/sha256/…`. The formats are those of the OCI image specification 1.1 and distribution specification 1.1.

pub mod bake;
pub mod build;
pub mod buildx;
pub mod credentials;
pub mod dockerfile;
pub mod layout;
pub mod push;

pub mod spec;
