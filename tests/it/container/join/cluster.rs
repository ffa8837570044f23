//! A server and two agents joined by the product; then everything that a user would look at.

use super::super::pods;
use super::{is_converged, trial};
use anyhow::{Context as _, ensure};
use std::time::Duration;
use tests::lab::Lab;
use tests::lab::cluster::{Cluster, join};
use tests::lab::node::wait_for;
use tests::programs::said;
use tests::ring::Trial;

/// How long a node may take after its boot.
const BOOT: Duration = Duration::from_secs(180);

pub fn trials() -> Vec<Trial> {
    vec![trial("a_server_and_two_agents_run_pods_and_reboot", a_server_and_two_agents)]
}

fn a_server_and_two_agents(lab: &Lab) -> anyhow::Result<()> {
    let cluster = Cluster::joined(lab)?;
    let token = cluster.token("1h")?;
    let agents = [cluster.fresh("worker-1", &token)?, cluster.fresh("worker-2", &token)?];
    for agent in &agents {
        let output = join(agent)?;
        ensure!(output.code == 0, "join on {} ends with {}: {}", agent.name(), output.code, said(&output));
        cluster.wait_ready(agent)?;
    }
    let nodes = [cluster.server(), &agents[0], &agents[1]];
    for node in nodes {
        is_converged(node)?;
        // The token was used; nobody needs it again, also not to see that the node is as desired.
        node.said("rm", &["-f", "/root/join-token", "/root/server-token"])?;
        is_converged(node)?;
        let second = join(node)?;
        ensure!(second.code == 0 && said(&second).contains("converged"), "{}", said(&second));
    }
    labels(&cluster)?;
    pods::runs_everywhere(cluster.server(), &nodes)?;
    for node in nodes {
        node.restart()?;
        cluster.wait_ready(node)?;
        wait_for(&format!("{} is converged after its boot", node.name()), BOOT, || {
            Ok(is_converged(node).ok())
        })
        .with_context(|| is_converged(node).err().map(|error| error.to_string()).unwrap_or_default())?;
    }
    Ok(())
}

/// The list that was rendered for the cluster is what the cluster says, once it was applied on a server (FIELD K15, K16).
fn labels(cluster: &Cluster<'_>) -> anyhow::Result<()> {
    let script = std::fs::read(cluster.bundle()?.file("cluster/k3s/apply-node-metadata.sh"))?;
    for _ in 0..2 {
        cluster
            .server()
            .call("sh")
            .arg("-s")
            .stdin(script.clone())
            .run()
            .context("apply labels and taints")?;
    }
    for wanted in cluster.model().nodes.values() {
        let found = cluster.kubectl(&["get", "node", wanted.name.as_str()])?;
        for (key, value) in &wanted.labels {
            ensure!(found["metadata"]["labels"][key] == *value, "{}: label {key}: {found:#}", wanted.name);
        }
        let taints = found["spec"]["taints"].to_string();
        for taint in &wanted.taints {
            let key = taint.to_string();
            let key = key.split('=').next().unwrap_or_default();
            ensure!(taints.contains(key), "{}: taint {taint} is not among {taints}", wanted.name);
        }
    }
    Ok(())
}
