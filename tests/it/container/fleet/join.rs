//! `cargo xtask join`: from bare machines to a cluster.

use super::{status, trial, upgrade};
use anyhow::{Context as _, ensure};
use std::collections::BTreeSet;
use tests::lab::Lab;
use tests::lab::fleet::{Fleet, SERVER_SECRET, ends_with, of_node};
use tests::lab::node::Node;
use tests::ring::Trial;

pub fn trials() -> Vec<Trial> {
    vec![trial("join_all_makes_a_cluster_keeps_it_and_renews_its_k3s", join_all)]
}

fn join_all(lab: &Lab) -> anyhow::Result<()> {
    let mut fleet = Fleet::new(lab)?;
    let server = fleet.machine("server")?;
    let agents = [fleet.machine("worker-1")?, fleet.machine("worker-2")?];
    let first = as_the_guide_has_it(&fleet)?;
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
    status::tells(&fleet, &agents[0])?;
    upgrade::upgraded(&mut fleet, &server)
}

/// The commands of the guide's page from building on, with the lab's cluster in the place of the page's; the describing
/// before them is typed by the static ring.
fn as_the_guide_has_it(fleet: &Fleet<'_>) -> anyhow::Result<String> {
    let page = std::fs::read_to_string(tests::repository().join("docs/guide/first-cluster.md"))?;
    let mut said = String::new();
    let mut verbs = Vec::new();
    for block in tests::documents::blocks(&page)?.into_iter().filter(|block| block.skipped.is_some()) {
        let script = block.script.replace("first", "lab");
        let output = fleet.typed(&script)?.run().with_context(|| format!("line {}: {script}", block.line))?;
        said.push_str(&ends_with(&output, 0)?);
        verbs.push(script.split(' ').nth(2).unwrap_or_default().to_owned());
    }
    ensure!(verbs == ["build-images", "join", "status"], "the page types {verbs:?}");
    Ok(said)
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
