//! Addresses, networks and the mesh.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::Context;
use crate::finding::rules::network as rule;
use crate::model::{Capability, MeshKind};
use crate::resolve::node::DraftNode;
use crate::resolve::place::{Findings, Place};
use crate::spec::MeshSpec;

pub(crate) fn lint(context: &Context<'_>, findings: &mut Findings) {
    duplicates(context, findings, |draft| Some((draft.node.address, draft.origin.address?)));
    duplicates(context, findings, |draft| Some((draft.node.mesh_address?, draft.origin.mesh_address?)));
    for draft in context.nodes.values() {
        lan(context, draft, findings);
        member(context, draft, findings);
    }
    if let (Some(at), Some(gateway)) = (&context.spec.network.gateway, context.model.network.gateway)
        && is_known(context.model.network.lan)
        && !gateway.is_unspecified()
        && !context.model.network.lan.contains(&gateway)
    {
        let message = format!("the gateway {gateway} is not in {}", context.model.network.lan);
        findings
            .at(&rule::GATEWAY, Place::of(at), message)
            .related(Place::of(&context.spec.network.lan), "the LAN");
    }
    if let Some(mesh) = &context.spec.network.mesh {
        self::mesh(context, mesh, findings);
    }
    overlaps(context, findings);
}

/// Whether a network was written and could be read; `0.0.0.0/0` stands for one that was not.
fn is_known(net: Ipv4Net) -> bool {
    net.prefix_len() > 0
}

fn duplicates(
    context: &Context<'_>,
    findings: &mut Findings,
    address_of: impl Fn(&DraftNode) -> Option<(Ipv4Addr, Place)>,
) {
    let mut seen: BTreeMap<Ipv4Addr, (&DraftNode, Place)> = BTreeMap::new();
    for draft in context.nodes.values() {
        let Some((address, place)) = address_of(draft) else { continue };
        if address.is_unspecified() {
            continue;
        }
        if let Some((first, first_place)) = seen.get(&address) {
            let message =
                format!("{address} is the address of `{}` and `{}`", first.node.name, draft.node.name);
            let label = format!("the address of `{}`", first.node.name);
            findings.at(&rule::DUPLICATE_ADDRESS, place, message).related(*first_place, label);
        } else {
            seen.insert(address, (draft, place));
        }
    }
}

fn lan(context: &Context<'_>, draft: &DraftNode, findings: &mut Findings) {
    let (address, lan) = (draft.node.address, context.model.network.lan);
    let Some(place) = draft.origin.address else { return };
    if address.is_unspecified() || !is_known(lan) {
        return;
    }
    let name = &draft.node.name;
    if !lan.contains(&address) {
        findings
            .at(&rule::FOREIGN_ADDRESS, place, format!("the address {address} of `{name}` is not in {lan}"))
            .related(Place::of(&context.spec.network.lan), "the LAN");
        return;
    }
    let taken = if lan.prefix_len() < 31 && address == lan.network() {
        Some("the LAN's own")
    } else if lan.prefix_len() < 31 && address == lan.broadcast() {
        Some("the LAN's broadcast")
    } else if context.model.network.gateway == Some(address) {
        Some("the gateway's")
    } else {
        None
    };
    if let Some(whose) = taken {
        findings.at(&rule::RESERVED_ADDRESS, place, format!("the address {address} of `{name}` is {whose}"));
    }
}

fn member(context: &Context<'_>, draft: &DraftNode, findings: &mut Findings) {
    let (node, origin) = (&draft.node, &draft.origin);
    let capability = origin.preset.capabilities.iter().find(|placed| {
        placed.value == Capability::Mesh.as_str() || placed.value == Capability::MeshServer.as_str()
    });
    let Some(mesh) = &context.model.network.mesh else {
        if let Some(place) = origin.mesh_address.or(capability.map(|placed| placed.place)) {
            findings.at(
                &rule::NO_MESH,
                place,
                format!("`{}` is in a mesh, but the cluster has none", node.name),
            );
        }
        return;
    };
    match (node.mesh_address, origin.mesh_address) {
        (Some(address), Some(place)) => {
            if !address.is_unspecified() && is_known(mesh.cidr) && !mesh.cidr.contains(&address) {
                let message =
                    format!("the mesh address {address} of `{}` is not in {}", node.name, mesh.cidr);
                findings.at(&rule::MESH_ADDRESS, place, message);
            }
            if draft.lacks(Capability::Mesh) && draft.lacks(Capability::MeshServer) {
                let message = format!("`{}` has a mesh address and no capability `mesh`", node.name);
                findings.at(&rule::MESH_MEMBER, place, message);
            }
        }
        _ => {
            if let Some(placed) = capability {
                let message = format!("`{}` joins the mesh and has no mesh address", node.name);
                findings.at(&rule::MESH_MEMBER, placed.place, message);
            }
        }
    }
}

fn mesh(context: &Context<'_>, spec: &MeshSpec, findings: &mut Findings) {
    let Some(mesh) = &context.model.network.mesh else { return };
    let shared = Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10);
    if is_known(mesh.cidr) && !shared.contains(&mesh.cidr) {
        findings.at(
            &rule::MESH_RANGE,
            Place::of(&spec.cidr),
            format!("{} is not inside {shared}", mesh.cidr),
        );
    }
    if mesh.kind == MeshKind::Headscale && mesh.login_url.is_none() {
        findings
            .at(&rule::MESH_SERVER, Place::of(&spec.kind), "clients do not know where Headscale is")
            .help("add `login-url = \"https://…\"`");
    }
    if let Some(url) = &spec.login_url
        && !(url.value.starts_with("https://") || url.value.starts_with("http://"))
    {
        findings.at(&rule::MESH_SERVER, Place::of(url), format!("`{}` is not a URL", url.value));
    }
    if let (Some(at), Some(server)) = (&spec.server, &mesh.server)
        && let Some(draft) = context.nodes.get(server)
        && draft.lacks(Capability::MeshServer)
    {
        let message = format!("`{server}` coordinates the mesh and lacks the capability `mesh-server`");
        findings.at(&rule::MESH_SERVER, Place::of(at), message).related(draft.origin.name, "this node");
    }
    if mesh.accept_dns && context.is_k3s() {
        findings.at(&rule::MESH_DNS, Place::of(&spec.kind), "the mesh rewrites DNS on Kubernetes nodes");
    }
}

fn overlaps(context: &Context<'_>, findings: &mut Findings) {
    let mut nets: Vec<(&str, Ipv4Net, Option<Place>)> =
        vec![("the LAN", context.model.network.lan, Some(Place::of(&context.spec.network.lan)))];
    if let (Some(mesh), Some(spec)) = (&context.model.network.mesh, &context.spec.network.mesh) {
        nets.push(("the mesh", mesh.cidr, Some(Place::of(&spec.cidr))));
    }
    if let (Some(k3s), Some(spec)) = (&context.model.k3s, &context.spec.k3s) {
        nets.push(("the pod network", k3s.cluster_cidr, spec.cluster_cidr.as_ref().map(Place::of)));
        nets.push(("the service network", k3s.service_cidr, spec.service_cidr.as_ref().map(Place::of)));
    }
    for (index, (name, net, place)) in nets.iter().enumerate() {
        for (earlier, other, other_place) in &nets[..index] {
            let known = is_known(*net) && is_known(*other);
            let Some(at) = place.or(*other_place) else { continue };
            if known && (net.contains(other) || other.contains(net)) {
                let message = format!("{name} {net} and {earlier} {other} overlap");
                findings.at(&rule::OVERLAP, at, message);
            }
        }
    }
}
