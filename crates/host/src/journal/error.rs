//! Why the journal can't be kept or believed.

use std::io;

use super::lock::{Holder, Orphan};

/// A journal that can't be kept or believed; nothing is changed without one.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A file of the state folder could not be read or written.
    #[error("{act} {path}")]
    File {
        /// What was done.
        act: &'static str,
        /// The path on the node.
        path: String,
        /// The system's answer.
        source: io::Error,
    },
    /// Another run is at work.
    #[error("another run is at work on this node: {0}; wait for it to end")]
    Held(Holder),
    /// Programs of a run that was killed are still at work.
    #[error(
        "a run that was cut off left programs at work: {}; wait for them to end", orphans(.0)
    )]
    Orphans(Vec<Orphan>),
    /// A line in the middle makes no sense.
    #[error(
        "line {line} of {path} is damaged: {why}; restore the file, or move it away and lose what `leave` would put back"
    )]
    Damaged {
        /// The line, from 1.
        line: usize,
        /// The path on the node.
        path: String,
        /// What the parser says.
        why: String,
    },
    /// It was written by another version.
    #[error(
        "{path} has format {found}, this program keeps format {}; use the version that wrote it",
        super::FORMAT
    )]
    Format {
        /// The path on the node.
        path: String,
        /// The format it has.
        found: u32,
    },
}

impl JournalError {
    /// For `map_err`: what was done to which file.
    pub(crate) fn file(act: &'static str, path: impl std::fmt::Display) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_string();
        move |source| Self::File { act, path, source }
    }
}

fn orphans(of: &[Orphan]) -> String {
    of.iter().map(Orphan::to_string).collect::<Vec<_>>().join(", ")
}
