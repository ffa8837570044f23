//! Why a program call failed, in words that can be acted on.

use std::path::PathBuf;
use std::time::Duration;

/// How a program ended when it didn't end as expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With this exit status.
    Status(i32),
    /// By this signal.
    Signal(i32),
}

impl std::fmt::Display for Ending {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status(code) => write!(formatter, "ended with exit status {code}"),
            Self::Signal(number) => write!(formatter, "was killed by signal {number}"),
        }
    }
}

/// A call that gave no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// There is no such program.
    #[error("`{program}` is not installed (wanted for: {line}){}", advice(hint.as_deref()))]
    Missing {
        /// The program that was looked for.
        program: String,
        /// The quoted command line.
        line: String,
        /// What installs it, when the caller knows.
        hint: Option<String>,
    },
    /// The folder to run in isn't one.
    #[error("can't run {line}: its working folder {folder} is not there", folder = folder.display())]
    Folder {
        /// The quoted command line.
        line: String,
        /// The folder.
        folder: PathBuf,
    },
    /// The system refused to start or follow it.
    #[error("can't run {line}")]
    System {
        /// The quoted command line.
        line: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// It ended otherwise than expected.
    #[error("{line} {ending}{}", said(tail))]
    Failed {
        /// The quoted command line.
        line: String,
        /// How it ended.
        ending: Ending,
        /// The last of its standard error.
        tail: String,
    },
    /// It was killed because it took too long.
    #[error("{line} did not end within {after:?} and was killed{}", said(tail))]
    TimedOut {
        /// The quoted command line.
        line: String,
        /// The time it had.
        after: Duration,
        /// The last of its standard error.
        tail: String,
    },
}

impl ProcessError {
    /// Whether the program simply isn't installed, which callers with an alternative look for.
    #[must_use]
    pub const fn is_missing(&self) -> bool {
        matches!(self, Self::Missing { .. })
    }
    /// The last of what the program said on standard error; empty when it never ran.
    #[must_use]
    pub fn tail(&self) -> &str {
        match self {
            Self::Failed { tail, .. } | Self::TimedOut { tail, .. } => tail,
            _ => "",
        }
    }
}

fn advice(hint: Option<&str>) -> String {
    hint.map_or_else(
        || "; install it or put it on PATH".to_owned(),
        |hint| format!("; this installs it: {hint}"),
    )
}

fn said(tail: &str) -> String {
    let tail = tail.trim_end();
    if tail.is_empty() {
        "; it said nothing on standard error".to_owned()
    } else {
        format!("; it said:\n  {}", tail.replace('\n', "\n  "))
    }
}
