//! Versions, k3s, registries, mirrors and image labels, typed.

use std::collections::BTreeMap;

use desired::{AbsPath, ArtifactName, SecretReference};

use super::network::{cidr, secret};
use super::place::{Findings, Place};
use super::share::path;
use crate::finding::rules::{k3s as k3s_rule, version as rule};
use crate::model::{ArtifactChoice, Docker, Images, K3s, Mirror, PackageFile, PackageSource, Registry};
use crate::spec::{ClusterSpec, Flannel, Orchestrator};

/// Where k3s keeps its data unless told otherwise (k3s: `--data-dir`).
const DATA_DIR: &str = "/var/lib/rancher/k3s";

/// Pins by artifact.
pub(crate) fn versions(spec: &ClusterSpec, findings: &mut Findings) -> BTreeMap<ArtifactName, String> {
    let mut versions = BTreeMap::new();
    for (name, version) in &spec.versions {
        match name.value.parse::<ArtifactName>() {
            Ok(artifact) => {
                versions.insert(artifact, version.value.clone());
            }
            Err(invalid) => {
                findings.at(&rule::ARTIFACT_NAME, Place::of(name), invalid.to_string());
            }
        }
    }
    versions
}

/// k3s's settings, for clusters that have it.
pub(crate) fn k3s(spec: &ClusterSpec, findings: &mut Findings) -> Option<K3s> {
    if spec.cluster.orchestrator.value != Orchestrator::K3s {
        return None;
    }
    let orchestrator = Place::of(&spec.cluster.orchestrator);
    let Some(k3s) = &spec.k3s else {
        findings.at(&k3s_rule::NO_K3S_SETTINGS, orchestrator, "a k3s cluster has no `[k3s]` table");
        return None;
    };
    let version = spec.versions.get("k3s").map(|at| at.value.clone());
    if version.is_none() {
        findings
            .at(&rule::NO_VERSION, orchestrator, "k3s is not pinned")
            .help("add `k3s = \"v1.36.4+k3s1\"` to `[versions]`");
    }
    let default_net = |text: &str| text.parse().expect("k3s's own default is a network");
    let token = |at, findings: &mut Findings| secret(at, findings).unwrap_or(SecretReference::Stdin);
    let mut disable: Vec<String> = k3s.disable.iter().map(|at| at.value.clone()).collect();
    disable.sort();
    disable.dedup();
    Some(K3s {
        version: version.unwrap_or_default(),
        cluster_cidr: k3s
            .cluster_cidr
            .as_ref()
            .and_then(|at| cidr(at, findings))
            .unwrap_or_else(|| default_net("10.42.0.0/16")),
        service_cidr: k3s
            .service_cidr
            .as_ref()
            .and_then(|at| cidr(at, findings))
            .unwrap_or_else(|| default_net("10.43.0.0/16")),
        disable,
        flannel_backend: k3s.flannel_backend.as_ref().map_or(Flannel::Vxlan, |at| at.value),
        tls_san: k3s.tls_san.iter().map(|at| at.value.clone()).collect(),
        server_token: token(&k3s.server_token, findings),
        agent_token: token(&k3s.agent_token, findings),
        secrets_encryption: k3s.secrets_encryption,
        data_dir: k3s.data_dir.as_ref().and_then(|at| path(at, findings)).unwrap_or_else(data_dir),
    })
}

fn data_dir() -> AbsPath {
    DATA_DIR.parse().expect("k3s's own default is an absolute path")
}

/// The Docker daemon's settings.
pub(crate) fn docker(spec: &ClusterSpec, findings: &mut Findings) -> Docker {
    let (docker, default) = (&spec.docker, Docker::default());
    Docker {
        log_max_size: docker.log_max_size.as_ref().map_or(default.log_max_size, |at| at.value.clone()),
        log_max_file: docker.log_max_file.as_ref().map_or(default.log_max_file, |at| at.value),
        networks: docker
            .networks
            .iter()
            .filter_map(|(name, at)| Some((name.value.clone(), cidr(at, findings)?)))
            .collect(),
    }
}

/// Choices about single artifacts.
pub(crate) fn artifacts(
    spec: &ClusterSpec,
    findings: &mut Findings,
) -> BTreeMap<ArtifactName, ArtifactChoice> {
    let mut choices = BTreeMap::new();
    for (name, choice) in &spec.artifacts {
        match name.value.parse::<ArtifactName>() {
            Ok(artifact) => {
                let local = choice.local.as_ref().map(|at| at.value.clone());
                choices.insert(artifact, ArtifactChoice { local, optional: choice.optional });
            }
            Err(invalid) => {
                findings.at(&rule::ARTIFACT_NAME, Place::of(name), invalid.to_string());
            }
        }
    }
    choices
}

/// Package files by the artifact they are in the lock: `package-` and the name, whose dots and plus signs an artifact's
/// name can't have.
pub(crate) fn package_files(
    spec: &ClusterSpec,
    findings: &mut Findings,
) -> BTreeMap<ArtifactName, PackageFile> {
    let mut files = BTreeMap::new();
    for (name, file) in &spec.package_files {
        let artifact = format!("package-{}", name.value.replace(['.', '+'], "-")).parse::<ArtifactName>();
        let artifact = match artifact {
            Ok(artifact) => artifact,
            Err(invalid) => {
                findings.at(&rule::ARTIFACT_NAME, Place::of(name), invalid.to_string());
                continue;
            }
        };
        let source = match (file.source.value.strip_prefix("file:"), &file.source.value) {
            (Some(path), _) => PackageSource::Local(path.to_owned()),
            (None, address) => PackageSource::Web(address.clone()),
        };
        let os = file.os.as_ref().map(|at| at.value.clone());
        let file = PackageFile { version: file.version.value.clone(), source, os };
        if files.insert(artifact.clone(), file).is_some() {
            let message = format!("two package files are called `{artifact}` in the lock");
            findings.at(&rule::ARTIFACT_NAME, Place::of(name), message);
        }
    }
    files
}

/// Registries by host.
pub(crate) fn registries(spec: &ClusterSpec, findings: &mut Findings) -> BTreeMap<String, Registry> {
    spec.registries
        .iter()
        .map(|(host, registry)| {
            let resolved = Registry {
                mirrors: registry.mirrors.iter().map(|at| at.value.clone()).collect(),
                http: registry.http,
                user: registry.user.as_ref().map(|at| at.value.clone()),
                password: registry.password.as_ref().and_then(|at| secret(at, findings)),
            };
            (host.value.clone(), resolved)
        })
        .collect()
}

/// Prefix rewrites, in order.
pub(crate) fn mirrors(spec: &ClusterSpec) -> Vec<Mirror> {
    spec.mirrors
        .iter()
        .map(|mirror| Mirror { from: mirror.from.value.clone(), to: mirror.to.value.clone() })
        .collect()
}

/// What images say of themselves.
pub(crate) fn images(spec: &ClusterSpec) -> Images {
    let images = &spec.images;
    Images {
        repository: images.repository.as_ref().map(|at| at.value.clone()),
        vendor: images.vendor.as_ref().map(|at| at.value.clone()),
        source: images.source.as_ref().map(|at| at.value.clone()),
        labels: images.labels.clone(),
    }
}
