//! Networks, typed.

use desired::SecretReference;
use ipnet::Ipv4Net;

use super::node::{DraftNodes, address};
use super::place::{Findings, Place};
use crate::finding::rules::{network as rule, node as node_rule, trust};
use crate::model::{Mesh, Network};
use crate::spec::{At, ClusterSpec, MeshSpec};

/// The networks of `spec`.
pub(crate) fn network(spec: &ClusterSpec, nodes: &DraftNodes, findings: &mut Findings) -> Network {
    let network = &spec.network;
    Network {
        lan: cidr(&network.lan, findings).unwrap_or_default(),
        gateway: network.gateway.as_ref().map(|at| address(&at.value, Place::of(at), findings)),
        dns: network.dns.iter().map(|at| address(&at.value, Place::of(at), findings)).collect(),
        mesh: network.mesh.as_ref().map(|mesh| self::mesh(mesh, nodes, findings)),
    }
}

fn mesh(spec: &MeshSpec, nodes: &DraftNodes, findings: &mut Findings) -> Mesh {
    let server = spec.server.as_ref().and_then(|at| {
        let found = nodes.get(at.value.as_str()).map(|draft| draft.node.name.clone());
        if found.is_none() {
            let finding = findings.at(
                &node_rule::UNKNOWN_NODE,
                Place::of(at),
                format!("there is no node `{}`", at.value),
            );
            if let Some(near) =
                crate::finding::nearest(&at.value, nodes.keys().map(desired::NodeName::as_str))
            {
                finding.help(format!("did you mean `{near}`?"));
            }
        }
        found
    });
    Mesh {
        kind: spec.kind.value,
        cidr: cidr(&spec.cidr, findings).unwrap_or_default(),
        server,
        login_url: spec.login_url.as_ref().map(|at| at.value.clone()),
        auth_key: spec.auth_key.as_ref().and_then(|at| secret(at, findings)),
        accept_dns: spec.accept_dns,
    }
}

/// A network whose host bits are zero.
pub(crate) fn cidr(at: &At<String>, findings: &mut Findings) -> Option<Ipv4Net> {
    match at.value.parse::<Ipv4Net>() {
        Ok(net) if net.trunc() == net => Some(net),
        Ok(net) => {
            findings
                .at(&rule::ADDRESS, Place::of(at), format!("`{}` is an address inside a network", at.value))
                .help(format!("the network is `{}`", net.trunc()));
            None
        }
        Err(_) => {
            let message = format!("`{}` is not an IPv4 network in CIDR notation", at.value);
            findings.at(&rule::ADDRESS, Place::of(at), message);
            None
        }
    }
}

/// A secret reference; a value in its place is reported and never repeated.
pub(crate) fn secret(at: &At<String>, findings: &mut Findings) -> Option<SecretReference> {
    at.value
        .parse()
        .map_err(|invalid: desired::Invalid| {
            findings
                .at(
                    &trust::PLAIN_SECRET,
                    Place::of(at),
                    "a secret stands here as a plain value, or its reference is broken",
                )
                .help(invalid.why);
        })
        .ok()
}
