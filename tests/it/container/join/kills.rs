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

/// How often it is killed, each time as soon as its journal has a line more than at the last one.
const KILLS: usize = 12;
/// How often a run may come to its end before it is killed; another machine goes on then.
const ENDS: usize = 6;
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
    let mut node = cluster.fresh("worker-2", &token)?;
    let (mut kills, mut ends, mut lines) = (0, 0, 0);
    while kills < KILLS {
        if let Some(had) = kill_at(&node, lines + 1)? {
            (kills, lines) = (kills + 1, had);
            continue;
        }
        (ends, lines) = (ends + 1, 0);
        ensure!(ends < ENDS, "it came to its end {ends} times, and was killed {kills} times");
        node.destroy()?;
        cluster.server().said("kubectl", &["delete", "node", "worker-2"])?;
        node = cluster.fresh("worker-2", &token)?;
    }
    let joined = join(&node)?;
    ensure!(joined.code == 0, "the join that may end: {}", said(&joined));
    cluster.wait_ready(&node)?;
    is_converged(&node)?;
    let found = kept(&snapshot::take(&node)?);
    ensure!(expected == found, "{}", difference(&expected, &found));
    Ok(())
}

/// Starts a join and kills it, and it alone, once its journal has `lines` lines; gives how many it had, or nothing if it had
/// come to its end.
fn kill_at(node: &Node<'_>, lines: usize) -> anyhow::Result<Option<usize>> {
    // The shell counts by itself: a program started for it would be late.
    let script = format!(
        "journal=/var/lib/rootstock/journal.jsonl
        count() {{ n=0; [ ! -e $journal ] || while read -r _; do n=$((n+1)); done <$journal; }}
        {STICK}/bootstrap join --yes >/tmp/said 2>&1 & pid=$!
        count; while [ $n -lt {lines} ] && kill -0 $pid 2>/dev/null; do count; done
        kill -9 $pid 2>/dev/null; wait $pid; code=$?; count
        case $code in 137) echo killed at $n;; 0) echo ended;; *) cat /tmp/said >&2; exit 1;; esac"
    );
    let said = node.said("sh", &["-c", &script])?;
    match said.trim().rsplit('\n').next().and_then(|line| line.strip_prefix("killed at ")) {
        Some(count) => Ok(Some(count.parse()?)),
        None => Ok(None),
    }
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
