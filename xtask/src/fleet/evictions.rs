//! Which pods a drain would end, and what each of them loses.
//!
//! In: `kubectl get pods -o json` of one node, and the cluster's disruption budgets. Out: a line a pod, worst first, with
//! the budget that keeps it where it is now; pods that a drain leaves alone (of a DaemonSet, of the machine itself, ended
//! already) are left out.

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
    /// The disruption budget that lets none of its pods go now.
    pub held_by: Option<String>,
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

/// The evictions of a list of pods, under these budgets.
#[must_use]
pub fn evictions(list: &Value, budgets: &Value) -> Vec<Eviction> {
    let pods = list["items"].as_array().into_iter().flatten();
    let mut found: Vec<Eviction> = pods.filter_map(|pod| eviction(pod, budgets)).collect();
    found.sort();
    found
}

fn eviction(pod: &Value, budgets: &Value) -> Option<Eviction> {
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
        held_by: held_by(pod, budgets),
    })
}

/// The first budget of the pod's namespace that means it and allows no disruption now.
fn held_by(pod: &Value, budgets: &Value) -> Option<String> {
    let mut budgets = budgets["items"].as_array().into_iter().flatten();
    let labels = &pod["metadata"]["labels"];
    let holds = |budget: &&Value| {
        budget["metadata"]["namespace"] == pod["metadata"]["namespace"]
            && budget["status"]["disruptionsAllowed"].as_i64().unwrap_or(0) < 1
            && selects(&budget["spec"]["selector"], labels)
    };
    Some(budgets.find(holds)?["metadata"]["name"].as_str()?.to_owned())
}

/// A label selector, as policy/v1 means it: an empty one takes all, a missing one none.
fn selects(selector: &Value, labels: &Value) -> bool {
    let Some(selector) = selector.as_object() else { return false };
    let wanted = selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten();
    let expressions = selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten();
    wanted.into_iter().all(|(key, value)| labels[key] == *value)
        && expressions.into_iter().all(|one| {
            let label = one["key"].as_str().map_or(&Value::Null, |key| &labels[key]);
            let is_listed = one["values"].as_array().is_some_and(|values| values.contains(label));
            match one["operator"].as_str() {
                Some("In") => is_listed,
                Some("NotIn") => !is_listed,
                Some("Exists") => label.is_string(),
                Some("DoesNotExist") => !label.is_string(),
                _ => false,
            }
        })
}

impl std::fmt::Display for Eviction {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fate = match self.fate {
            Fate::Gone => "nobody starts it again",
            Fate::Moves => "its controller starts it elsewhere",
        };
        let scratch = if self.loses_scratch_data { ", its emptyDir data is lost" } else { "" };
        write!(formatter, "{}: {fate}{scratch}", self.pod)?;
        match &self.held_by {
            Some(budget) => write!(formatter, "; its disruption budget {budget} lets none go now"),
            None => Ok(()),
        }
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
        let lines: Vec<String> = evictions(&list, &Value::Null).iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "default/bare: nobody starts it again",
                "default/web: its controller starts it elsewhere, its emptyDir data is lost",
            ]
        );
    }

    #[test]
    fn a_budget_that_lets_nobody_go_is_named() {
        let pod = |name: &str, tier: &str| json!({ "metadata": { "namespace": "media", "name": name, "labels": { "app": "web", "tier": tier } } });
        let list = json!({ "items": [pod("a", "gold"), pod("b", "none")] });
        let budget = |name: &str, namespace: &str, allowed: u8, selector: Value| {
            json!({
                "metadata": { "namespace": namespace, "name": name }, "spec": { "selector": selector },
                "status": { "disruptionsAllowed": allowed },
            })
        };
        let gold = json!({ "matchLabels": { "app": "web" }, "matchExpressions": [
            { "key": "tier", "operator": "In", "values": ["gold"] },
            { "key": "tier", "operator": "NotIn", "values": ["none"] },
            { "key": "app", "operator": "Exists" }, { "key": "other", "operator": "DoesNotExist" },
        ] });
        let budgets = json!({ "items": [
            budget("elsewhere", "default", 0, json!({})), budget("generous", "media", 1, json!({})),
            budget("of-nobody", "media", 0, Value::Null), budget("gold", "media", 0, gold),
        ] });
        let held: Vec<_> = evictions(&list, &budgets).into_iter().map(|one| one.held_by).collect();
        assert_eq!(held, [Some("gold".to_owned()), None]);
        let text = evictions(&list, &budgets)[0].to_string();
        assert!(text.ends_with("; its disruption budget gold lets none go now"), "{text}");
        let all = json!({ "items": [budget("all", "media", 0, json!({}))] });
        assert!(evictions(&list, &all).iter().all(|one| one.held_by.is_some()));
    }
}
