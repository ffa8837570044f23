//! Folders that `kubectl apply -k` and `kustomize build` take.
//!
//! In: files of a folder. Out: the same with a `kustomization.yaml` that lists them.

use desired::{FileSet, Mode};
use serde::Serialize;

use crate::escape::yaml;
use crate::render::RenderError;

/// What a folder is made of.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Kustomization {
    api_version: &'static str,
    kind: &'static str,
    resources: Vec<String>,
}

/// A folder that is being filled.
#[derive(Debug)]
pub struct Folder {
    path: String,
    files: Vec<(String, String)>,
}

impl Folder {
    /// An empty one.
    pub fn new(path: impl Into<String>) -> Self {
        Self { path: path.into(), files: Vec::new() }
    }
    /// With one file more.
    pub fn add(&mut self, name: String, text: String) {
        self.files.push((name, text));
    }
    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
    /// Into the cluster's files; an empty one leaves nothing.
    ///
    /// # Errors
    /// If a file's name is none.
    pub fn pour(self, all: &mut FileSet) -> Result<(), RenderError> {
        if self.is_empty() {
            return Ok(());
        }
        let list = Kustomization {
            api_version: "kustomize.config.k8s.io/v1beta1",
            kind: "Kustomization",
            resources: self.files.iter().map(|(name, _)| name.clone()).collect(),
        };
        let list = yaml::document(&list).map_err(RenderError::inexpressible(self.path.clone()))?;
        let list = ("kustomization.yaml".to_owned(), list);
        for (name, text) in self.files.into_iter().chain([list]) {
            let path = format!("{}/{name}", self.path);
            all.insert(&path, Mode::PUBLIC, text).map_err(RenderError::invalid(path.clone()))?;
        }
        Ok(())
    }
}
