//! From the text of a file to a spec, with every finding of that file.
//!
//! In: [`Source`]s. Out: the spec, as complete as the file allows, and findings. What a person wrote wrongly is
//! replaced by a placeholder (a value with an empty span) so that the rest is still judged and nothing cascades.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::finding::{Finding, rules};
use crate::spec::{ClusterSpec, RoleFile};

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
    read(source, findings)
}

/// Reads a file of `profiles/roles/`.
pub fn role(source: &Source, findings: &mut Vec<Finding>) -> Option<RoleFile> {
    read(source, findings)
}

fn read<T: DeserializeOwned>(source: &Source, findings: &mut Vec<Finding>) -> Option<T> {
    match toml::from_str(&source.text) {
        Ok(spec) => Some(spec),
        Err(error) => {
            let span = error.span().unwrap_or(0..0);
            findings.push(Finding::new(&rules::shape::SYNTAX, &source.path, span, error.message()));
            None
        }
    }
}
