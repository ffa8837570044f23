//! Our block in a file that others write too.

use desired::block::Markers;
use desired::observed::Block;
use desired::{AbsPath, Digest};

use crate::root::Root;

/// The lines between our markers, as a digest.
pub(super) fn observe(root: &Root, path: &AbsPath, comment: &str, name: &str) -> Block {
    let file = match root.read(path.as_str()) {
        Ok(Some(file)) => file,
        Ok(None) => return Block::NoFile,
        Err(error) => return Block::Unknown { why: format!("it can't be read: {error}") },
    };
    match Markers::new(comment, name).find(&file) {
        Ok(None) => Block::Missing,
        Ok(Some(lines)) => Block::Present {
            digest: Digest::sha256_of(lines),
            lines: lines.split_inclusive(|byte| *byte == b'\n').count(),
        },
        Err(fault) => Block::Unknown { why: fault.to_string() },
    }
}
