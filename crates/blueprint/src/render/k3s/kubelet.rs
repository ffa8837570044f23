//! What the kubelet keeps back for the machine.
//!
//! In: reserves as kubelet arguments write them, and k3s's version. Out: a kubelet configuration drop-in, or from
//! versions before 1.32, which do not read drop-ins, arguments (FIELD K34).

use std::collections::BTreeMap;

use desired::resource::{Owner, Resource, Want};
use desired::{Invalid, Mode};
use serde_json::{Value, json};

use crate::escape::yaml;
use crate::model::{K3s, Kubelet, Node};
use crate::render::RenderError;

/// Ours comes after `00-k3s-defaults.conf`; the last value wins.
const DROP_IN: &str = "agent/etc/kubelet.conf.d/50-rootstock.conf";

/// The drop-in, where something is kept back and this k3s reads it.
///
/// # Errors
/// If a reserve is no list of `name=amount`.
pub fn resource(k3s: &K3s, node: &Node) -> Result<Option<Resource>, RenderError> {
    if node.kubelet == Kubelet::default() || !reads_drop_ins(&k3s.version) {
        return Ok(None);
    }
    let mut keys: BTreeMap<&str, Value> = BTreeMap::new();
    keys.insert("apiVersion", json!("kubelet.config.k8s.io/v1beta1"));
    keys.insert("kind", json!("KubeletConfiguration"));
    let kubelet = &node.kubelet;
    for (key, list, between) in [
        ("systemReserved", &kubelet.system_reserved, '='),
        ("kubeReserved", &kubelet.kube_reserved, '='),
        ("evictionHard", &kubelet.eviction_hard, '<'),
    ] {
        if let Some(list) = list {
            keys.insert(key, json!(amounts(list, between)?));
        }
    }
    if let Some(max_pods) = kubelet.max_pods {
        keys.insert("maxPods", json!(max_pods));
    }
    let path = format!("{}/{DROP_IN}", k3s.data_dir);
    Ok(Some(Resource::new(Want::File {
        mode: Mode::PRIVATE,
        owner: Owner::root(),
        content: yaml::document(&keys).map_err(RenderError::inexpressible(path.clone()))?,
        path: path.parse().map_err(RenderError::invalid(path.clone()))?,
    })))
}

/// Puts the same into `config.yaml` as arguments, for a k3s that reads no drop-ins.
///
/// # Errors
/// As [`resource`].
pub fn arguments(keys: &mut BTreeMap<&str, Value>, k3s: &K3s, node: &Node) -> Result<(), RenderError> {
    if node.kubelet == Kubelet::default() || reads_drop_ins(&k3s.version) {
        return Ok(());
    }
    let kubelet = &node.kubelet;
    let mut arguments = Vec::new();
    for (name, list, between) in [
        ("system-reserved", &kubelet.system_reserved, '='),
        ("kube-reserved", &kubelet.kube_reserved, '='),
        ("eviction-hard", &kubelet.eviction_hard, '<'),
    ] {
        if let Some(list) = list {
            amounts(list, between)?;
            arguments.push(format!("{name}={list}"));
        }
    }
    arguments.extend(kubelet.max_pods.map(|max_pods| format!("max-pods={max_pods}")));
    keys.insert("kubelet-arg", json!(arguments));
    Ok(())
}

/// `cpu=250m,memory=256Mi` as a table.
fn amounts(list: &str, between: char) -> Result<BTreeMap<&str, &str>, RenderError> {
    let invalid = |pair: &str| {
        let why = format!("write name{between}amount, several with commas between");
        RenderError::invalid("what the kubelet keeps back")(Invalid {
            what: "amount",
            value: pair.to_owned(),
            why,
        })
    };
    list.split(',')
        .map(|pair| match pair.trim().split_once(between) {
            Some((name, amount)) if !name.is_empty() && !amount.is_empty() => Ok((name, amount)),
            _ => Err(invalid(pair)),
        })
        .collect()
}

/// Whether this k3s's kubelet is 1.32 or later.
fn reads_drop_ins(version: &str) -> bool {
    let mut numbers = version.trim_start_matches('v').split(['.', '+', '-']).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= (1, 32),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_amounts_are_read() {
        assert!(reads_drop_ins("v1.36.4+k3s1") && reads_drop_ins("v1.32.0-rc1+k3s1"));
        assert!(!reads_drop_ins("v1.31.9+k3s1") && !reads_drop_ins("latest"));
        assert_eq!(amounts("memory.available<200Mi", '<').unwrap()["memory.available"], "200Mi");
        assert!(amounts("cpu", '=').unwrap_err().to_string().contains("`cpu`"));
    }
}
