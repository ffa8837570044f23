//! What kubectl's JSON says of nodes.
//!
//! In: `kubectl get nodes -o json` and what the profile wants of each node. Out: which are Ready, in which version, and
//! which labels and taints are not as wanted. Nothing is asked here.

use desired::NodeName;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The annotation of a node that we have emptied.
pub const DRAINED_FOR: &str = "rootstock/drained-for";

/// One node as the cluster knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Its condition `Ready` is `True`.
    pub ready: bool,
    /// The version of its kubelet, which is that of k3s.
    pub version: String,
    /// New pods are kept away from it.
    pub cordoned: bool,
    /// The k3s we emptied it for and have not given it back from; a person's own cordon has no such mark.
    pub drained_for: Option<String>,
    /// Every label.
    pub labels: BTreeMap<String, String>,
    /// Every taint as kubectl writes it.
    pub taints: BTreeSet<String>,
}

impl Found {
    /// Whether it is a server of the cluster.
    #[must_use]
    pub fn is_server(&self) -> bool {
        self.labels.contains_key("node-role.kubernetes.io/control-plane")
    }
}

/// What the profile wants of one node, as `k3s/node-metadata.json` has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Which.
    pub node: NodeName,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Taints, `key=value:Effect`.
    pub taints: BTreeSet<String>,
}

/// Every node of a list by name.
#[must_use]
pub fn nodes(list: &Value) -> BTreeMap<String, Found> {
    let items = list["items"].as_array().into_iter().flatten();
    items.filter_map(|item| Some((item["metadata"]["name"].as_str()?.to_owned(), node(item)))).collect()
}

fn node(item: &Value) -> Found {
    let conditions = item["status"]["conditions"].as_array().into_iter().flatten();
    let labels = item["metadata"]["labels"].as_object().into_iter().flatten();
    let taints = item["spec"]["taints"].as_array().into_iter().flatten();
    Found {
        ready: conditions.into_iter().any(|one| one["type"] == "Ready" && one["status"] == "True"),
        version: item["status"]["nodeInfo"]["kubeletVersion"].as_str().unwrap_or_default().to_owned(),
        cordoned: item["spec"]["unschedulable"] == true,
        drained_for: item["metadata"]["annotations"][DRAINED_FOR].as_str().map(str::to_owned),
        labels: labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect(),
        taints: taints.map(taint).collect(),
    }
}

fn taint(taint: &Value) -> String {
    let text = |key: &str| taint[key].as_str().unwrap_or_default();
    match text("value") {
        "" => format!("{}:{}", text("key"), text("effect")),
        value => format!("{}={value}:{}", text("key"), text("effect")),
    }
}

/// What `found` lacks of `wanted`, a phrase each. Labels and taints of others are theirs.
#[must_use]
pub fn lacking(wanted: &Wanted, found: &Found) -> Vec<String> {
    let labels = wanted.labels.iter().filter(|(key, value)| found.labels.get(*key) != Some(value));
    let taints = wanted.taints.iter().filter(|taint| !found.taints.contains(*taint));
    let labels = labels.map(|(key, value)| format!("label {key}={value}"));
    labels.chain(taints.map(|taint| format!("taint {taint}"))).collect()
}

/// Labels that neither the profile nor the machine itself made: of a person, and gone with the node's object.
#[must_use]
pub fn own_labels(wanted: Option<&Wanted>, found: &Found) -> Vec<String> {
    const MADE: [&str; 6] =
        ["kubernetes.io", "k8s.io", "k3s.io", "rancher.io", "cattle.io", "node.kubernetes.io"];
    let is_made = |key: &str| {
        let prefix = key.split_once('/').map_or("", |(prefix, _)| prefix);
        MADE.iter().any(|made| prefix == *made || prefix.ends_with(&format!(".{made}")))
    };
    let is_wanted = |key: &String| wanted.is_some_and(|wanted| wanted.labels.contains_key(key));
    let own = found.labels.iter().filter(|(key, _)| !is_made(key) && !is_wanted(key));
    own.map(|(key, value)| format!("{key}={value}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Shortened from what k3s v1.34.1 answers.
    fn list() -> Value {
        json!({ "items": [{
            "metadata": { "name": "worker-1", "labels": {
                "kubernetes.io/hostname": "worker-1", "lab.rootstock.test/part": "worker", "mine": "yes",
            } },
            "spec": { "unschedulable": true, "taints": [
                { "key": "lab.rootstock.test/slow", "value": "true", "effect": "NoSchedule" },
                { "key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule" },
            ] },
            "status": {
                "conditions": [{ "type": "MemoryPressure", "status": "True" }, { "type": "Ready", "status": "True" }],
                "nodeInfo": { "kubeletVersion": "v1.34.1+k3s1" },
            },
        }, { "metadata": { "name": "worker-2" }, "spec": {}, "status": { "conditions": [{ "type": "Ready", "status": "Unknown" }] } }] })
    }

    #[test]
    fn nodes_are_read() {
        let nodes = nodes(&list());
        let one = &nodes["worker-1"];
        assert!(one.ready && one.cordoned && one.version == "v1.34.1+k3s1");
        assert!(one.taints.contains("lab.rootstock.test/slow=true:NoSchedule"));
        assert!(one.taints.contains("node.kubernetes.io/unschedulable:NoSchedule"));
        assert!(!nodes["worker-2"].ready && nodes["worker-2"].version.is_empty());
    }

    #[test]
    fn what_is_not_as_wanted_is_named_and_what_is_others_left() {
        let wanted: Wanted = serde_json::from_value(json!({
            "node": "worker-1",
            "labels": { "lab.rootstock.test/part": "server", "node-role.kubernetes.io/worker": "true" },
            "taints": ["lab.rootstock.test/slow=true:NoSchedule", "a:NoExecute"],
        }))
        .unwrap();
        let nodes = nodes(&list());
        assert_eq!(
            lacking(&wanted, &nodes["worker-1"]),
            [
                "label lab.rootstock.test/part=server",
                "label node-role.kubernetes.io/worker=true",
                "taint a:NoExecute"
            ]
        );
        assert_eq!(own_labels(Some(&wanted), &nodes["worker-1"]), ["mine=yes"]);
    }
}
