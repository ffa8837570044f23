//! Pods of an image that no registry has.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use std::time::Duration;
use tests::lab::airgap::POD_IMAGE;
use tests::lab::node::{Node, wait_for};

/// How long a pod may take: its image is there, so some seconds when idle.
const POD: Duration = Duration::from_secs(180);

/// A pod on each of these nodes, from the images in the bundle alone; each answers from every node.
pub fn runs_everywhere(server: &Node<'_>, nodes: &[&Node<'_>]) -> anyhow::Result<()> {
    for node in nodes {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": format!("pod-{}", node.name()) },
            "spec": {
                "nodeName": node.name(), "automountServiceAccountToken": false,
                "terminationGracePeriodSeconds": 0, "tolerations": [{ "operator": "Exists" }],
                "containers": [{ "name": "pod", "image": POD_IMAGE, "imagePullPolicy": "Never" }],
            },
        });
        // The namespace's own account is made a moment after the cluster.
        wait_for("the cluster takes a pod", POD, || {
            let apply = server.call("kubectl").args(["apply", "-f", "-"]);
            Ok(apply.stdin(pod.to_string()).run().ok())
        })?;
    }
    for node in nodes {
        let name = format!("pod-{}", node.name());
        let address = wait_for(&format!("{name} runs"), POD, || {
            let found: Value =
                serde_json::from_str(&server.said("kubectl", &["get", "pod", &name, "-o", "json"])?)?;
            let is_running = found["status"]["phase"] == "Running";
            Ok(found["status"]["podIP"].as_str().filter(|_| is_running).map(str::to_owned))
        })
        .with_context(|| server.said("kubectl", &["describe", "pod", &name]).unwrap_or_default())?;
        for from in nodes {
            let answer = wait_for(&format!("{name} answers {}", from.name()), POD, || {
                Ok(from.said("curl", &["-s", "-m", "5", &format!("http://{address}:8080/")]).ok())
            })?;
            ensure!(answer.trim() == name, "{name} says `{answer}` to {}", from.name());
        }
    }
    Ok(())
}
