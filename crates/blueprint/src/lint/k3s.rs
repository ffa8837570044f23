//! Servers, agents, labels, taints, reserves.

use std::collections::BTreeSet;

use super::Context;
use crate::finding::rules::k3s as rule;
use crate::model::{Capability, K3sRole, MediumKind, Orchestrator, Power, TaintEffect};
use crate::resolve::node::DraftNode;
use crate::resolve::place::{Findings, Place, Placed};
use crate::resolve::taint;
use crate::spec::K3sSpec;

pub(crate) fn lint(context: &Context<'_>, findings: &mut Findings) {
    let members: Vec<&DraftNode> = context.nodes.values().filter(|draft| draft.node.k3s.is_some()).collect();
    for draft in context.nodes.values() {
        labels(draft, findings);
        member(draft, findings);
    }
    if context.model.orchestrator == Orchestrator::Compose {
        for draft in &members {
            if let Some(role) = &draft.origin.preset.k3s {
                let message =
                    format!("`{}` has a part in k3s, but the cluster is run by Compose", draft.node.name);
                let place = Place::of(&context.spec.cluster.orchestrator);
                findings.at(&rule::ORCHESTRATOR, role.place, message).related(place, "the orchestrator");
            }
        }
        return;
    }
    servers(context, &members, findings);
    taints(context, &members, findings);
    if let Some(k3s) = &context.spec.k3s {
        settings(k3s, findings);
    }
}

fn servers(context: &Context<'_>, members: &[&DraftNode], findings: &mut Findings) {
    let role = |draft: &&&DraftNode| draft.origin.preset.k3s.as_ref().map(|placed| placed.place);
    let first: Vec<&&DraftNode> =
        members.iter().filter(|draft| draft.node.k3s == Some(K3sRole::FirstServer)).collect();
    let servers: Vec<&&DraftNode> =
        members.iter().filter(|draft| draft.node.k3s.is_some_and(K3sRole::is_server)).collect();
    let cluster = Place::of(&context.spec.cluster.orchestrator);
    // That there are no nodes, or ones whose part is not known, was told.
    if context.nodes.is_empty() || context.nodes.values().any(|draft| draft.origin.preset.is_doubtful) {
        return;
    }
    if servers.is_empty() {
        match members.first().as_ref().and_then(role) {
            Some(place) => {
                findings.at(&rule::AGENT_WITHOUT_SERVER, place, "there is no server that agents could join")
            }
            None => findings.at(&rule::FIRST_SERVER, cluster, "no node is the first server"),
        };
        return;
    }
    match first.as_slice() {
        [] => {
            let place = servers.first().and_then(role).unwrap_or(cluster);
            findings.at(&rule::FIRST_SERVER, place, "no server is the first");
        }
        [_] => {}
        [one, others @ ..] => {
            for other in others {
                let message =
                    format!("`{}` and `{}` are both the first server", one.node.name, other.node.name);
                findings
                    .at(&rule::FIRST_SERVER, other.origin.name, message)
                    .related(one.origin.name, "the other one");
            }
        }
    }
    if servers.len().is_multiple_of(2)
        && first.len() == 1
        && let Some(last) = servers.iter().rfind(|draft| draft.node.k3s == Some(K3sRole::Server))
    {
        let message = format!("{} servers bear no more failures than {}", servers.len(), servers.len() - 1);
        findings.at(&rule::EVEN_SERVERS, last.origin.name, message);
    }
}

fn member(draft: &DraftNode, findings: &mut Findings) {
    let (node, preset) = (&draft.node, &draft.origin.preset);
    let reserves = [&preset.kubelet.system_reserved, &preset.kubelet.kube_reserved];
    for placed in reserves.into_iter().flatten() {
        reserve(placed, &['='], findings);
    }
    if let Some(placed) = &preset.kubelet.eviction_hard {
        reserve(placed, &['<'], findings);
    }
    if node.can(Capability::LonghornStorage)
        && node.root_medium == Some(MediumKind::SdCard)
        && let Some(medium) = &preset.root_medium
    {
        let message = format!("`{}` keeps Longhorn's replicas on an SD card", node.name);
        findings.at(&rule::LONGHORN_MEDIUM, medium.place, message);
    }
    let Some(role) = &preset.k3s else { return };
    if preset.os.is_some() && !node.os.family.is_linux() {
        let message = format!("`{}` runs {}, where there is no k3s", node.name, node.os.family.as_str());
        findings.at(&rule::K3S_OS, role.place, message);
    }
    let rootless = Capability::RootlessDocker.as_str();
    if let Some(placed) = preset.capabilities.iter().find(|placed| placed.value == rootless) {
        let message = format!("`{}` is a cluster node", node.name);
        findings.at(&rule::ROOTLESS_NODE, placed.place, message).related(role.place, "its part in k3s");
    }
    if node.can(Capability::Mesh) && node.interface.is_none() {
        let message = format!("`{}` has a LAN and a mesh address, and no interface is chosen", node.name);
        findings.at(&rule::MESH_INTERFACE, role.place, message);
    }
    if node.k3s.is_some_and(K3sRole::is_server) {
        if let Some(medium) = &preset.root_medium
            && medium.value == MediumKind::SdCard
        {
            let message = format!("the server `{}` runs from an SD card", node.name);
            findings.at(&rule::SERVER_ON_SD, medium.place, message);
        }
        if let Some(power) = &preset.power
            && power.value != Power::AlwaysOn
        {
            findings.at(
                &rule::SERVER_POWER,
                power.place,
                format!("the server `{}` is not always on", node.name),
            );
        }
    }
}

/// Kubelet's lists: `name=quantity` or `signal<quantity` between commas.
fn reserve(placed: &Placed<String>, operator: &[char], findings: &mut Findings) {
    let fits = placed.value.split(',').all(|entry| {
        entry.split_once(operator).is_some_and(|(name, amount)| {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_lowercase() || b".-".contains(&byte))
                && super::service::is_quantity(amount.strip_suffix('%').unwrap_or(amount))
        })
    });
    if !fits {
        let message = format!("the kubelet cannot read `{}`", placed.value);
        findings.at(&rule::KUBELET_RESERVE, placed.place, message);
    }
}

fn labels(draft: &DraftNode, findings: &mut Findings) {
    let preset = &draft.origin.preset;
    for (key, (place, value)) in &preset.labels {
        if let Some(why) = taint::key_fault(key) {
            findings.at(&rule::LABEL, *place, format!("`{key}` is not a label: {why}"));
        } else if reserved(key) {
            let message =
                format!("a kubelet may not give itself `{key}`; it is set from a server after the join");
            findings.at(&rule::RESERVED_LABEL, *place, message);
        }
        if let Some(why) = taint::value_fault(&value.value) {
            findings.at(&rule::LABEL, value.place, format!("the value of `{key}` is none: {why}"));
        }
    }
    if draft.is_outside_k3s() {
        let label = preset.labels.values().next().map(|(place, _)| *place);
        if let Some(place) = label.or_else(|| preset.taints.first().map(|placed| placed.place)) {
            let message = format!("`{}` is no k3s node, nobody reads its labels and taints", draft.node.name);
            findings.at(&rule::LABEL_WITHOUT_K3S, place, message);
        }
    }
}

/// Whether NodeRestriction keeps a kubelet from setting it (FIELD K15).
fn reserved(key: &str) -> bool {
    let Some((prefix, _)) = key.split_once('/') else { return false };
    let within = |domain: &str| {
        prefix == domain || prefix.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
    };
    (within("kubernetes.io") || within("k8s.io"))
        && !["kubelet.kubernetes.io", "node.kubernetes.io"].iter().any(|domain| within(domain))
        && !["kubernetes.io/arch", "kubernetes.io/os", "kubernetes.io/hostname"].contains(&key)
        && !["topology.kubernetes.io/region", "topology.kubernetes.io/zone"].contains(&key)
}

fn taints(context: &Context<'_>, members: &[&DraftNode], findings: &mut Findings) {
    let tolerated: BTreeSet<&str> =
        context.model.services.values().flat_map(|service| &service.tolerates).map(String::as_str).collect();
    let lists_are_known = context.spec.services.values().all(|service| super::is_known(&service.tolerates));
    for draft in members {
        for placed in &draft.origin.preset.taints {
            let Some(taint) = draft.node.taints.iter().find(|taint| taint.to_string() == placed.value) else {
                continue;
            };
            if taint.effect == TaintEffect::NoExecute && draft.node.can(Capability::LonghornStorage) {
                let message =
                    format!("`{taint}` evicts what uses Longhorn's volumes on `{}`", draft.node.name);
                findings.at(&rule::NO_EXECUTE_STORAGE, placed.place, message);
            }
            if taint.effect != TaintEffect::PreferNoSchedule
                && !tolerated.contains(taint.key.as_str())
                && lists_are_known
            {
                findings.at(
                    &rule::UNTOLERATED_TAINT,
                    placed.place,
                    format!("no service tolerates `{}`", taint.key),
                );
            }
        }
    }
}

fn settings(k3s: &K3sSpec, findings: &mut Findings) {
    const COMPONENTS: [&str; 6] =
        ["coredns", "servicelb", "traefik", "local-storage", "metrics-server", "runtimes"];
    for at in &k3s.disable {
        if !COMPONENTS.contains(&at.value.as_str()) {
            let message = format!("k3s packages no component `{}`", at.value);
            findings.at(&rule::K3S_COMPONENT, Place::of(at), message);
        }
    }
    if k3s.server_token.value == k3s.agent_token.value {
        findings
            .at(&rule::SAME_TOKEN, Place::of(&k3s.agent_token), "agents join with the servers' secret")
            .related(Place::of(&k3s.server_token), "the servers' secret");
    }
}
