//! What can happen, as data; the JSON form is stable and versioned.

use serde::Serialize;

/// The sorts of long work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Bytes from the network.
    Download,
    /// Crates by the compiler.
    Compile,
    /// Bytes into an archive.
    Pack,
    /// Layers and configurations of an image.
    Image,
    /// Bytes to a registry.
    Push,
    /// Bytes out of a packed base.
    Unpack,
    /// Bytes of a base to a medium.
    Card,
    /// Work on another machine, step by step.
    Node,
}

impl Kind {
    /// The word before the label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Download => "download",
            Self::Compile => "compile",
            Self::Pack => "pack",
            Self::Image => "image",
            Self::Push => "push",
            Self::Unpack => "unpack",
            Self::Card => "card",
            Self::Node => "node",
        }
    }
    /// Whether amounts are bytes; otherwise they are steps.
    #[must_use]
    pub const fn counts_bytes(self) -> bool {
        matches!(self, Self::Download | Self::Pack | Self::Push | Self::Unpack | Self::Card)
    }
}

/// One event of a report. `task` numbers tasks from 1 within one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event {
    /// A task began.
    Started {
        /// Its number.
        task: u64,
        /// Its sort.
        kind: Kind,
        /// What it works on.
        label: String,
        /// How much there is to do, if known.
        total: Option<u64>,
    },
    /// A task got further.
    Advanced {
        /// Its number.
        task: u64,
        /// Its sort.
        kind: Kind,
        /// What it works on.
        label: String,
        /// How much is done.
        done: u64,
        /// How much there is to do, if known.
        total: Option<u64>,
    },
    /// A task came to another step.
    Stepped {
        /// Its number.
        task: u64,
        /// Its sort.
        kind: Kind,
        /// What it works on.
        label: String,
        /// What it does now, in a few words.
        step: String,
    },
    /// A task ended well.
    Finished {
        /// Its number.
        task: u64,
        /// Its sort.
        kind: Kind,
        /// What it worked on.
        label: String,
        /// How much was done.
        done: u64,
        /// How long it took, in milliseconds.
        millis: u64,
        /// A few words about the outcome, or empty.
        note: String,
    },
    /// A task ended badly.
    Failed {
        /// Its number.
        task: u64,
        /// Its sort.
        kind: Kind,
        /// What it worked on.
        label: String,
        /// A few words; the error itself is reported by its receiver.
        why: String,
    },
    /// A line to be read.
    Said {
        /// The line.
        line: String,
    },
}

impl Event {
    /// Whether it tells of work that has not come to its end.
    pub(super) const fn is_of_work_that_goes_on(&self) -> bool {
        matches!(self, Self::Started { .. } | Self::Advanced { .. } | Self::Stepped { .. })
    }
}
