//! Findings: what is wrong with a profile, where, and what to write instead.
//!
//! In: rules and places, from parse, resolve and lint. Out: [`Finding`]s that a binary prints as pictures or JSON.
//! A finding never repeats a value that may be a secret. Every rule has a code that never changes meaning.

mod nearest;
mod rule;
pub mod rules;

use std::ops::Range;
use std::sync::Arc;

pub(crate) use nearest::nearest;
pub use rule::{Rule, Severity};

/// One thing that is wrong, or doubtful, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule that found it.
    pub rule: &'static Rule,
    /// The file, relative to the profiles folder, with `/`.
    pub file: Arc<str>,
    /// Byte range in that file; empty when it is about the file as a whole.
    pub span: Range<usize>,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What to write instead, if there is more to say than the rule's own advice.
    pub help: Option<String>,
    /// Other places that belong to it.
    pub related: Vec<Related>,
}

/// Another place that belongs to a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// The file.
    pub file: Arc<str>,
    /// Byte range in that file.
    pub span: Range<usize>,
    /// What is there ("first used here").
    pub label: String,
}

impl Finding {
    /// A finding of `rule` at `span` of `file`.
    #[must_use]
    pub fn new(rule: &'static Rule, file: &Arc<str>, span: Range<usize>, message: impl Into<String>) -> Self {
        Self { rule, file: Arc::clone(file), span, message: message.into(), help: None, related: Vec::new() }
    }
    /// Whether it forbids a model.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.rule.severity == Severity::Error
    }
    /// Says what to write instead.
    pub fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }
    /// Names another place that belongs to it.
    pub fn related(&mut self, file: &Arc<str>, span: Range<usize>, label: impl Into<String>) -> &mut Self {
        self.related.push(Related { file: Arc::clone(file), span, label: label.into() });
        self
    }
}

/// Sorts by file, then place, then code, and keeps one finding of a rule at a place: a mistake in a role or a
/// group is told once, not once a node.
pub fn tidy(findings: &mut Vec<Finding>) {
    findings.sort_by(|left, right| {
        (&left.file, left.span.start, left.rule.order(), left.span.end).cmp(&(
            &right.file,
            right.span.start,
            right.rule.order(),
            right.span.end,
        ))
    });
    findings.dedup_by(|later, first| {
        later.rule.code == first.rule.code
            && later.file == first.file
            && later.span == first.span
            && (!first.span.is_empty() || later.message == first.message)
    });
}
