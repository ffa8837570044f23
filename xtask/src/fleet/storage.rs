//! What data is on a node and nowhere else.
//!
//! In: Longhorn's replicas and the cluster's persistent volumes, as kubectl's JSON. Out: a sentence for each volume whose
//! data would be lost with the node. Where a list is not there (no Longhorn), there is nothing in it.

use serde_json::Value;
use std::collections::BTreeMap;

/// Volumes whose last healthy replica lies on `node`.
#[must_use]
pub fn last_replicas(replicas: &Value, node: &str) -> Vec<String> {
    let items = replicas["items"].as_array().into_iter().flatten();
    let mut volumes: BTreeMap<&str, (bool, usize)> = BTreeMap::new();
    for replica in items {
        let spec = &replica["spec"];
        let Some(volume) = spec["volumeName"].as_str() else { continue };
        let (is_here, elsewhere) = volumes.entry(volume).or_default();
        let is_set = |key: &str| spec[key].as_str().is_some_and(|text| !text.is_empty());
        // A replica counts as data only once it was whole and has not failed since.
        let is_healthy = is_set("healthyAt") && !is_set("failedAt") && !is_lost(replica);
        if spec["nodeID"] == node {
            *is_here = true;
        } else if is_healthy {
            *elsewhere += 1;
        }
    }
    let last = volumes.into_iter().filter(|(_, (is_here, elsewhere))| *is_here && *elsewhere == 0);
    last.map(|(volume, _)| format!("Longhorn volume {volume} has no healthy replica on another node"))
        .collect()
}

/// States in which a replica's process has no usable data behind it.
fn is_lost(replica: &Value) -> bool {
    matches!(replica["status"]["currentState"].as_str(), Some("error" | "unknown"))
}

/// Bound volumes that are tied to `node` by their affinity: local disks, and paths of the host.
#[must_use]
pub fn tied_volumes(volumes: &Value, node: &str) -> Vec<String> {
    let items = volumes["items"].as_array().into_iter().flatten();
    items.filter(|volume| volume["status"]["phase"] == "Bound" && is_tied(volume, node)).map(told).collect()
}

fn is_tied(volume: &Value, node: &str) -> bool {
    let terms = volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"].as_array();
    terms.into_iter().flatten().any(|term| {
        let expressions = term["matchExpressions"].as_array().into_iter().flatten();
        expressions.into_iter().any(|one| {
            let mut values = one["values"].as_array().into_iter().flatten();
            one["key"] == "kubernetes.io/hostname"
                && one["operator"] == "In"
                && values.any(|value| value == node)
        })
    })
}

fn told(volume: &Value) -> String {
    let spec = &volume["spec"];
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let path = if spec["local"].is_object() { &spec["local"]["path"] } else { &spec["hostPath"]["path"] };
    let place = path.as_str().map_or_else(String::new, |path| format!(" ({path})"));
    format!(
        "volume {} of {}/{} lies on this node alone{place}",
        text(&volume["metadata"]["name"]),
        text(&spec["claimRef"]["namespace"]),
        text(&spec["claimRef"]["name"]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_volume_is_safe_while_a_healthy_replica_is_elsewhere() {
        let replica = |volume: &str, node: &str, healthy: &str, failed: &str, state: &str| {
            json!({
                "spec": { "volumeName": volume, "nodeID": node, "healthyAt": healthy, "failedAt": failed },
                "status": { "currentState": state },
            })
        };
        let list = json!({ "items": [
            replica("safe", "w1", "t", "", "running"), replica("safe", "w2", "t", "", "running"),
            replica("only", "w1", "t", "", "running"),
            replica("failed", "w1", "t", "", "running"), replica("failed", "w2", "t", "t", "stopped"),
            replica("rebuilding", "w1", "t", "", "running"), replica("rebuilding", "w2", "", "", "running"),
            replica("error", "w1", "t", "", "running"), replica("error", "w2", "t", "", "error"),
            replica("elsewhere", "w2", "t", "", "running"),
            // Detached: its replicas are stopped and whole.
            replica("detached", "w1", "t", "", "stopped"), replica("detached", "w2", "t", "", "stopped"),
        ] });
        let names: Vec<String> = last_replicas(&list, "w1")
            .iter()
            .map(|line| line.split_whitespace().nth(2).unwrap().to_owned())
            .collect();
        assert_eq!(names, ["error", "failed", "only", "rebuilding"]);
        assert!(last_replicas(&Value::Null, "w1").is_empty());
    }

    #[test]
    fn a_bound_volume_of_this_node_is_named() {
        let volume = |name: &str, node: &str, phase: &str| {
            json!({
                "metadata": { "name": name },
                "spec": {
                    "local": { "path": "/srv/data" }, "claimRef": { "namespace": "media", "name": "library" },
                    "nodeAffinity": { "required": { "nodeSelectorTerms": [{ "matchExpressions": [
                        { "key": "kubernetes.io/hostname", "operator": "In", "values": [node] }] }] } },
                },
                "status": { "phase": phase },
            })
        };
        let list = json!({ "items": [
            volume("here", "w1", "Bound"), volume("there", "w2", "Bound"), volume("free", "w1", "Available"),
        ] });
        assert_eq!(
            tied_volumes(&list, "w1"),
            ["volume here of media/library lies on this node alone (/srv/data)"]
        );
    }
}
