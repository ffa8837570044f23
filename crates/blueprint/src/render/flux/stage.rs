//! The stages of the tree, and the Flux Kustomizations that apply them one after the other.
//!
//! In: the settings of the service `flux`. Out: an object a stage, each waiting for the one before it. dependsOn alone waits for
//! objects to be applied, so every stage waits for its own to be ready (FIELD X37).

use serde::Serialize;

use super::folder::Tree;
use super::object::{Metadata, Object};
use crate::escape::Inexpressible;
use crate::model::Service;
use crate::render::RenderError;

/// Where Flux and what belongs to it live.
pub(super) const NAMESPACE: &str = "flux-system";
/// The source that `flux bootstrap` makes; it is never written here.
const SOURCE: &str = "flux-system";
/// How long a stage may take to be ready: the slowest chart's images on a home line.
pub(super) const TIMEOUT: &str = "10m";

/// A part of the tree that is applied as a whole (document 004, Reconciliation Hierarchy).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Crds,
    Controllers,
    Storage,
    Operations,
    Apps,
}

impl Stage {
    const ALL: [Self; 5] = [Self::Crds, Self::Controllers, Self::Storage, Self::Operations, Self::Apps];

    pub(super) const fn folder(self) -> &'static str {
        match self {
            Self::Crds => "infrastructure/crds",
            Self::Controllers => "infrastructure/controllers",
            Self::Storage => "infrastructure/storage",
            Self::Operations => "operations",
            Self::Apps => "apps",
        }
    }
    fn name(self) -> String {
        self.folder().replace('/', "-")
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Kustomization {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) depends_on: Vec<Named>,
    pub(super) interval: String,
    pub(super) path: String,
    pub(super) prune: bool,
    pub(super) source_ref: SourceRef,
    pub(super) timeout: &'static str,
    pub(super) wait: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Named {
    name: String,
}

#[derive(Debug, Serialize)]
pub(super) struct SourceRef {
    pub(super) kind: &'static str,
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) namespace: Option<&'static str>,
}

/// A Flux Kustomization for whatever a source holds.
pub(super) fn kustomization(name: &str, spec: Kustomization) -> Object<Kustomization> {
    Object::new("kustomize.toolkit.fluxcd.io/v1", "Kustomization", Metadata::within(NAMESPACE, name), spec)
}

/// How often Flux looks at what it keeps.
pub(super) fn interval(flux: &Service) -> String {
    flux.settings.get("interval").cloned().unwrap_or_else(|| "1m".to_owned())
}

/// The folder that is named to Flux, from the repository's root, without `./`.
pub(super) fn root(flux: &Service) -> Result<String, RenderError> {
    let path = flux.settings.get("path").map_or("./clusters", String::as_str);
    let below = path.strip_prefix("./").unwrap_or(path).trim_end_matches('/');
    if below.is_empty() {
        return Err(invalid(path, "it names no folder below the repository's root"));
    }
    Ok(below.to_owned())
}

/// `cluster/<stage>.yaml` for every stage that has a folder.
pub(super) fn put(tree: &mut Tree, flux: &Service, root: &str) -> Result<(), RenderError> {
    let mut before: Option<Stage> = None;
    for stage in order(flux)? {
        // Flux refuses a path that is not there.
        if !tree.has(stage.folder()) {
            continue;
        }
        let object = kustomization(
            &stage.name(),
            Kustomization {
                depends_on: before.into_iter().map(|stage| Named { name: stage.name() }).collect(),
                interval: interval(flux),
                path: format!("./{root}/{}", stage.folder()),
                prune: true,
                source_ref: SourceRef { kind: "GitRepository", name: SOURCE.to_owned(), namespace: None },
                timeout: TIMEOUT,
                wait: true,
            },
        );
        tree.put("cluster", &stage.name(), &object)?;
        before = Some(stage);
    }
    Ok(())
}

/// The stages as `order-1` and so on name them, each once; document 004's order where nothing is said.
fn order(flux: &Service) -> Result<Vec<Stage>, RenderError> {
    let mut stages = Vec::new();
    for key in (1..).map(|number| format!("order-{number}")) {
        let Some(name) = flux.settings.get(&key) else { break };
        let stage = Stage::ALL.into_iter().find(|stage| stage.name() == *name);
        let stage = stage.ok_or_else(|| invalid(name, "there is no such stage"))?;
        if stages.contains(&stage) {
            return Err(invalid(name, "it is named twice"));
        }
        stages.push(stage);
    }
    if stages.is_empty() {
        return Ok(Stage::ALL.to_vec());
    }
    match Stage::ALL.into_iter().find(|stage| !stages.contains(stage)) {
        Some(missing) => Err(invalid(&missing.name(), "it has no place in the order")),
        None => Ok(stages),
    }
}

fn invalid(value: &str, why: &'static str) -> RenderError {
    RenderError::inexpressible("the Flux tree")(Inexpressible::new("the settings of flux", value, why))
}
