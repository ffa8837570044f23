//! A layout to a registry, by the OCI distribution protocol.
//!
//! In: a [`Layout`], a [`Reference`], a login. Out: every blob the registry lacks, then the manifests, then the index under
//! its tag, so a tag never points at something incomplete. The layout is only read. Errors name registry, repository and
//! blob and what to do; no login or token is in them.

mod error;
mod reference;
mod session;
#[cfg(test)]
mod tests;

pub use error::{PushError, Refusal};
pub use reference::Reference;

use std::collections::BTreeMap;
use std::fs::File;

use desired::Digest;

use super::credentials::Login;
use super::layout::Layout;
use super::spec::{self, Descriptor};
use crate::report::{Kind, Report};
use session::Session;

/// What a push did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The index, under the reference's tag.
    pub index: Digest,
    /// Blobs sent.
    pub sent: usize,
    /// Blobs the registry had.
    pub present: usize,
    /// Bytes sent.
    pub bytes: u64,
}

/// Pushes the image of `layout` to `reference`.
///
/// # Errors
/// [`PushError`]; what was sent stays in the registry, and the next push goes on from there.
pub fn push(
    layout: &Layout,
    reference: &Reference,
    login: Option<Login>,
    report: &Report,
) -> Result<Pushed, PushError> {
    let images = layout.manifests().map_err(|source| PushError::layout(reference, source))?;
    // A blob that both platforms have is sent once.
    let blobs: BTreeMap<&Digest, &Descriptor> = images
        .iter()
        .flat_map(|(_, manifest)| manifest.layers.iter().chain([&manifest.config]))
        .map(|blob| (&blob.digest, blob))
        .collect();
    let total = blobs.values().map(|blob| blob.size).sum();
    let task = report.task(Kind::Push, reference.to_string(), Some(total));
    let mut session = Session::new(reference, login)?;
    let mut pushed = Pushed { index: layout.image.digest.clone(), sent: 0, present: 0, bytes: 0 };
    for blob in blobs.into_values() {
        if session.has_blob(blob)? {
            pushed.present += 1;
        } else {
            let path = layout.blob_path(&blob.digest);
            let file = File::open(&path).map_err(|source| {
                let source = super::layout::LayoutError::File { act: "open", path, source };
                PushError::layout(reference, source)
            })?;
            session.send_blob(blob, file)?;
            pushed.sent += 1;
            pushed.bytes += blob.size;
        }
        task.inc(blob.size);
    }
    for (descriptor, _) in &images {
        let name = descriptor.digest.to_string();
        send_document(layout, reference, &mut session, descriptor, &name, spec::MANIFEST)?;
    }
    send_document(layout, reference, &mut session, &layout.image, &reference.tag, spec::INDEX)?;
    let note = format!("{} blobs sent, {} were there", pushed.sent, pushed.present);
    task.finish(&note);
    Ok(pushed)
}

fn send_document(
    layout: &Layout,
    reference: &Reference,
    session: &mut Session<'_>,
    descriptor: &Descriptor,
    name: &str,
    media_type: &str,
) -> Result<(), PushError> {
    let bytes = layout.raw_document(descriptor).map_err(|source| PushError::layout(reference, source))?;
    session.send_manifest(descriptor, name, media_type, &bytes)
}
