//! The containers of Compose services whose file is made from the spec.
//!
//! In: services as written and the nodes they are on. Out: findings on what the file would lack or ask of nobody.

use std::collections::BTreeSet;

use super::{Context, is_known};
use crate::finding::rules::service as rule;
use crate::model::{Capability, Service, ServiceKind, Setting};
use crate::resolve::place::{Findings, Place};
use crate::spec::{At, ServiceSpec};

pub(crate) fn lint(context: &Context<'_>, findings: &mut Findings) {
    let mut absent = BTreeSet::new();
    for (name, spec) in &context.spec.services {
        let Some(service) = context.model.services.get(&name.value) else { continue };
        // A file of a person's is judged by itself.
        if spec.kind.span.is_empty() || service.kind != ServiceKind::Compose || service.compose.is_some() {
            continue;
        }
        tables(name, spec, findings);
        settings(spec, findings);
        networks(context, spec, &mut absent, findings);
        if is_generated(context, service) {
            main(name, spec, findings);
            bare(spec, service, findings);
        }
    }
}

/// Whether a node's home is given a file made from the spec.
fn is_generated(context: &Context<'_>, service: &Service) -> bool {
    let nodes = service.nodes.iter().filter_map(|node| context.model.nodes.get(node));
    nodes.into_iter().any(|node| node.can(Capability::Chezmoi))
}

fn main(name: &At<String>, spec: &ServiceSpec, findings: &mut Findings) {
    let is_named = spec.main.as_ref().filter(|main| !main.span.is_empty());
    if let Some(main) = is_named
        && !spec.images.contains_key(main.value.as_str())
    {
        let message = format!("`{}` is none of the images", main.value);
        findings.at(&rule::MAIN_CONTAINER, Place::of(main), message);
    } else if spec.main.is_none() && spec.images.len() > 1 && spec.main_container(&name.value).is_none() {
        let message = format!("none of the containers of `{}` is the main one", name.value);
        findings.at(&rule::MAIN_CONTAINER, Place::of(name), message);
    }
}

fn tables(name: &At<String>, spec: &ServiceSpec, findings: &mut Findings) {
    let main = spec.main_container(&name.value);
    for container in spec.containers.keys() {
        if main == Some(container.value.as_str()) {
            let message = format!("`{}` is the main container", container.value);
            findings.at(&rule::CONTAINER, Place::of(container), message);
        } else if !spec.images.is_empty() && !spec.images.contains_key(container.value.as_str()) {
            let message = format!("`{}` is none of the images", container.value);
            findings.at(&rule::CONTAINER, Place::of(container), message);
        }
    }
}

fn settings(spec: &ServiceSpec, findings: &mut Findings) {
    let lists = spec.containers.values().map(|container| &container.secrets).chain([&spec.secrets]);
    if !lists.into_iter().all(|list| is_known(list)) {
        return;
    }
    for (_, value) in spec.all_settings() {
        for secret in Setting::read(&value.value).secrets() {
            if !spec.all_secrets().any(|at| at.value == secret) {
                let message = format!("`{secret}` is no secret of the service");
                findings.at(&rule::SETTING_SECRET, Place::of(value), message);
            }
        }
    }
}

/// Each network that is not there is told once, where it is named first.
fn networks<'a>(
    context: &Context<'a>,
    spec: &'a ServiceSpec,
    absent: &mut BTreeSet<&'a str>,
    findings: &mut Findings,
) {
    let beside = spec.containers.values().flat_map(|container| &container.networks);
    for at in spec.networks.iter().chain(beside) {
        // What is wrong with a network's range is told there.
        let is_there = context.spec.docker.networks.contains_key(at.value.as_str());
        if !is_there && absent.insert(&at.value) {
            let message = format!("there is no network `{}`", at.value);
            findings.at(&rule::SERVICE_NETWORK, Place::of(at), message);
        }
    }
}

fn bare(spec: &ServiceSpec, service: &Service, findings: &mut Findings) {
    // Whose they are is told first, and which table is meant for which container.
    let is_image = |name: &At<String>| spec.images.contains_key(name.value.as_str());
    if service.main.is_none() || !spec.containers.keys().all(is_image) {
        return;
    }
    for (name, image) in &spec.images {
        let beside = spec.containers.get(name.value.as_str());
        let (check, limit): (&[At<String>], _) = match beside {
            _ if service.main.as_deref() == Some(name.value.as_str()) => {
                (&spec.health_check, &spec.memory_limit)
            }
            Some(beside) => (&beside.health_check, &beside.memory_limit),
            None => (&[], &None),
        };
        let lacks = match (check.is_empty(), limit.is_none()) {
            (true, false) => "no health check",
            (true, true) => "neither a health check nor a memory limit",
            (false, true) => "no memory limit",
            (false, false) => continue,
        };
        if !image.span.is_empty() {
            findings.at(&rule::BARE_CONTAINER, Place::of(name), format!("`{}` has {lacks}", name.value));
        }
    }
}
