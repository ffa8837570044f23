//! `cargo xtask status`: what is not reached is not converged, and drift has a code of its own.

use anyhow::ensure;
use serde_json::Value;
use tests::lab::fleet::{Fleet, ends_with, of_node};
use tests::lab::node::Node;
use tests::programs::{expect, scratch, signalled};

/// On a cluster that stands and is converged.
pub fn tells(fleet: &Fleet<'_>, agent: &Node<'_>) -> anyhow::Result<()> {
    let name = agent.name();
    let (code, answer) = fleet.answer(&["status", "lab"])?;
    ensure!(code == 0 && answer["converged"] == true, "{answer:#}");
    let node = of_node(&answer, name)?;
    // A container has no clock of its own, so that is all it may complain of.
    let health = node["health"].as_str().unwrap_or_default();
    ensure!(node["ready"] == true && (health == "good" || health.starts_with("clock: ")), "{node:#}");
    ensure!(node["k3s"] == tests::lab::k3s::VERSION, "{node:#}");
    agent.said("sh", &["-c", "echo '# by hand' >>/etc/rancher/k3s/config.yaml"])?;
    let said = ends_with(&fleet.xtask(&["status", "all"])?.run()?, 3)?;
    // The file, and the unit that reads it.
    ensure!(said.contains("2 changes"), "{said}");
    agent.said("sh", &["-c", "sed -i '$d' /etc/rancher/k3s/config.yaml && systemctl stop ssh.service"])?;
    let (code, answer) = fleet.answer(&["status", "all"])?;
    let node = of_node(&answer, name)?;
    ensure!(code == 5 && node["reachable"] == false && node["converged"] == Value::Null, "{code}: {node:#}");
    ensure!(of_node(&answer, "server")?["converged"] == true, "{answer:#}");
    agent.said("systemctl", &["start", "ssh.service"])?;
    watched(fleet, agent)
}

/// One run that goes on looking sees what changes meanwhile, a line each time, and ends by ^C.
fn watched(fleet: &Fleet<'_>, agent: &Node<'_>) -> anyhow::Result<()> {
    let folder = scratch()?;
    let lines = folder.path().join("lines");
    let script = format!("exec \"$0\" \"$@\" >'{}'", lines.display());
    let call = fleet.xtask(&["status", "lab", "--watch", "--every", "1", "--json"])?;
    let call = call.wrapped("sh", &["-c", &script]);
    let seen = || std::fs::read_to_string(&lines).unwrap_or_default();
    let documents = |text: String| -> Vec<Value> {
        // The last line may be half there.
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    };
    let shows = |converged: bool| documents(seen()).iter().any(|one| one["converged"] == converged);
    let mut drifts = false;
    let outcome = signalled(&call, "INT", || {
        if shows(true) && !drifts {
            drifts = agent.said("sh", &["-c", "echo '# by hand' >>/etc/rancher/k3s/config.yaml"]).is_ok();
        }
        drifts && shows(false)
    })?;
    expect(&outcome?, 130, &["interrupted"])?;
    ensure!(documents(seen()).len() == seen().lines().count(), "a line is no JSON: {}", seen());
    agent.said("sh", &["-c", "sed -i '$d' /etc/rancher/k3s/config.yaml"]).map(drop)
}
