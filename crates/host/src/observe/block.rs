//! Our block in a file that others write too.

use desired::block::Markers;
use desired::observed::Block;
use desired::{AbsPath, Digest};
use rustix::fs::FileType;

use crate::root::Root;

/// The lines between our markers, as a digest.
pub(super) fn observe(root: &Root, path: &AbsPath, comment: &str, name: &str) -> Block {
    // A block is put into a file, never through a link: nobody could tell whose file that is.
    match root.see(path.as_str()) {
        Ok(Some(seen)) if seen.kind() != FileType::RegularFile => {
            let what =
                seen.target().map_or_else(|| "no regular file".to_owned(), |to| format!("a link to {to}"));
            return Block::Unknown { why: format!("it is {what}") };
        }
        _ => {}
    }
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
