//! Disks as bytes: what lies on an image, a card or a device, told without mounting anything.
//!
//! In: something that can be read at any place. Out: its partitions, their file systems and files, and which of its bytes
//! are in use. Nothing is written, and nothing that was read is followed before it was checked: an image is a stranger's.

mod aligned;
pub mod base;
mod card_journal;
pub mod ext4;
pub mod fat;
pub mod guard;
pub mod insight;
pub mod inventory;
pub mod medium;
pub mod overlay;
pub mod passport;
mod read;
mod stream_map;
pub mod table;
mod used;
pub mod volume;
pub mod write;

pub use read::{Part, ReadAt, Whole};
pub use used::Used;

/// Why a disk can't be understood.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The system refused.
    #[error("can't read {count} bytes at {offset}")]
    Unreadable {
        /// Where, in bytes from the start of what was read.
        offset: u64,
        /// How many bytes.
        count: usize,
        /// The system's answer.
        source: std::io::Error,
    },
    /// It ends before what it says of itself.
    #[error("it ends at {size}, and {count} bytes at {offset} are wanted: it is cut off, or damaged")]
    Ends {
        /// Where, in bytes.
        offset: u64,
        /// How many bytes.
        count: usize,
        /// Its length in bytes.
        size: u64,
    },
    /// What is there contradicts itself or its own rules.
    #[error("the {what} is damaged: {why}")]
    Damaged {
        /// What was looked at.
        what: &'static str,
        /// Why, as a clause.
        why: String,
    },
}

impl DiskError {
    fn damaged(what: &'static str, why: impl Into<String>) -> Self {
        Self::Damaged { what, why: why.into() }
    }
}

#[cfg(test)]
mod tests;
