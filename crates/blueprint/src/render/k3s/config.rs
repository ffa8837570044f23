//! `config.yaml`: what k3s is told, all of it, so that no flag and no installer says otherwise (FIELD K22).
//!
//! In: the cluster's settings and one node. Out: YAML with sorted keys. What all servers must agree on comes from one
//! block (FIELD K27); the rest is named in [`OF_ONE_NODE`].

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{TOKEN, kubelet, labels};
use crate::escape::yaml;
use crate::model::{Flannel, K3s, K3sRole, Model, Node};
use crate::render::RenderError;

/// Keys in which servers of one cluster may differ; every other key is the same on all of them (FIELD K27).
#[cfg(test)]
pub const OF_ONE_NODE: &[&str] = &[
    "cluster-init",
    "flannel-iface",
    "kubelet-arg",
    "node-external-ip",
    "node-ip",
    "node-label",
    "node-name",
    "node-taint",
    "server",
];

/// Where k3s keeps its data if nothing else is said.
const DATA_DIRECTORY: &str = "/var/lib/rancher/k3s";

/// The port agents and further servers register at.
const PORT: u16 = 6443;

/// The text of `config.yaml` for `node`.
///
/// # Errors
/// If a value has no form in YAML, or a kubelet reserve cannot be read.
pub fn document(model: &Model, k3s: &K3s, node: &Node, role: K3sRole) -> Result<String, RenderError> {
    let mut keys: BTreeMap<&str, Value> = BTreeMap::new();
    if role.is_server() {
        of_all_servers(&mut keys, model, k3s);
    }
    if k3s.data_dir.as_str() != DATA_DIRECTORY {
        keys.insert("data-dir", json!(k3s.data_dir.as_str()));
    }
    of_joining(&mut keys, model, role);
    of_node(&mut keys, node);
    kubelet::arguments(&mut keys, k3s, node)?;
    let body = yaml::document(&keys).map_err(RenderError::inexpressible("config.yaml"))?;
    // Only the names of things in a comment, which a name's own type keeps harmless.
    Ok(format!("# k3s on {} of cluster {}; additions go into config.yaml.d/\n{body}", node.name, model.name))
}

/// What servers must agree on, or the second one is refused: "critical configuration value mismatch".
fn of_all_servers(keys: &mut BTreeMap<&str, Value>, model: &Model, k3s: &K3s) {
    let flannel = match k3s.flannel_backend {
        Flannel::Vxlan => "vxlan",
        Flannel::HostGw => "host-gw",
        Flannel::WireguardNative => "wireguard-native",
        Flannel::None => "none",
    };
    keys.insert("cluster-cidr", json!(k3s.cluster_cidr.to_string()));
    keys.insert("service-cidr", json!(k3s.service_cidr.to_string()));
    keys.insert("flannel-backend", json!(flannel));
    keys.insert("secrets-encryption", json!(k3s.secrets_encryption));
    keys.insert("tls-san", json!(certificate_names(model, k3s)));
    keys.insert("write-kubeconfig-mode", json!("0600"));
    if !k3s.disable.is_empty() {
        keys.insert("disable", json!(k3s.disable));
    }
}

/// Every name and address a client may call a server by; all servers carry all of them.
fn certificate_names(model: &Model, k3s: &K3s) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = k3s.tls_san.iter().cloned().collect();
    for server in servers(model) {
        names.insert(server.name.to_string());
        names.insert(server.address.to_string());
        names.extend(server.mesh_address.map(|address| address.to_string()));
        names.extend(model.internal_domain.as_ref().map(|domain| format!("{}.{domain}", server.name)));
    }
    names
}

fn servers(model: &Model) -> impl Iterator<Item = &Node> {
    model.nodes.values().filter(|node| node.k3s.is_some_and(K3sRole::is_server))
}

/// How this node comes into the cluster. The first server makes it, with etcd if others are to follow; everybody else
/// is sent to the first by https and address, which needs no name server (FIELD K23).
fn of_joining(keys: &mut BTreeMap<&str, Value>, model: &Model, role: K3sRole) {
    if role == K3sRole::FirstServer {
        if servers(model).nth(1).is_some() {
            keys.insert("cluster-init", json!(true));
        }
    } else if let Some(first) = model.first_server() {
        keys.insert("server", json!(format!("https://{}:{PORT}", first.address)));
    }
    // The one setting of this kind that is both a server's and an agent's; the value is never in here (FIELD K33).
    keys.insert("token-file", json!(TOKEN));
}

/// Who this node is.
fn of_node(keys: &mut BTreeMap<&str, Value>, node: &Node) {
    keys.insert("node-name", json!(node.name.as_str()));
    keys.insert("node-ip", json!(node.address.to_string()));
    if let Some(interface) = &node.interface {
        keys.insert("flannel-iface", json!(interface));
    }
    if let Some(mesh) = node.mesh_address {
        keys.insert("node-external-ip", json!(mesh.to_string()));
    }
    // Distributions' iptables of some versions double rules and slow a node down (FIELD K29).
    keys.insert("prefer-bundled-bin", json!(true));
    let own: Vec<String> = node
        .labels
        .iter()
        .filter(|(key, _)| labels::self_assignable(key))
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    if !own.is_empty() {
        keys.insert("node-label", json!(own));
    }
    if !node.taints.is_empty() {
        let taints: Vec<String> = node.taints.iter().map(ToString::to_string).collect();
        keys.insert("node-taint", json!(taints));
    }
}
