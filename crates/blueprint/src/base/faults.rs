//! What is wrong in a file of the catalogue, with its line.

use std::ops::Range;

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line it begins on, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl Fault {
    pub(super) fn at(text: &str, span: &Range<usize>, message: String) -> Self {
        let before = &text.as_bytes()[..span.start.min(text.len())];
        Self { line: 1 + before.iter().filter(|byte| **byte == b'\n').count(), message }
    }
}

/// Every fault of one file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(|fault| format!("line {}: {}", fault.line, fault.message)).collect::<Vec<_>>().join("\n"))]
pub struct Faults(pub Vec<Fault>);
