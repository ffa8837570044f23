//! Which pods a drain would end, and what each of them loses.
//!
//! In: `kubectl get pods -o json` of one node. Out: a line a pod, worst first; pods that a drain leaves alone (of a
//! DaemonSet, of the machine itself, ended already) are left out.

use serde::Serialize;
use serde_json::Value;

/// One pod that would be evicted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Eviction {
    /// What becomes of it; declared worst first.
    pub fate: Fate,
    /// Its data in `emptyDir` volumes is gone.
    pub loses_scratch_data: bool,
    /// `namespace/name`.
    pub pod: String,
}

/// What becomes of an evicted pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// Nobody starts it again.
    Gone,
    /// Its controller starts it elsewhere.
    Moves,
}

/// The evictions of a list of pods.
#[must_use]
pub fn evictions(list: &Value) -> Vec<Eviction> {
    let pods = list["items"].as_array().into_iter().flatten();
    let mut found: Vec<Eviction> = pods.filter_map(eviction).collect();
    found.sort();
    found
}

fn eviction(pod: &Value) -> Option<Eviction> {
    let metadata = &pod["metadata"];
    let owners: Vec<&str> = metadata["ownerReferences"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|owner| owner["kind"].as_str())
        .collect();
    let is_mirror = metadata["annotations"]["kubernetes.io/config.mirror"].is_string();
    let has_ended = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    if is_mirror || has_ended || owners.contains(&"DaemonSet") || owners.contains(&"Node") {
        return None;
    }
    let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
    let text = |key: &str| metadata[key].as_str().unwrap_or_default();
    Some(Eviction {
        fate: if owners.is_empty() { Fate::Gone } else { Fate::Moves },
        loses_scratch_data: volumes.into_iter().any(|volume| volume["emptyDir"].is_object()),
        pod: format!("{}/{}", text("namespace"), text("name")),
    })
}

impl std::fmt::Display for Eviction {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fate = match self.fate {
            Fate::Gone => "nobody starts it again",
            Fate::Moves => "its controller starts it elsewhere",
        };
        let scratch = if self.loses_scratch_data { ", its emptyDir data is lost" } else { "" };
        write!(formatter, "{}: {fate}{scratch}", self.pod)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_a_drain_ends_is_listed_worst_first() {
        let pod = |name: &str, owner: Option<&str>, volumes: Value, phase: &str| {
            let owners = owner.map(|kind| json!([{ "kind": kind }])).unwrap_or(Value::Null);
            json!({
                "metadata": { "namespace": "default", "name": name, "ownerReferences": owners },
                "spec": { "volumes": volumes }, "status": { "phase": phase },
            })
        };
        let mut mirror = pod("mirror", None, Value::Null, "Running");
        mirror["metadata"]["annotations"] = json!({ "kubernetes.io/config.mirror": "x" });
        let list = json!({ "items": [
            pod("web", Some("ReplicaSet"), json!([{ "emptyDir": {} }]), "Running"),
            pod("daemon", Some("DaemonSet"), Value::Null, "Running"),
            pod("bare", None, json!([{ "hostPath": {} }]), "Pending"),
            pod("done", Some("Job"), Value::Null, "Succeeded"),
            mirror,
        ] });
        let lines: Vec<String> = evictions(&list).iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "default/bare: nobody starts it again",
                "default/web: its controller starts it elsewhere, its emptyDir data is lost",
            ]
        );
    }
}
