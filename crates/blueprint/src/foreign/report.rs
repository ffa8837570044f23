//! Findings of one file.
//!
//! In: a rule, a span as a parser told it, and a sentence. Out: a finding whose span a picture can show.

use std::ops::Range;

use crate::finding::rules::service;
use crate::finding::{Finding, Rule};
use crate::lint::service::is_pinned;
use crate::parse::{Source, visible};

/// Where findings of a file go.
pub(crate) struct Report<'a> {
    pub(crate) source: &'a Source,
    pub(crate) findings: &'a mut Vec<Finding>,
}

impl Report<'_> {
    /// Reports `rule`; a span of several lines is cut behind its first.
    pub(crate) fn at(&mut self, rule: &'static Rule, span: Range<usize>, message: impl Into<String>) {
        let text = &*self.source.text;
        let start = text.floor_char_boundary(span.start.min(text.len()));
        let end = text.ceil_char_boundary(span.end.clamp(start, text.len()));
        let end = text[start..end].find('\n').map_or(end, |at| start + at);
        // What is missing at a line's end is shown at its last letter.
        let back =
            start == end && !text[..start].ends_with('\n') && !text[start..].starts_with(|c| c != '\n');
        let start = if back { text.floor_char_boundary(start.saturating_sub(1)) } else { start };
        self.findings.push(Finding::new(rule, &self.source.path, visible(start..end, text), message));
    }

    /// Asks an image for a version; what a variable or a template puts in is judged where it is set.
    pub(crate) fn image(&mut self, image: &str, span: &Range<usize>) {
        let loose = if image.contains(['$', '{']) {
            image.ends_with(":latest") || image.contains(":-latest}") || image.contains("\"latest\"")
        } else {
            !is_pinned(image)
        };
        if loose {
            self.at(&service::IMAGE_TAG, span.clone(), format!("`{image}` has no fixed version"));
        }
    }
}

/// Each line that says something, trimmed, with its place; a comment is none.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    let mut start = 0;
    text.split_inclusive('\n').filter_map(move |line| {
        let begin = start + line.len() - line.trim_start().len();
        start += line.len();
        let line = line.trim();
        (!line.is_empty() && !line.starts_with('#')).then_some((begin..begin + line.len(), line))
    })
}
