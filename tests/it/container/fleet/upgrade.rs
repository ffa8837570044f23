//! `cargo xtask join --drain`: another k3s for every node of a cluster that is at work.

use anyhow::ensure;
use serde_json::{Value, json};
use std::time::Duration;
use tests::lab::airgap::POD_IMAGE;
use tests::lab::fleet::{Fleet, ends_with, of_node};
use tests::lab::k3s::{NEWER, VERSION};
use tests::lab::node::{Node, wait_for};

const LONGEST: Duration = Duration::from_secs(240);
const MARK: &str = "rootstock/drained-for";

/// From a cluster of [`VERSION`] to one of [`NEWER`], with a pod that somebody uses.
pub(super) fn upgraded(fleet: &mut Fleet<'_>, server: &Node<'_>) -> anyhow::Result<()> {
    web(server)?;
    running_on(fleet, server, Some("worker-2"))?;
    // A person keeps new pods away from this one, for reasons of their own.
    server.said("kubectl", &["cordon", "worker-1"])?;
    fleet.take_newer()?;
    let said = as_the_guide_has_it(fleet)?;
    for part in [
        &format!("k3s goes from {VERSION} to {NEWER}"),
        "evicts default/web-",
        "its controller starts it elsewhere",
        "it takes pods again",
        "3 of 3 converged",
    ] {
        ensure!(said.contains(part), "nothing is said of `{part}`: {said}");
    }
    let nodes = fleet.kubectl(server, &["get", "nodes"])?;
    for node in nodes["items"].as_array().into_iter().flatten() {
        let name = &node["metadata"]["name"];
        ensure!(node["status"]["nodeInfo"]["kubeletVersion"] == NEWER, "{name} runs another k3s: {node:#}");
        ensure!((node["spec"]["unschedulable"] == true) == (name == "worker-1"), "cordoned or not: {node:#}");
        ensure!(node["metadata"]["annotations"][MARK].is_null(), "its mark is left: {node:#}");
    }
    running_on(fleet, server, None)?;
    server.said("kubectl", &["uncordon", "worker-1"])?;
    cut_off(fleet, server)
}

/// The commands of the guide's page, with the lab's cluster in the place of the page's.
fn as_the_guide_has_it(fleet: &Fleet<'_>) -> anyhow::Result<String> {
    let page = std::fs::read_to_string(tests::repository().join("docs/guide/renew-k3s.md"))?;
    let blocks = tests::documents::blocks(&page)?;
    ensure!(blocks.len() == 1 && blocks[0].script.contains("--drain"), "{blocks:?}");
    ends_with(&fleet.typed(&blocks[0].script.replace("homelab", "lab"))?.run()?, 0)
}

/// A run that was cut off after it had emptied a node: the next one gives the node back.
fn cut_off(fleet: &Fleet<'_>, server: &Node<'_>) -> anyhow::Result<()> {
    server.said("kubectl", &["annotate", "node", "worker-2", &format!("{MARK}={NEWER}")])?;
    server.said("kubectl", &["cordon", "worker-2"])?;
    let (code, answer) = fleet.answer(&["join", "all"])?;
    ensure!(code == 0 && answer["converged"] == true, "{answer:#}");
    for name in ["server", "worker-1", "worker-2"] {
        ensure!(of_node(&answer, name)?["result"] == "nothing-to-do", "{answer:#}");
    }
    let node = fleet.kubectl(server, &["get", "node", "worker-2"])?;
    ensure!(node["spec"]["unschedulable"].is_null(), "it is still cordoned: {node:#}");
    ensure!(node["metadata"]["annotations"][MARK].is_null(), "its mark is left: {node:#}");
    Ok(())
}

/// A pod that would rather be on the second agent.
fn web(server: &Node<'_>) -> anyhow::Result<()> {
    let wish = json!({ "weight": 100, "preference": { "matchExpressions": [
        { "key": "kubernetes.io/hostname", "operator": "In", "values": ["worker-2"] }] } });
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" },
        "spec": { "selector": { "matchLabels": { "app": "web" } }, "template": {
            "metadata": { "labels": { "app": "web" } },
            "spec": {
                "automountServiceAccountToken": false, "terminationGracePeriodSeconds": 0,
                "affinity": { "nodeAffinity": { "preferredDuringSchedulingIgnoredDuringExecution": [wish] } },
                "containers": [{ "name": "web", "image": POD_IMAGE, "imagePullPolicy": "Never" }],
            },
        } },
    });
    wait_for("the cluster takes a deployment", LONGEST, || {
        let apply = server.call("kubectl").args(["apply", "-f", "-"]);
        Ok(apply.stdin(deployment.to_string()).run().ok().map(drop))
    })
}

fn running_on(fleet: &Fleet<'_>, server: &Node<'_>, node: Option<&str>) -> anyhow::Result<()> {
    wait_for("the pod runs", LONGEST, || {
        let pods = fleet.kubectl(server, &["get", "pods", "-l", "app=web"])?;
        let is_wanted = |pod: &&Value| {
            pod["status"]["phase"] == "Running" && node.is_none_or(|node| pod["spec"]["nodeName"] == node)
        };
        Ok(pods["items"].as_array().into_iter().flatten().find(is_wanted).map(drop))
    })
}
