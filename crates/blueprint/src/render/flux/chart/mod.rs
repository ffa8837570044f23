//! Charts: where each comes from, and the release Flux makes of it.
//!
//! In: services with a chart. Out: namespace, HelmRepository and HelmRelease in the stage of controllers, and where the spec
//! names definitions in Git, a source and a Flux Kustomization in the stage before. Values that the spec speaks of are in a
//! module a chart; all others are the chart's own.

mod descheduler;
mod longhorn;
mod metallb;
mod traefik;
mod volsync;

use std::collections::BTreeSet;

pub(super) use self::traefik::entry_points;
use serde::Serialize;

use super::folder::Tree;
use super::object::{HOST_LABEL, Metadata, Namespace, Object, Pairs, Toleration, pairs};
use super::stage::{self, Kustomization, NAMESPACE, SourceRef, Stage};
use crate::model::{Chart, Crds, Model, Service, Taint};
use crate::render::RenderError;

/// How often a chart's repository is asked for its list, which is large.
const REPOSITORY_INTERVAL: &str = "1h";

#[derive(Debug, Serialize)]
struct Repository<'a> {
    interval: &'static str,
    url: &'a str,
}

#[derive(Debug, Serialize)]
struct Git<'a> {
    interval: &'static str,
    url: &'a str,
    #[serde(rename = "ref")]
    reference: Reference<'a>,
    /// What is left out, as gitignore writes it.
    ignore: String,
}

#[derive(Debug, Serialize)]
struct Reference<'a> {
    tag: &'a str,
}

#[derive(Debug, Serialize)]
struct Release<'a, V> {
    interval: String,
    chart: Template<'a>,
    install: Act,
    upgrade: Act,
    values: V,
}

#[derive(Debug, Serialize)]
struct Template<'a> {
    spec: TemplateSpec<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct TemplateSpec<'a> {
    chart: &'a str,
    version: &'a str,
    source_ref: SourceRef,
}

/// How a release is installed or upgraded.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
struct Act {
    /// Helm itself never touches definitions that are there already.
    crds: &'static str,
    /// Ready without waiting for what only a later stage can give.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    disable_wait: bool,
    remediation: Remediation,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Remediation {
    retries: u32,
}

/// Everything of the services that are charts, and what only their definitions make possible.
///
/// # Errors
/// If a value has no form in YAML, or a setting that a chart needs has no such form.
pub(super) fn put(tree: &mut Tree, model: &Model, flux: &Service) -> Result<(), RenderError> {
    for service in model.services.values() {
        let Some(chart) = service.kubernetes.as_ref().and_then(|kubernetes| kubernetes.chart.as_ref()) else {
            continue;
        };
        if let Some(crds) = &chart.crds {
            put_crds(tree, flux, service, crds)?;
        }
        let put = Put { flux, service, chart };
        match chart.name.as_str() {
            "longhorn" => {
                put.release(tree, &longhorn::values(model, service), false)?;
                longhorn::put(tree, service)?;
            }
            "metallb" => {
                put.release(tree, &metallb::values(model, service), false)?;
                metallb::put(tree, service, chart)?;
            }
            // Its address comes from a pool of a later stage.
            "traefik" => put.release(tree, &traefik::values(service)?, true)?,
            "descheduler" => put.release(tree, &descheduler::values(model, service), false)?,
            "volsync" => put.release(tree, &volsync::values(model, service, chart), false)?,
            _ => put.release(tree, &Pairs::new(), false)?,
        }
    }
    Ok(())
}

/// One service's chart.
struct Put<'a> {
    flux: &'a Service,
    service: &'a Service,
    chart: &'a Chart,
}

impl Put<'_> {
    fn release(
        &self,
        tree: &mut Tree,
        values: &impl Serialize,
        disable_wait: bool,
    ) -> Result<(), RenderError> {
        let (name, chart) = (&self.service.name, self.chart);
        let folder = format!("{}/{name}", Stage::Controllers.folder());
        let metadata = |name| Metadata::within(&chart.namespace, name);
        let act = Act { crds: "CreateReplace", disable_wait, remediation: Remediation { retries: 3 } };
        let repository = Repository { interval: REPOSITORY_INTERVAL, url: &chart.repository };
        let repository =
            Object::new("source.toolkit.fluxcd.io/v1", "HelmRepository", metadata(name), repository);
        let source_ref = SourceRef { kind: "HelmRepository", name: name.clone(), namespace: None };
        let release = Release {
            interval: stage::interval(self.flux),
            chart: Template {
                spec: TemplateSpec { chart: &chart.name, version: &chart.version, source_ref },
            },
            install: act,
            upgrade: act,
            values,
        };
        let release = Object::new("helm.toolkit.fluxcd.io/v2", "HelmRelease", metadata(name), release);
        tree.put(&folder, "namespace", &Namespace::new(&chart.namespace))?;
        tree.put(&folder, "repository", &repository)?;
        tree.put(&folder, "release", &release)
    }
}

/// Definitions before everything that uses them; removing the tree does not remove them, or all objects of theirs would go.
fn put_crds(tree: &mut Tree, flux: &Service, service: &Service, crds: &Crds) -> Result<(), RenderError> {
    let name = format!("{}-crds", service.name);
    let folder = format!("{}/{}", Stage::Crds.folder(), service.name);
    let path = crds.path.trim_start_matches("./");
    let git = Git {
        interval: REPOSITORY_INTERVAL,
        url: &crds.repository,
        reference: Reference { tag: &crds.tag },
        ignore: format!("/*\n!/{path}\n"),
    };
    let metadata = Metadata::within(NAMESPACE, &name);
    tree.put(&folder, "source", &Object::new("source.toolkit.fluxcd.io/v1", "GitRepository", metadata, git))?;
    let spec = Kustomization {
        depends_on: Vec::new(),
        interval: stage::interval(flux),
        path: format!("./{path}"),
        prune: false,
        source_ref: SourceRef { kind: "GitRepository", name: name.clone(), namespace: None },
        timeout: stage::TIMEOUT,
        wait: true,
    };
    tree.put(&folder, "kustomization-of-crds", &stage::kustomization(&name, spec))
}

/// Taints of any node that the service tolerates.
pub(super) fn tolerated<'a>(model: &'a Model, service: &Service) -> BTreeSet<&'a Taint> {
    let taints = model.nodes.values().flat_map(|node| &node.taints);
    taints.filter(|taint| service.tolerates.contains(&taint.key)).collect()
}

/// The same as pods say it.
fn tolerations(model: &Model, service: &Service) -> Vec<Toleration> {
    tolerated(model, service).into_iter().map(Toleration::of).collect()
}

/// The node of a service that has only one.
fn node_selector(service: &Service) -> Pairs {
    match service.nodes.iter().collect::<Vec<_>>().as_slice() {
        [only] => pairs([(HOST_LABEL, only.as_str())]),
        _ => Pairs::new(),
    }
}
