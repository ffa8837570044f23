//! Services, typed.

use std::collections::BTreeMap;

use super::Profile;
use super::place::{Findings, Place};
use super::selection::Selection;
use crate::finding::rules::service as rule;
use crate::model::{Chart, Container, Published, Service, Volume};
use crate::spec::{At, ChartSpec, ClusterSpec, ContainerSpec, Named, ServiceKind, ServiceSpec};

/// Services by name.
pub(crate) fn services(
    spec: &ClusterSpec,
    profile: &Profile<'_>,
    selection: &Selection,
    findings: &mut Findings,
) -> BTreeMap<String, Service> {
    let service = |(name, spec): (&At<String>, &ServiceSpec)| {
        let mut service = service(name, spec, selection, findings);
        let path = format!("{}/services/{}/compose.yaml", profile.folder, name.value);
        let file = profile.files.iter().find(|file| *file.path == *path);
        let file = file.filter(|_| service.kind == ServiceKind::Compose);
        // Whether there is something in it to start is judged with the other files.
        service.compose = file.map(|file| file.text.to_string());
        (name.value.clone(), service)
    };
    spec.services.iter().map(service).collect()
}

fn service(name: &At<String>, spec: &ServiceSpec, selection: &Selection, findings: &mut Findings) -> Service {
    let text = |at: &Option<At<String>>| at.as_ref().map(|at| at.value.clone());
    let list = |list: &[At<String>]| list.iter().map(|at| at.value.clone()).collect::<Vec<_>>();
    let table = |table: &Named<At<String>>| {
        table.iter().map(|(key, value)| (key.value.clone(), value.value.clone())).collect()
    };
    Service {
        name: name.value.clone(),
        kind: spec.kind.value,
        compose: None,
        description: text(&spec.description).unwrap_or_default(),
        nodes: selection.of(&spec.nodes, findings),
        images: table(&spec.images),
        ports: list(&spec.ports),
        domains: list(&spec.domains),
        volumes: spec.volumes.iter().filter_map(|at| volume(at, findings)).collect(),
        secrets_path: spec.secrets_path.as_ref().and_then(|at| match at.value.parse::<desired::AbsPath>() {
            Ok(path) => Some(path),
            Err(invalid) => {
                findings.at(&rule::SECRETS_PATH, Place::of(at), invalid.to_string());
                None
            }
        }),
        secrets: list(&spec.secrets),
        environment: table(&spec.environment),
        settings: table(&spec.settings),
        containers: spec
            .containers
            .iter()
            .map(|(name, container)| (name.value.clone(), self::container(container, findings)))
            .collect(),
        help: table(&spec.help),
        variants: spec.variants.iter().map(|at| at.value).collect(),
        chart: spec.chart.as_ref().map(|chart| self::chart(&name.value, chart)),
        replicas: spec.replicas.as_ref().map_or(1, |at| at.value),
        prefers: {
            let mut seen = std::collections::BTreeSet::new();
            spec.prefers
                .iter()
                .flat_map(|at| selection.one(at, findings).to_vec())
                .filter(|node| seen.insert(node.clone()))
                .collect()
        },
        schedule: text(&spec.schedule),
        needs_shares: spec.needs_shares.iter().map(|at| at.value.clone()).collect(),
        tolerates: spec.tolerates.iter().map(|at| at.value.clone()).collect(),
        gpu: spec.gpu,
        database: spec.database,
        cpu_request: text(&spec.cpu_request),
        memory_request: text(&spec.memory_request),
        memory_limit: text(&spec.memory_limit),
    }
}

fn container(spec: &ContainerSpec, findings: &mut Findings) -> Container {
    let list = |list: &[At<String>]| list.iter().map(|at| at.value.clone()).collect::<Vec<_>>();
    let environment = spec.environment.iter();
    Container {
        ports: list(&spec.ports),
        volumes: spec.volumes.iter().filter_map(|at| volume(at, findings)).collect(),
        secrets: list(&spec.secrets),
        environment: environment.map(|(key, value)| (key.value.clone(), value.value.clone())).collect(),
        memory_limit: spec.memory_limit.as_ref().map(|at| at.value.clone()),
    }
}

/// A chart without a version or repository is told of by a lint.
fn chart(service: &str, spec: &ChartSpec) -> Chart {
    let text = |at: &Option<At<String>>| at.as_ref().map(|at| at.value.clone());
    let published = text(&spec.repository)
        .map(|repository| Published { repository, version: text(&spec.version).unwrap_or_default() });
    Chart {
        name: text(&spec.name).unwrap_or_else(|| service.to_owned()),
        published,
        namespace: text(&spec.namespace).unwrap_or_else(|| "kube-system".to_owned()),
    }
}

/// `source[:target][:ro]`; without a target the container sees the folder under the same path.
fn volume(at: &At<String>, findings: &mut Findings) -> Option<Volume> {
    read_volume(&at.value)
        .map_err(|why| {
            findings.at(&rule::VOLUME, Place::of(at), format!("`{}` is not a volume: {why}", at.value));
        })
        .ok()
}

fn read_volume(text: &str) -> Result<Volume, String> {
    let mut parts = text.split(':');
    let source = parts.next().unwrap_or_default();
    let absolute = |part: &str| part.parse().map_err(|invalid: desired::Invalid| invalid.to_string());
    let target = parts.next().unwrap_or(source);
    let mut volume = Volume { source: absolute(source)?, target: absolute(target)?, read_only: false };
    for flag in parts.flat_map(|flags| flags.split(',')) {
        match flag {
            "ro" => volume.read_only = true,
            // SELinux labels are judged by a lint and made by the renderer, which knows the host.
            "rw" | "z" | "Z" => {}
            other => return Err(format!("`{other}` is neither ro nor rw")),
        }
    }
    Ok(volume)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_have_absolute_ends() {
        let volume = read_volume("/srv/gitea:/data:ro").unwrap();
        assert!(volume.read_only && volume.target.as_str() == "/data");
        assert_eq!(read_volume("/srv/x").unwrap().target.as_str(), "/srv/x");
        for bad in ["./data:/data", "data:/data", "/a:b", "/a:/b:fast", ""] {
            assert!(read_volume(bad).is_err(), "{bad}");
        }
    }
}
