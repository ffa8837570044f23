//! Charts and what they are told.

use super::{Context, is_known};
use crate::finding::rules::{foreign, k3s as rule};
use crate::model::{Orchestrator, ShareKind};
use crate::resolve::place::{Findings, Place};
use crate::spec::{At, ChartSpec, ServiceSpec};

/// Charts that k3s brings along and installs, unless they are switched off.
const PACKAGED: &str = "traefik";

pub(crate) fn lint(context: &Context<'_>, findings: &mut Findings) {
    for (service, spec) in &context.spec.services {
        if let Some(chart) = &spec.chart {
            source(context, service, spec, chart, findings);
            storage_class(context, spec, findings);
        }
    }
}

fn source(
    context: &Context<'_>,
    service: &At<String>,
    spec: &ServiceSpec,
    chart: &ChartSpec,
    findings: &mut Findings,
) {
    let name = chart.name.as_ref().unwrap_or(service);
    if spec.kind.span.is_empty() || context.model.orchestrator != Orchestrator::K3s {
        return;
    }
    let disabled = context.model.k3s.iter().any(|k3s| k3s.disable.contains(&name.value));
    match (&chart.repository, &chart.version) {
        (Some(repository), None) => {
            let message = format!("the chart `{}` has no version", name.value);
            findings.at(&rule::CHART_SOURCE, Place::of(repository), message);
        }
        (None, Some(version)) => {
            let message = format!("the chart `{}` has no repository", name.value);
            findings.at(&rule::CHART_SOURCE, Place::of(version), message);
        }
        (None, None) if name.value != PACKAGED => {
            let message = format!("k3s does not bring `{}` along", name.value);
            findings.at(&rule::CHART_SOURCE, Place::of(name), message);
        }
        (None, None) if disabled => {
            let message = format!("`{}` is switched off in k3s.disable", name.value);
            findings.at(&rule::CHART_SOURCE, Place::of(name), message);
        }
        _ => {}
    }
    if name.value == "ingress-nginx" {
        findings.at(&foreign::INGRESS_NGINX, Place::of(name), "ingress-nginx is no longer maintained");
    }
}

/// What the class of volumes is said to lie on.
fn storage_class(context: &Context<'_>, spec: &ServiceSpec, findings: &mut Findings) {
    let setting = |name: &str| spec.settings.iter().find(|(key, _)| key.value == name);
    let (Some((key, _)), share) = (setting("storage-class"), setting("share")) else { return };
    let Some((_, share)) = share else {
        findings.at(&rule::STORAGE_CLASS, Place::of(key), "the class names no share");
        return;
    };
    let found =
        context.spec.shares.iter().find(|(name, _)| name.value == share.value).map(|(_, found)| found);
    let Some(found) = found.filter(|found| found.kind.span.is_empty() || found.kind.value == ShareKind::Nfs)
    else {
        let message = format!("there is no NFS share `{}`", share.value);
        findings.at(&rule::STORAGE_CLASS, Place::of(share), message);
        return;
    };
    // A share that names no directory has those that its server makes by itself, or a key that was told of already.
    let listed = !found.directories.is_empty() && is_known(&found.directories);
    if let Some((_, folder)) = setting("folder")
        && listed
        && !found.directories.iter().any(|directory| directory.value == folder.value)
    {
        let message = format!("`{}` has no directory `{}`", share.value, folder.value);
        findings.at(&rule::STORAGE_CLASS, Place::of(folder), message);
    }
}
