//! A join that is killed with SIGKILL again and again, and goes on each time.

use super::{is_converged, trial};
use anyhow::ensure;
use tests::lab::Lab;
use tests::lab::cluster::{Cluster, join};
use tests::lab::node::{Node, STICK};
use tests::lab::snapshot::{self, Snapshot};
use tests::node::difference;
use tests::programs::said;
use tests::ring::Trial;

/// Moments at which it is killed: as soon as the journal has one line more than at the last one.
const KILLS: usize = 12;
/// What two joins of one machine never have in common, or what only one of them still has to hold.
const OWN: [&str; 15] = [
    "/etc/machine-id",
    "/etc/rancher/node",
    "/etc/rancher/k3s/token",
    "/etc/ssh",
    "/root",
    "/run",
    "/tmp",
    "/var/cache",
    "/var/lib/apt",
    "/var/lib/dpkg",
    "/var/lib/kubelet",
    "/var/lib/rancher/k3s/agent",
    "/var/lib/rootstock",
    "/var/log",
    "/var/tmp",
];

pub fn trials() -> Vec<Trial> {
    vec![trial("killed_a_dozen_times_it_becomes_the_same_node", killed)]
}

fn killed(lab: &Lab) -> anyhow::Result<()> {
    let cluster = Cluster::joined(lab)?;
    let token = cluster.token("1h")?;
    let whole = cluster.fresh("worker-2", &token)?;
    let joined = join(&whole)?;
    ensure!(joined.code == 0, "{}", said(&joined));
    cluster.wait_ready(&whole)?;
    let expected = kept(&snapshot::take(&whole)?);
    whole.destroy()?;
    cluster.server().said("kubectl", &["delete", "node", "worker-2"])?;
    let node = cluster.fresh("worker-2", &token)?;
    let mut lines = Vec::new();
    for _ in 0..KILLS {
        lines.push(kill_at(&node, lines.last().map_or(1, |last| last + 1))?);
    }
    ensure!(lines.iter().filter(|lines| **lines > 0).count() >= 10, "killed at too few moments: {lines:?}");
    let joined = join(&node)?;
    ensure!(joined.code == 0, "the join that may end: {}", said(&joined));
    cluster.wait_ready(&node)?;
    is_converged(&node)?;
    let found = kept(&snapshot::take(&node)?);
    ensure!(expected == found, "{}", difference(&expected, &found));
    Ok(())
}

/// Starts a join and kills it, and it alone, once its journal has `lines` lines; gives how many it had.
fn kill_at(node: &Node<'_>, lines: usize) -> anyhow::Result<usize> {
    let script = format!(
        "{STICK}/bootstrap join --yes >/tmp/said 2>&1 & pid=$!\n\
         count() {{ wc -l </var/lib/rootstock/journal.jsonl 2>/dev/null || echo 0; }}\n\
         while [ $(count) -lt {lines} ] && kill -0 $pid 2>/dev/null; do sleep 0.005; done\n\
         kill -9 $pid 2>/dev/null; wait $pid; [ $? = 137 ] && count || {{ cat /tmp/said >&2; echo 0; }}"
    );
    let said = node.said("sh", &["-c", &script])?;
    Ok(said.trim().lines().last().and_then(|count| count.parse().ok()).unwrap_or(0))
}

fn kept(snapshot: &Snapshot) -> Snapshot {
    let is_own = |name: &str| {
        let Some((kind, path)) = name.split_once(' ') else { return false };
        let is_file = matches!(kind, "file" | "content");
        !is_file
            || OWN.iter().any(|place| {
                path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
    };
    let of = snapshot.iter().filter(|(name, _)| !is_own(name));
    of.map(|(name, how)| (name.clone(), how.clone())).collect()
}
