//! Charts by k3s's own Helm controller: `HelmChart` for what is published, `HelmChartConfig` for what k3s brings along.
//!
//! In: a service with a chart. Out: one object in kube-system; its values are YAML in a text, as the controller hands them
//! on. Source of the fields: k3s-io/helm-controller, pkg/apis/helm.cattle.io/v1.

use serde::Serialize;
use serde_saphyr::LitString;

use super::object::{Metadata, Object};
use super::values;
use crate::escape::yaml;
use crate::model::{Chart, Model, Service};
use crate::render::RenderError;

const API_VERSION: &str = "helm.cattle.io/v1";
/// Where the controller looks for its objects.
const NAMESPACE: &str = "kube-system";

/// A chart to install.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Install<'a> {
    repo: &'a str,
    chart: &'a str,
    version: &'a str,
    target_namespace: &'a str,
    create_namespace: bool,
    /// A chart whose upgrade failed is not taken away with everything it made, as it is by default.
    failure_policy: &'static str,
    values_content: LitString,
}

/// Further values for a chart that k3s installs by itself.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Configure {
    values_content: LitString,
}

/// The object for `service`, as YAML.
///
/// # Errors
/// If its values have no form in YAML, or name a share there is not.
pub fn document(model: &Model, service: &Service, chart: &Chart) -> Result<String, RenderError> {
    // As a block, line by line: people read it.
    let values_content = LitString(values::document(model, service, chart)?);
    let unfit = || RenderError::inexpressible(format!("the chart of {}", service.name));
    let Some(published) = &chart.published else {
        let spec = Configure { values_content };
        let metadata = Metadata::in_namespace(&chart.name, NAMESPACE);
        return yaml::document(&Object { api_version: API_VERSION, kind: "HelmChartConfig", metadata, spec })
            .map_err(unfit());
    };
    let spec = Install {
        repo: &published.repository,
        chart: &chart.name,
        version: &published.version,
        target_namespace: &chart.namespace,
        create_namespace: chart.namespace != NAMESPACE,
        failure_policy: "abort",
        values_content,
    };
    let metadata = Metadata::in_namespace(&service.name, NAMESPACE);
    yaml::document(&Object { api_version: API_VERSION, kind: "HelmChart", metadata, spec }).map_err(unfit())
}
