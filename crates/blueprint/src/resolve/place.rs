//! Places across the files of a cluster, and the list findings are put on.

use std::ops::Range;
use std::sync::Arc;

use crate::finding::{Finding, Rule};
use crate::spec::At;

/// Which file of the cluster: 0 is `cluster.toml`, the others are roles.
pub(crate) type FileIndex = usize;

/// A byte range in one of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: FileIndex,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Place {
    pub(crate) const fn new(file: FileIndex, span: &Range<usize>) -> Self {
        Self { file, start: span.start, end: span.end }
    }
    /// In `cluster.toml`.
    pub(crate) const fn of<T>(at: &At<T>) -> Self {
        Self::new(0, &at.span)
    }
    /// Stands for something nobody wrote, or wrote wrongly and was told so already.
    pub(crate) const fn is_placeholder(self) -> bool {
        self.start == self.end
    }
}

/// A value with its place in any of the files.
#[derive(Debug, Clone)]
pub(crate) struct Placed<T> {
    pub(crate) value: T,
    pub(crate) place: Place,
}

impl<T> Placed<T> {
    pub(crate) const fn new(value: T, place: Place) -> Self {
        Self { value, place }
    }
}

/// Where findings of resolve and lint go.
#[derive(Debug)]
pub(crate) struct Findings {
    files: Vec<Arc<str>>,
    list: Vec<Finding>,
    told: usize,
}

/// A finding under construction; does nothing when its place is a placeholder.
pub(crate) struct Draft<'a> {
    files: &'a [Arc<str>],
    finding: Option<&'a mut Finding>,
}

impl Findings {
    pub(crate) const fn new(files: Vec<Arc<str>>) -> Self {
        Self { files, list: Vec::new(), told: 0 }
    }
    /// Reports `rule` at `place`. A placeholder's own mistake was told when it was made, so nothing is added for it.
    pub(crate) fn at(&mut self, rule: &'static Rule, place: Place, message: impl Into<String>) -> Draft<'_> {
        self.told += 1;
        if place.is_placeholder() {
            return Draft { files: &self.files, finding: None };
        }
        self.list.push(Finding::new(rule, &self.files[place.file], place.start..place.end, message));
        Draft { files: &self.files, finding: self.list.last_mut() }
    }
    /// How much was told so far, here or when a placeholder was made: a part that was read without adding to it is as
    /// its author meant it.
    pub(crate) const fn told(&self) -> usize {
        self.told
    }
    pub(crate) fn into_list(self) -> Vec<Finding> {
        self.list
    }
}

impl Draft<'_> {
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        if let Some(finding) = &mut self.finding {
            finding.help(help);
        }
        self
    }
    pub(crate) fn related(mut self, place: Place, label: impl Into<String>) -> Self {
        if let Some(finding) = self.finding.as_mut().filter(|_| !place.is_placeholder()) {
            finding.related(&self.files[place.file], place.start..place.end, label);
        }
        self
    }
}
