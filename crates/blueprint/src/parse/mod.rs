//! From the text of a file to a spec, with every finding of that file.
//!
//! In: [`Source`]s. Out: the spec, as complete as the file allows, and findings. What a person wrote wrongly is
//! replaced by a placeholder (a value with an empty span) so that the rest is still judged and nothing cascades.

mod guard;
mod shape;
mod walk;

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use serde::de::DeserializeOwned;
use shape::Shape;
use toml::de::{DeTable, Deserializer};
use walk::Walk;

pub use guard::{MAX_BYTES, text, tokens};

use crate::finding::{Finding, rules};
use crate::spec::{At, ClusterSpec, RoleFile};

/// A file's text and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Relative to the profiles folder, with `/` (`vnext/cluster.toml`).
    pub path: Arc<str>,
    /// Its whole content.
    pub text: Arc<str>,
}

impl Source {
    /// A file at `path` with this content.
    #[must_use]
    pub fn new(path: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self { path: path.into(), text: text.into() }
    }
    /// The file's name without folder and extension.
    #[must_use]
    pub fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or(&self.path);
        name.split_once('.').map_or(name, |(stem, _)| stem)
    }
}

/// Reads a `cluster.toml`.
pub fn cluster(source: &Source, findings: &mut Vec<Finding>) -> Option<ClusterSpec> {
    static SHAPE: LazyLock<Shape> = LazyLock::new(Shape::of::<ClusterSpec>);
    let spec: ClusterSpec = read(source, &SHAPE, findings)?;
    version(source, &spec.schema_version, findings).then_some(spec)
}

/// Reads a file of `profiles/roles/`.
pub fn role(source: &Source, findings: &mut Vec<Finding>) -> Option<RoleFile> {
    static SHAPE: LazyLock<Shape> = LazyLock::new(Shape::of::<RoleFile>);
    let role: RoleFile = read(source, &SHAPE, findings)?;
    version(source, &role.schema_version, findings).then_some(role)
}

/// A file for another version is not judged by this version's rules.
fn version(source: &Source, at: &At<u32>, findings: &mut Vec<Finding>) -> bool {
    if at.value == 1 || at.span.is_empty() {
        return true;
    }
    let message = format!("version {} is not known here", at.value);
    findings.push(Finding::new(&rules::shape::SCHEMA_VERSION, &source.path, at.span.clone(), message));
    false
}

fn read<T: DeserializeOwned>(source: &Source, shape: &Shape, findings: &mut Vec<Finding>) -> Option<T> {
    let (mut tree, errors) = DeTable::parse_recoverable(&source.text);
    if !errors.is_empty() {
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            findings.push(Finding::new(
                &rules::shape::SYNTAX,
                &source.path,
                visible(span, &source.text),
                error.message(),
            ));
        }
        // What a broken line was meant to say is guesswork; its neighbours are judged once it parses.
        return None;
    }
    if let Shape::Table(fields) = shape {
        // The whole file is no place to point at: what is missing at the top is told at the first line.
        let top = 0..source.text.find('\n').unwrap_or(source.text.len());
        Walk { file: &source.path, findings }.table(tree.get_mut(), fields, &top);
    }
    match T::deserialize(Deserializer::from(tree)) {
        Ok(value) => Some(value),
        Err(error) => {
            let span = visible(error.span().unwrap_or(0..0), &source.text);
            findings.push(Finding::new(&rules::shape::BAD_VALUE, &source.path, span, error.message()));
            None
        }
    }
}

/// A span that holds at least one character where the text has one, so that a picture can show it.
pub(crate) fn visible(span: Range<usize>, text: &str) -> Range<usize> {
    if !span.is_empty() || text.is_empty() {
        return span;
    }
    let start = text.floor_char_boundary(span.start.min(text.len() - 1));
    start..text.ceil_char_boundary(start + 1)
}
