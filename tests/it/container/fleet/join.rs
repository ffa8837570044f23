//! `cargo xtask join`: from bare machines to a cluster.

use super::{status, trial};
use anyhow::ensure;
use std::collections::BTreeSet;
use tests::lab::Lab;
use tests::lab::fleet::{Fleet, SERVER_SECRET, ends_with, of_node};
use tests::lab::node::Node;
use tests::ring::Trial;

pub fn trials() -> Vec<Trial> {
    vec![trial("join_all_makes_a_cluster_and_again_has_nothing_to_do", join_all)]
}

fn join_all(lab: &Lab) -> anyhow::Result<()> {
    let fleet = Fleet::new(lab)?;
    let server = fleet.machine("server")?;
    let agents = [fleet.machine("worker-1")?, fleet.machine("worker-2")?];
    let output = fleet.xtask(&["join", "all"])?.run()?;
    let first = ends_with(&output, 0)?;
    ensure!(first.contains("3 of 3 converged"), "{first}");
    ensure!(!first.contains(SERVER_SECRET) && !first.contains("K10"), "a secret is told: {first}");
    let nodes = fleet.kubectl(&server, &["get", "nodes"])?;
    let mut found = BTreeSet::new();
    for node in nodes["items"].as_array().into_iter().flatten() {
        let name = node["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let mut conditions = node["status"]["conditions"].as_array().into_iter().flatten();
        ensure!(conditions.any(|one| one["type"] == "Ready" && one["status"] == "True"), "{name}: {node:#}");
        if name == "worker-1" {
            let labels = &node["metadata"]["labels"];
            ensure!(labels["lab.rootstock.test/part"] == "worker", "{labels:#}");
            // FIELD K15: only a server may set this one.
            ensure!(labels["node-role.kubernetes.io/worker"] == "true", "{labels:#}");
            let taints = node["spec"]["taints"].to_string();
            ensure!(taints.contains("lab.rootstock.test/slow"), "{taints}");
        }
        found.insert(name);
    }
    ensure!(found.len() == 3, "{found:?}");
    let (code, answer) = fleet.answer(&["join", "all"])?;
    ensure!(code == 0 && answer["converged"] == true, "{answer:#}");
    for name in ["server", "worker-1", "worker-2"] {
        let node = of_node(&answer, name)?;
        ensure!(
            node["result"] == "nothing-to-do" && node["changes"] == 0 && node["sent-bytes"] == 0,
            "{node:#}"
        );
    }
    alone(&fleet, &agents[1])?;
    status::tells(&fleet, &agents[0])
}

/// One that fails is no reason for the others to fail, and they are no reason to call it converged.
fn alone(fleet: &Fleet<'_>, agent: &Node<'_>) -> anyhow::Result<()> {
    agent.said("systemctl", &["stop", "ssh.service"])?;
    let (code, answer) = fleet.answer(&["join", "all"])?;
    ensure!(code == 1 && answer["converged"] == false, "{answer:#}");
    ensure!(of_node(&answer, "server")?["result"] == "nothing-to-do", "{answer:#}");
    ensure!(
        of_node(&answer, agent.name())?["why"].to_string().contains("no ssh server listens"),
        "{answer:#}"
    );
    agent.said("systemctl", &["start", "ssh.service"]).map(drop)
}
