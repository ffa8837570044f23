//! Why a change could not be made, in words that can be acted on.

use std::io;

use desired::{AbsPath, Digest, SecretReference, UnitName};

use crate::archive::ArchiveError;
use crate::bundle::BundleError;
use crate::journal::JournalError;
use crate::process::ProcessError;
use crate::root::NoAccount;

/// A change that was not made, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum PerformError {
    /// A file operation failed.
    #[error("{act} {path}")]
    File {
        /// What was done.
        act: &'static str,
        /// To what, as the node sees it.
        path: String,
        /// The system's answer.
        source: io::Error,
    },
    /// Something lies there that is not ours to destroy.
    #[error("{path} is left alone: {why}")]
    InTheWay {
        /// The path.
        path: AbsPath,
        /// What lies there and what to do.
        why: String,
    },
    /// The owner does not exist.
    #[error(transparent)]
    Account(#[from] NoAccount),
    /// The journal can't be kept, and nothing is changed without it.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A program failed.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A package manager installed nothing, for one of the usual reasons.
    #[error("{why}; {fix}; {said}")]
    Manager {
        /// The reason, as a clause.
        why: &'static str,
        /// What to do.
        fix: &'static str,
        /// The call and what the manager said.
        said: ProcessError,
    },
    /// The node is no member of its mesh, or not the one it should be.
    #[error("{why}\n  fix: {fix}")]
    Mesh {
        /// What is wrong, as a clause.
        why: String,
        /// What to do.
        fix: String,
    },
    /// A secret is not there.
    #[error("the secret {reference} can't be had, {why}")]
    Secret {
        /// The reference, which is no secret.
        reference: SecretReference,
        /// Why, as a clause, and what to do.
        why: String,
    },
    /// The bundle does not give its artifact.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A deferred artifact could not be fetched from any of its sources.
    #[error(
        "artifact {artifact} could not be fetched{attempts}; put this node on a network that reaches one of them, or build the bundle where they can be reached"
    )]
    Fetch {
        /// Its name.
        artifact: String,
        /// A line a source: its address and what went wrong.
        attempts: String,
    },
    /// A file is not what it should be.
    #[error("{what} has digest {found} instead of {expected}; it was not used")]
    Digest {
        /// What.
        what: String,
        /// The pin.
        expected: Digest,
        /// What came.
        found: Digest,
    },
    /// An archive that was fetched is damaged or lacks what it should hold.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Somebody else works with packages, and does not end.
    #[error("{holder} has held {lock} for {seconds} s; let it end, or end it, then run this again")]
    PackagesHeld {
        /// Who, as a phrase.
        holder: String,
        /// The lock's file.
        lock: &'static str,
        /// How long it was waited for.
        seconds: u64,
    },
    /// A unit does not run.
    #[error("{unit} does not run: it is {state}{tail}")]
    Unit {
        /// Which.
        unit: UnitName,
        /// What systemd says of it.
        state: String,
        /// The last lines of its journal, indented, or nothing.
        tail: String,
    },
    /// k3s runs and is not taken in.
    #[error("{unit} is up but k3s did not join: {reason} [{field}]\n  fix: {fix}\n  it said: {line}")]
    Refused {
        /// Which unit.
        unit: UnitName,
        /// What is wrong, as a clause.
        reason: &'static str,
        /// The known way it goes wrong.
        field: &'static str,
        /// What to do.
        fix: &'static str,
        /// The line it was read from.
        line: String,
    },
    /// A command ran and its probe still says that it has to.
    #[error("{command} ended well, yet its probe {probe} still says that it is needed")]
    NoEffect {
        /// The command.
        command: String,
        /// The probe.
        probe: String,
    },
    /// Something else, as a sentence.
    #[error("{0}")]
    Other(String),
}

/// Lets the filling of a file use `?` on plain reading and writing.
impl From<io::Error> for PerformError {
    fn from(source: io::Error) -> Self {
        Self::File { act: "write", path: "its content".to_owned(), source }
    }
}

impl PerformError {
    /// For `map_err`: what was done to what.
    pub(crate) fn file(act: &'static str, path: impl std::fmt::Display) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_string();
        move |source| Self::File { act, path, source }
    }
    /// The error and its causes in one line.
    #[must_use]
    pub fn sentence(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            // Transparent variants give the same text twice.
            let more = error.to_string();
            if !text.ends_with(&more) {
                text.push_str(": ");
                text.push_str(&more);
            }
            cause = error.source();
        }
        text
    }
}
