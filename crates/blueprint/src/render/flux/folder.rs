//! The tree of a Flux repository: files of objects, and in every folder the list that kustomize reads.
//!
//! In: objects with their folder and name. Out: a file set in which each folder has a `kustomization.yaml` that names its files
//! and the folders below it.

use std::collections::{BTreeMap, BTreeSet};

use desired::{FileSet, Mode};
use serde::Serialize;

use crate::escape::yaml;
use crate::model::Model;
use crate::render::RenderError;

/// The list of a folder.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Kustomization<'a> {
    api_version: &'static str,
    kind: &'static str,
    resources: &'a BTreeSet<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    components: &'a BTreeSet<String>,
}

/// Changes to the objects of whoever names it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Component<'a> {
    api_version: &'static str,
    kind: &'static str,
    patches: Vec<Patch<'a>>,
}

#[derive(Debug, Serialize)]
struct Patch<'a> {
    path: &'a str,
    target: Target<'a>,
}

#[derive(Debug, Serialize)]
struct Target<'a> {
    kind: &'a str,
}

#[derive(Debug, Default)]
struct Folder {
    resources: BTreeSet<String>,
    components: BTreeSet<String>,
}

/// A tree that grows.
#[derive(Debug)]
pub(super) struct Tree {
    header: String,
    files: FileSet,
    folders: BTreeMap<String, Folder>,
}

impl Tree {
    pub(super) fn new(model: &Model) -> Self {
        Self {
            header: format!(
                "# Written by rootstock for cluster {}; it overwrites changes made here.\n",
                model.name
            ),
            files: FileSet::new(),
            folders: BTreeMap::new(),
        }
    }

    /// Puts an object into a folder, `infrastructure/crds`, as `name.yaml`.
    pub(super) fn put(
        &mut self,
        folder: &str,
        name: &str,
        object: &impl Serialize,
    ) -> Result<(), RenderError> {
        let file = format!("{name}.yaml");
        self.write(&format!("{folder}/{file}"), object)?;
        self.folder(folder).resources.insert(file);
        Ok(())
    }

    /// Names something in a folder that is not one of ours: a folder of another writer.
    pub(super) fn name(&mut self, folder: &str, resource: &str) {
        self.folder(folder).resources.insert(resource.to_owned());
    }

    /// Whether a folder has anything in it.
    pub(super) fn has(&self, folder: &str) -> bool {
        self.folders.contains_key(folder)
    }

    /// Lets a component change the objects of a folder.
    pub(super) fn apply(&mut self, folder: &str, component: &str) {
        let up = "../".repeat(folder.split('/').count());
        self.folder(folder).components.insert(format!("{up}{component}"));
    }

    /// A folder whose patch changes objects of some kinds wherever it is named.
    pub(super) fn component(
        &mut self,
        folder: &str,
        kinds: &[&str],
        patch: &impl Serialize,
    ) -> Result<(), RenderError> {
        const PATCH: &str = "patch.yaml";
        self.write(&format!("{folder}/{PATCH}"), patch)?;
        let patches = kinds.iter().map(|kind| Patch { path: PATCH, target: Target { kind } }).collect();
        let list = Component { api_version: "kustomize.config.k8s.io/v1alpha1", kind: "Component", patches };
        self.write(&format!("{folder}/kustomization.yaml"), &list)
    }

    /// All files, with the list of every folder; `root` is the one that is named to Flux.
    pub(super) fn finish(mut self, root: &str) -> Result<FileSet, RenderError> {
        for (path, folder) in std::mem::take(&mut self.folders) {
            let list = Kustomization {
                api_version: "kustomize.config.k8s.io/v1beta1",
                kind: "Kustomization",
                resources: &folder.resources,
                components: &folder.components,
            };
            let file = if path.is_empty() { String::new() } else { format!("{path}/") };
            self.write(&format!("{file}kustomization.yaml"), &list)?;
        }
        let mut files = FileSet::new();
        files.nest(root, self.files).map_err(RenderError::invalid("the Flux tree"))?;
        Ok(files)
    }

    /// The folder, made known to the one above it. Only the root is told by its user what it names.
    fn folder(&mut self, path: &str) -> &mut Folder {
        if let Some((above, name)) = path.rsplit_once('/')
            && !self.folders.contains_key(path)
        {
            self.folder(above).resources.insert(name.to_owned());
        }
        self.folders.entry(path.to_owned()).or_default()
    }

    fn write(&mut self, path: &str, value: &impl Serialize) -> Result<(), RenderError> {
        let text = yaml::document(value).map_err(RenderError::inexpressible(path))?;
        let text = format!("{}{text}", self.header);
        self.files.insert(path, Mode::PUBLIC, text).map_err(RenderError::invalid("the Flux tree"))
    }
}
