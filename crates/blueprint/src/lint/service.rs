//! Services: images, ports, names, volumes, secrets, places.

use std::collections::BTreeMap;

use super::{Context, is_known};
use crate::finding::rules::{service as rule, trust};
use crate::model::{Capability, Orchestrator, Service, ServiceKind, ShareServer, TaintEffect};
use crate::resolve::place::{Findings, Place};
use crate::spec::{At, ServiceSpec};

pub(crate) fn lint(context: &Context<'_>, findings: &mut Findings) {
    let mut ports: BTreeMap<(&str, String), &str> = BTreeMap::new();
    let mut domains: BTreeMap<&str, Place> = BTreeMap::new();
    for (name, spec) in &context.spec.services {
        let Some(service) = context.model.services.get(&name.value) else { continue };
        if spec.kind.span.is_empty() {
            continue;
        }
        for at in &spec.domains {
            domain(at, &mut domains, findings);
        }
        for at in spec.all_ports() {
            let Some(host) = host_port(&at.value) else {
                findings.at(&rule::PORT, Place::of(at), format!("`{}` is not host:container", at.value));
                continue;
            };
            if spec.kind.value == ServiceKind::Kubernetes {
                continue;
            }
            for node in &service.nodes {
                if let Some(other) = ports.insert((node.as_str(), host.clone()), &name.value)
                    && other != name.value
                {
                    let message = format!("`{other}` and `{}` both publish {host} on `{node}`", name.value);
                    findings.at(&rule::PORT_CONFLICT, Place::of(at), message);
                }
            }
        }
        images(spec, findings);
        places(context, name, spec, service, findings);
        volumes(context, spec, service, findings);
        secrets(name, spec, findings);
        amounts(spec, findings);
    }
}

fn domain<'a>(at: &'a At<String>, seen: &mut BTreeMap<&'a str, Place>, findings: &mut Findings) {
    let fits = at.value.len() <= 253
        && at.value.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        });
    if !fits {
        findings.at(&rule::DOMAIN, Place::of(at), format!("`{}` is not a DNS name", at.value));
    } else if let Some(first) = seen.insert(&at.value, Place::of(at)) {
        let message = format!("`{}` belongs to two services", at.value);
        findings.at(&rule::DOMAIN_CONFLICT, Place::of(at), message).related(first, "the other one");
    }
}

/// The host side with its protocol of `[address:]host:container[/protocol]`.
fn host_port(text: &str) -> Option<String> {
    let (ports, protocol) = text.rsplit_once('/').unwrap_or((text, "tcp"));
    let parts: Vec<&str> = ports.split(':').collect();
    let number = |part: &str| {
        part.split('-').all(|end| end.parse::<u16>().is_ok_and(|port| port > 0))
            && part.split('-').count() <= 2
    };
    let host = match parts.as_slice() {
        [host, container] if number(host) && number(container) => *host,
        [address, host, container]
            if address.parse::<std::net::Ipv4Addr>().is_ok() && number(host) && number(container) =>
        {
            *host
        }
        _ => return None,
    };
    matches!(protocol, "tcp" | "udp").then(|| format!("{host}/{protocol}"))
}

fn images(spec: &ServiceSpec, findings: &mut Findings) {
    for at in spec.images.values() {
        if !is_pinned(&at.value) {
            findings.at(&rule::IMAGE_TAG, Place::of(at), format!("`{}` has no fixed version", at.value));
        }
    }
}

/// Whether an image is named with a version or a digest.
pub(crate) fn is_pinned(image: &str) -> bool {
    let name = image.rsplit('/').next().unwrap_or_default();
    image.contains("@sha256:")
        || name.split_once(':').is_some_and(|(_, tag)| !tag.is_empty() && tag != "latest")
}

/// Whether an image is one of a database that keeps files of its own.
pub(crate) fn is_database(image: &str) -> bool {
    const DATABASES: [&str; 6] = ["postgres", "mysql", "mariadb", "mongo", "timescaledb", "influxdb"];
    let name = image.rsplit('/').next().unwrap_or_default();
    DATABASES.contains(&name.split([':', '@']).next().unwrap_or_default())
}

/// Whether a variable's name says that its value is secret; one that names a file of it is not.
pub(crate) fn names_secret(variable: &str) -> bool {
    let upper = variable.to_ascii_uppercase();
    let secret = upper.split('_').any(|word| matches!(word, "PASSWORD" | "PASSWD" | "TOKEN" | "SECRET"))
        || upper.ends_with("API_KEY")
        || upper.ends_with("PRIVATE_KEY");
    secret && !upper.ends_with("_FILE") && !upper.ends_with("_PATH")
}

fn places(
    context: &Context<'_>,
    name: &At<String>,
    spec: &ServiceSpec,
    service: &Service,
    findings: &mut Findings,
) {
    let kind = Place::of(&spec.kind);
    if spec.nodes.is_empty() && spec.kind.value != ServiceKind::Kubernetes {
        findings.at(&rule::NO_PLACE, Place::of(name), format!("`{}` runs nowhere", name.value));
    }
    if spec.kind.value == ServiceKind::Kubernetes && context.model.orchestrator == Orchestrator::Compose {
        findings.at(&rule::SERVICE_KIND, kind, "the cluster is run by Compose");
    }
    for draft in service.nodes.iter().filter_map(|node| context.nodes.get(node)) {
        let node = &draft.node;
        let engines =
            [Capability::Docker, Capability::DockerDesktop, Capability::Podman, Capability::RootlessDocker];
        match spec.kind.value {
            ServiceKind::Compose if engines.iter().all(|engine| draft.lacks(*engine)) => {
                findings.at(&rule::NO_ENGINE, kind, format!("`{}` has no container engine", node.name));
            }
            ServiceKind::Kubernetes if context.model.orchestrator == Orchestrator::K3s => {
                if draft.is_outside_k3s() {
                    findings.at(&rule::SERVICE_KIND, kind, format!("`{}` is no k3s node", node.name));
                }
                let taint = node.taints.iter().find(|taint| {
                    taint.effect != TaintEffect::PreferNoSchedule && !service.tolerates.contains(&taint.key)
                });
                if let Some(taint) = taint
                    && is_known(&spec.tolerates)
                {
                    let message = format!("`{}` does not tolerate `{taint}` of `{}`", name.value, node.name);
                    findings.at(&rule::NOT_TOLERATED, Place::of(name), message);
                }
            }
            _ => {}
        }
        if spec.gpu && draft.lacks(Capability::NvidiaGpu) {
            findings.at(
                &rule::GPU_NODE,
                Place::of(name),
                format!("`{}` has no GPU for containers", node.name),
            );
        }
        for at in &spec.needs_shares {
            let Some(share) = context.model.shares.get(&at.value) else { continue };
            let there = share.server == ShareServer::Node(node.name.clone())
                || share.clients.contains_key(&node.name);
            if !there && !context.doubtful_shares.contains(&at.value) {
                let message = format!("`{}` does not mount `{}`", node.name, at.value);
                findings.at(&rule::SHARE_NOT_THERE, Place::of(at), message);
            }
        }
    }
    for at in &spec.needs_shares {
        if !context.model.shares.contains_key(&at.value) {
            findings.at(&rule::UNKNOWN_SHARE, Place::of(at), format!("there is no share `{}`", at.value));
        }
    }
}

/// Whether `path` is `folder` or lies below it.
pub(crate) fn within(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn volumes(context: &Context<'_>, spec: &ServiceSpec, service: &Service, findings: &mut Findings) {
    let database = spec.database || spec.images.values().any(|at| is_database(&at.value));
    let needs_are_known = is_known(&spec.needs_shares)
        && spec.needs_shares.iter().all(|need| context.model.shares.contains_key(&need.value));
    for at in spec.all_volumes() {
        let source = at.value.split(':').next().unwrap_or_default();
        let place = Place::of(at);
        if source == "/etc/timezone" {
            findings.at(&rule::TIMEZONE_BIND, place, "`/etc/timezone` does not exist on newer systems");
        }
        if source.ends_with("/docker.sock") && spec.kind.value == ServiceKind::Kubernetes {
            findings.at(&rule::DOCKER_SOCKET, place, "k3s has no Docker socket");
        }
        for share in context.model.shares.values() {
            let doubtful = context.doubtful_shares.contains(&share.name);
            for node in &service.nodes {
                let serves = share.server == ShareServer::Node(node.clone());
                let point = share.clients.get(node);
                let mounted = point.is_some_and(|point| within(source, point));
                if mounted && database {
                    let message = format!("a database on the share `{}`", share.name);
                    findings.at(&rule::DATABASE_ON_SHARE, place, message);
                }
                if mounted && at.value.split(':').skip(2).any(|flags| flags.contains(['z', 'Z'])) {
                    findings.at(
                        &rule::RELABEL,
                        place,
                        format!("`{}` is a share and holds no labels", share.name),
                    );
                }
                if mounted
                    && needs_are_known
                    && !spec.needs_shares.iter().any(|need| need.value == share.name)
                {
                    let message = format!("this lies on `{}`, which is not in needs-shares", share.name);
                    findings.at(&rule::UNGATED_VOLUME, place, message);
                }
                let foreign = share.clients.values().any(|point| within(source, point));
                if serves && foreign && !doubtful && !within(source, share.path.as_str()) {
                    let message = format!("`{node}` serves `{}` itself, from `{}`", share.name, share.path);
                    findings.at(&rule::WRONG_SIDE, place, message);
                }
            }
        }
    }
}

fn secrets(name: &At<String>, spec: &ServiceSpec, findings: &mut Findings) {
    const RESERVED: [&str; 7] = ["HOME", "PATH", "PWD", "USER", "SHELL", "TERM", "LANG"];
    for at in spec.all_secrets() {
        let fits = at.value.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
            && at
                .value
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
        let dropped = RESERVED.contains(&at.value.as_str())
            || at.value.starts_with("XDG_")
            || at.value.starts_with("LC_");
        if !fits || dropped {
            findings.at(
                &rule::SECRET_NAME,
                Place::of(at),
                format!("`{}` does not reach the program", at.value),
            );
        }
        if let Some((setting, _)) = spec.environment.get_key_value(at.value.as_str()) {
            let message = format!("`{}` is a secret and a plain setting", at.value);
            findings.at(&rule::SECRET_IS_SETTING, Place::of(setting), message);
        }
    }
    if spec.all_secrets().next().is_some() && spec.secrets_path.is_none() {
        let message = format!("`{}` needs secrets and does not say from where", name.value);
        findings.at(&rule::SECRETS_PATH, Place::of(name), message);
    }
    for (key, value) in spec.all_settings() {
        if names_secret(&key.value) && !value.value.is_empty() && !value.value.starts_with("${") {
            let message = format!("`{}` looks like a secret and has a plain value", key.value);
            findings.at(&trust::SECRET_SETTING, Place::of(key), message);
        }
    }
}

fn amounts(spec: &ServiceSpec, findings: &mut Findings) {
    let own = [&spec.cpu_request, &spec.memory_request, &spec.memory_limit];
    let others = spec.containers.values().map(|container| &container.memory_limit);
    for at in own.into_iter().chain(others).flatten() {
        if !is_quantity(&at.value) {
            findings.at(
                &rule::QUANTITY,
                Place::of(at),
                format!("`{}` is not a Kubernetes quantity", at.value),
            );
        }
    }
}

/// A number with Kubernetes's suffix: `250m`, `1.5`, `256Mi`, `1G`.
pub(crate) fn is_quantity(text: &str) -> bool {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let suffix = &text[digits.len()..];
    digits.parse::<f64>().is_ok_and(|number| number >= 0.0)
        && matches!(suffix, "" | "m" | "k" | "M" | "G" | "T" | "Ki" | "Mi" | "Gi" | "Ti")
}
