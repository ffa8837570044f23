//! What goes wrong on a live node besides apt: each is told, and made good by the next join.

use super::at_work::{AtWork, Held, nothing_goes_on, sh};
use super::{is_converged, trial};
use anyhow::{Context as _, ensure};
use host::secret::Secret;
use tests::lab::Lab;
use tests::lab::cluster::{Cluster, READY, join, lay_token};
use tests::lab::node::{Node, wait_for};
use tests::programs::{answering, said};
use tests::ring::Trial;

pub fn trials() -> Vec<Trial> {
    vec![trial("a_refused_or_disturbed_join_tells_why_and_the_next_one_ends", trouble)]
}

/// One cluster for all of it, since making one takes longest.
fn trouble(lab: &Lab) -> anyhow::Result<()> {
    let cluster = Cluster::joined(lab)?;
    let good = cluster.token("1h")?;
    tokens_and_a_unit(&cluster, &good)?;
    at_once_and_interrupted(&cluster, &good)
}

fn fails(node: &Node<'_>, what: &str, code: i32, words: &[&str]) -> anyhow::Result<()> {
    let output = join(node)?;
    ensure!(output.code == code, "{what}: exit {}: {}", output.code, said(&output));
    for word in words {
        ensure!(said(&output).contains(word), "{what}: nothing of `{word}`: {}", said(&output));
    }
    Ok(())
}

/// FIELD K10, K14, and a unit that can't run: the reason, the fix, all else done; then the cure, and one more join.
fn tokens_and_a_unit(cluster: &Cluster<'_>, good: &Secret) -> anyhow::Result<()> {
    // Its time is over before the machine has booted.
    let node = cluster.fresh("worker-1", &cluster.token("1s")?)?;
    let brief = sh(&node, "cat /root/join-token")?;
    let (_, rest) = good.expose().split_once("::").context("a token has a hash")?;
    lay_token(&node, &Secret::new(format!("K10{}::{rest}", "0".repeat(64))))?;
    fails(
        &node,
        "another cluster's token",
        5,
        &["nothing was changed", "the token is for", "of another cluster", "take a token from it"],
    )?;
    ensure!(node.read("/var/lib/rootstock/journal.jsonl").is_err(), "it was changed all the same");
    lay_token(&node, &Secret::new(brief))?;
    let told = ["nothing was changed", "token: ", "it has ended", "k3s token create --ttl 1h"];
    fails(&node, "an expired token", 5, &told)?;
    ensure!(node.read("/var/lib/rootstock/journal.jsonl").is_err(), "it was changed all the same");
    lay_token(&node, good)?;
    // A guard of a person's own, by which systemd gives the unit up for an hour.
    let guard = "mkdir -p /etc/systemd/system/k3s-agent.service.d; cat >/etc/systemd/system/k3s-agent.service.d/60.conf";
    node.call("sh").args(["-c", guard]).stdin(GUARD).run()?;
    let told = [
        "FAILED   unit:k3s-agent.service",
        "its journal ends:",
        "the disk for images is not there",
        "done     secret-file:/etc/rancher/k3s/token",
    ];
    fails(&node, "a unit that fails to start", 1, &told)?;
    sh(&node, "mkdir /srv/images")?;
    ends_ready(cluster, &node)?;
    forgotten(cluster, &node)?;
    taken(cluster, node, good)
}

/// FIELD K8 and K20 as the node itself sees them: its name belongs to a machine that is gone, and the server is down.
fn taken(cluster: &Cluster<'_>, node: Node<'_>, good: &Secret) -> anyhow::Result<()> {
    let name = node.name().to_owned();
    node.destroy()?;
    let node = cluster.fresh(&name, good)?;
    sh(cluster.server(), "systemctl stop k3s.service")?;
    fails(
        &node,
        "a server that is down",
        5,
        &["nothing was changed", "connection refused", "start the server first"],
    )?;
    ensure!(node.read("/var/lib/rootstock/journal.jsonl").is_err(), "it was changed all the same");
    sh(cluster.server(), "systemctl start k3s.service")?;
    cluster.wait_ready(cluster.server())?;
    let told = ["[K8]", "knows another machine by this node's name", "kubectl delete node"];
    fails(&node, "a name that is taken", 1, &told)?;
    // What the fix says, typed on a server, and then the same join again.
    cluster.server().said("kubectl", &["delete", "node", &name])?;
    let secret = format!("{name}.node-password.k3s");
    let forget = ["-n", "kube-system", "delete", "secret", &secret, "--ignore-not-found"];
    cluster.server().said("kubectl", &forget)?;
    ends_ready(cluster, &node)
}

/// A node that the cluster no longer knows has a certificate of a time when it did, with which k3s is stuck (decision 0086).
fn forgotten(cluster: &Cluster<'_>, node: &Node<'_>) -> anyhow::Result<()> {
    cluster.server().said("kubectl", &["delete", "node", node.name()])?;
    sh(node, "systemctl restart --no-block k3s-agent.service")?;
    wait_for("k3s is stuck", READY, || {
        let journal = node.journal("k3s-agent.service", 40)?;
        Ok(journal.contains("with Body length 0").then_some(()))
    })?;
    let told = answering(node.call("bootstrap").arg("doctor")).run()?;
    ensure!(said(&told).contains("client-kubelet.crt"), "doctor says nothing of it: {}", said(&told));
    ends_ready(cluster, node)
}

const GUARD: &str = "[Unit]\nStartLimitIntervalSec=3600\nStartLimitBurst=2\n[Service]\n\
    ExecStartPre=/bin/sh -c '[ -d /srv/images ] || { echo the disk for images is not there >&2; exit 1; }'\n";

fn ends_ready(cluster: &Cluster<'_>, node: &Node<'_>) -> anyhow::Result<()> {
    let output = join(node)?;
    ensure!(
        output.code == 0 && said(&output).contains("converged"),
        "exit {}: {}",
        output.code,
        said(&output)
    );
    cluster.wait_ready(node)?;
    is_converged(node)
}

/// Two joins of one machine, the second in vain; then ^C while k3s starts.
fn at_once_and_interrupted(cluster: &Cluster<'_>, good: &Secret) -> anyhow::Result<()> {
    let node = cluster.fresh("worker-2", good)?;
    let held = Held::new(&node)?;
    let first = AtWork::bootstrap(&node, &["join", "--yes"])?;
    first.until("apt is at work", Held::IS_AT_WORK)?;
    let named = format!("`bootstrap join`, process {}", first.pid);
    fails(&node, "a second join", 7, &["error: ", &named])?;
    // Looking needs no lock.
    let plan = tests::lab::cluster::bootstrap(&node, &["plan", "--detailed-exitcode"])?;
    ensure!(plan.code == 3, "plan: exit {}: {}", plan.code, said(&plan));
    held.let_go()?;
    first.until(
        "k3s starts",
        "systemctl show -p ActiveState k3s-agent.service | grep -qx ActiveState=activating",
    )?;
    first.signal("INT")?;
    first.ends_with(130, &["interrupted"])?;
    nothing_goes_on(&node)?;
    ends_ready(cluster, &node)
}
