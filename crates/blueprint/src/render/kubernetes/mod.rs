//! Kubernetes: what is installed into a k3s cluster, as a tree for `kubectl apply -k`.
//!
//! In: services with a chart or the variant `kustomize`, and the shares they use. Out, in the cluster tree:
//! `kubernetes/charts` with an object for each chart, `objects` with what needs a chart's kinds, a base and an overlay for
//! each application, and `apply.sh`, which does all but applications in order. A cluster without any has none of it.

mod application;
mod chart;
mod issuer;
mod kustomize;
mod object;
mod placement;
mod storage;
#[cfg(test)]
mod tests;
mod values;
mod workload;

use desired::{FileSet, Mode};
use serde::Serialize;

use super::{RenderError, template};
use crate::model::{Chart, Model, Pins, Service, ServiceKind, Variant};
use kustomize::Folder;

const SCRIPT: &str = "kubernetes/apply.sh";

/// What the script is told.
#[derive(Debug, Serialize)]
struct Context<'a> {
    cluster: &'a str,
    /// Charts that a job installs, by the name of their object.
    charts: Vec<&'a str>,
    /// Whether there are objects to be applied after them.
    objects: bool,
    /// Folders of applications, which a person applies.
    overlays: Vec<String>,
}

/// The files below `kubernetes/`.
///
/// # Errors
/// If a value has no form in its file.
pub fn tree(model: &Model, _pins: &Pins) -> Result<FileSet, RenderError> {
    let mut files = FileSet::new();
    let services: Vec<(&Service, &Chart)> = model
        .services
        .values()
        .filter(|service| service.kind == ServiceKind::Kubernetes)
        .filter_map(|service| Some((service, service.chart.as_ref()?)))
        .collect();
    let applications: Vec<&Service> =
        model.services.values().filter(|service| service.variants.contains(&Variant::Kustomize)).collect();
    if model.k3s.is_none() || (services.is_empty() && applications.is_empty()) {
        return Ok(files);
    }
    let (mut charts, mut objects) = (Folder::new("kubernetes/charts"), Folder::new("kubernetes/objects"));
    for (service, chart) in &services {
        charts.add(format!("{}.yaml", service.name), chart::document(model, service, chart)?);
        let further = match chart.name.as_str() {
            "csi-driver-nfs" => storage::document(model, service)?,
            "cert-manager" => issuer::document(model, service, chart)?,
            _ => None,
        };
        if let Some(text) = further {
            objects.add(format!("{}.yaml", service.name), text);
        }
    }
    let overlays: Result<Vec<String>, RenderError> =
        applications.into_iter().map(|service| application::pour(model, service, &mut files)).collect();
    let installed = services.iter().filter(|(_, chart)| chart.published.is_some());
    let context = Context {
        cluster: model.name.as_str(),
        charts: installed.map(|(service, _)| service.name.as_str()).collect(),
        objects: !objects.is_empty(),
        overlays: overlays?,
    };
    charts.pour(&mut files)?;
    objects.pour(&mut files)?;
    let script = template::render(SCRIPT, &context)?;
    files.insert(SCRIPT, Mode::EXECUTABLE, script).map_err(RenderError::invalid(SCRIPT))?;
    Ok(files)
}
