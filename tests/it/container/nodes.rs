//! The lab's own machines: they boot, are told apart, and a real k3s takes what we render.

use anyhow::{Context as _, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use tests::lab::cluster::Cluster;
use tests::lab::node::{Network, Node, Options, Release, wait_for};
use tests::lab::{Lab, Need};
use tests::ring::{Ring, Trial};

pub fn trials() -> Vec<Trial> {
    let trial = |name: &str, body: fn(&Lab) -> anyhow::Result<()>, needs: &[Need]| {
        Trial::new(Ring::Container, format!("nodes::{name}"), body).needs(&[Need::Engine]).needs(needs)
    };
    vec![
        trial("debian_13_boots_restarts_and_is_forgotten", |lab| boots(lab, Release::Trixie), &[Need::Node]),
        trial(
            "debian_12_boots_restarts_and_is_forgotten",
            |lab| boots(lab, Release::Bookworm),
            &[Need::OlderNode],
        ),
        trial("k3s_takes_what_we_render", server_and_agent, &[Need::Node, Need::K3s]),
        trial("k3s_says_why_a_node_is_refused", refused, &[Need::Node, Need::K3s]),
    ]
}

/// What is done to it survives what a disk survives, and no more; the machine under it is left alone.
fn boots(lab: &Lab, release: Release) -> anyhow::Result<()> {
    let foreign_programs = foreign_programs();
    let network = Network::new(lab.engine())?;
    let options = || Options { release, address: Some(network.address(20)), ..Options::default() };
    let node = Node::start(lab, "lab-node", &network, &options())?;
    let os = node.read("/etc/os-release")?;
    ensure!(os.contains(&format!("VERSION_CODENAME={}", release.codename())), "{os}");
    // As a person would change it: written beside and renamed over.
    let hosts = "sed -i '$a 198.19.0.1 of-a-person' /etc/hosts && hostnamectl --static hostname";
    ensure!(node.said("sh", &["-c", hosts])?.trim() == "lab-node", "its name is not its own");
    node.said("sh", &["-c", "echo kept >/root/mark; echo gone >/run/mark; sync"])?;
    ensure!(node.said("ssh-keyscan", &["-T", "5", "lab-node"])?.contains("ssh-ed25519"), "no sshd answers");
    for boot in [Node::restart, Node::power_cycle] {
        boot(&node)?;
        ensure!(node.read("/root/mark")?.trim() == "kept", "its disk forgot");
        ensure!(node.read("/run/mark").is_err(), "its memory did not forget");
        ensure!(node.read("/etc/hosts")?.contains("of-a-person"), "an edited /etc/hosts is lost by booting");
    }
    let other = Node::start(lab, "other", &network, &Options { release, ..Options::default() })?;
    let found = other.said("getent", &["ahostsv4", "lab-node"])?;
    ensure!(found.contains(&network.address(20).to_string()), "{found}");
    let keys = |node: &Node<'_>| node.read("/etc/ssh/ssh_host_ed25519_key.pub");
    ensure!(keys(&node)? != keys(&other)?, "two nodes have one key");
    node.destroy()?;
    let again = Node::start(lab, "lab-node", &network, &options())?;
    ensure!(again.read("/root/mark").is_err(), "a new machine remembers the old one");
    again.destroy()?;
    // Without the masks, the first node that stops takes them all away.
    ensure!(
        self::foreign_programs() == foreign_programs,
        "a node changed this machine's table of foreign programs"
    );
    Ok(())
}

fn foreign_programs() -> Vec<String> {
    let table = std::fs::read_dir("/proc/sys/fs/binfmt_misc").into_iter().flatten().flatten();
    let mut names: Vec<_> = table.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Server and agents from our files; then everything that the model wants is asked of the cluster itself.
fn server_and_agent(lab: &Lab) -> anyhow::Result<()> {
    let cluster = Cluster::start(lab)?;
    let token = cluster.token("1h")?;
    let agents = [cluster.agent("worker-1", &token)?, cluster.agent("worker-2", &token)?];
    for agent in &agents {
        cluster.wait_ready(agent)?;
    }
    for wanted in cluster.model().nodes.values() {
        let found = cluster.kubectl(&["get", "node", wanted.name.as_str()])?;
        agrees(&found, wanted).with_context(|| format!("{}: {found:#}", wanted.name))?;
    }
    let set = cluster.kubectl(&["get", "--raw", "/api/v1/nodes/server/proxy/configz"])?;
    let kubelet = &set["kubeletconfig"];
    // FIELD K34: the drop-in is read, by the kubelet itself.
    ensure!(kubelet["systemReserved"]["memory"] == "64Mi", "{kubelet:#}");
    let evicts = &kubelet["evictionHard"];
    ensure!(evicts["memory.available"] == "32Mi", "{kubelet:#}");
    // k3s has 5% of its own for this one, and the two are merged key by key.
    ensure!(evicts["imagefs.available"] == "16Mi", "{kubelet:#}");
    // FIELD S1, S4, K33: nobody reads the token who is not root, and nothing shows it.
    for node in agents.iter().chain([cluster.server()]) {
        ensure!(
            node.said("stat", &["-c", "%a %U", "/etc/rancher/k3s/token"])? == "600 root",
            "{}",
            node.name()
        );
        let shown =
            node.said("ps", &["-eo", "args"])? + &cluster.kubectl(&["get", "node", node.name()])?.to_string();
        let secret = node.read("/etc/rancher/k3s/token")?;
        ensure!(!shown.contains(secret.trim()), "{} shows its token", node.name());
    }
    // The cluster's word alone is stale for a minute after a boot: the lease must be renewed by the new kubelet.
    let lease = || lease(&cluster, "worker-2");
    let limit = Duration::from_secs(120);
    let before = wait_for("worker-2 has a lease", limit, || Ok(lease()))?;
    agents[1].restart()?;
    cluster.wait_ready(&agents[1])?;
    wait_for("worker-2 renews its lease", limit, || Ok(lease().filter(|now| *now != before).map(|_| ())))
}

/// When a node last said that it lives; a node that has just registered may not have said so yet.
fn lease(cluster: &Cluster<'_>, name: &str) -> Option<String> {
    let lease = cluster.kubectl(&["get", "lease", "-n", "kube-node-lease", name]).ok()?;
    Some(lease["spec"]["renewTime"].as_str()?.to_owned())
}

fn agrees(found: &Value, wanted: &blueprint::model::Node) -> anyhow::Result<()> {
    let labels: BTreeMap<String, String> = serde_json::from_value(found["metadata"]["labels"].clone())?;
    for (key, value) in &wanted.labels {
        // FIELD K15: had we sent it, the agent would have exited; it is set from a server.
        let registered = (!key.starts_with("node-role.kubernetes.io/")).then_some(value);
        ensure!(labels.get(key) == registered, "label {key}");
    }
    let taints: Vec<String> = found["spec"]["taints"].as_array().into_iter().flatten().map(taint).collect();
    for wanted in &wanted.taints {
        ensure!(taints.contains(&wanted.to_string()), "taint {wanted} is not among {taints:?}");
    }
    let addresses = found["status"]["addresses"].as_array().context("a node has addresses")?;
    let internal = addresses.iter().find(|address| address["type"] == "InternalIP");
    ensure!(internal.is_some_and(|found| found["address"] == wanted.address.to_string()), "address");
    let version = found["status"]["nodeInfo"]["kubeletVersion"].as_str();
    ensure!(version == Some(tests::lab::k3s::VERSION), "version {version:?}");
    Ok(())
}

fn taint(found: &Value) -> String {
    let text = |key: &str| found[key].as_str().unwrap_or_default();
    format!("{}={}:{}", text("key"), text("value"), text("effect"))
}

/// FIELD K8, K10, K14: they look alike from outside (the unit is "activating"), and only the journal tells them apart.
fn refused(lab: &Lab) -> anyhow::Result<()> {
    let cluster = Cluster::start(lab)?;
    let good = cluster.token("1h")?;
    let says = |node: &Node<'_>, reason: &str| {
        wait_for(&format!("the journal says `{reason}`"), Duration::from_secs(120), || {
            let journal = node.journal("k3s-agent.service", 200)?;
            Ok(journal.contains(reason).then_some(()))
        })
        .with_context(|| node.journal("k3s-agent.service", 20).unwrap_or_default())
    };
    // FIELD K10: the token of another cluster.
    let (_, rest) = good.expose().split_once("::").context("a token has a hash")?;
    let foreign = host::secret::Secret::new(format!("K10{}::{rest}", "0".repeat(64)));
    let node = cluster.agent("worker-1", &foreign)?;
    says(&node, "token CA hash does not match the Cluster CA certificate hash")?;
    node.destroy()?;
    // FIELD K14: expired.
    let brief = cluster.token("1s")?;
    std::thread::sleep(Duration::from_secs(2));
    let node = cluster.agent("worker-1", &brief)?;
    says(&node, "not authorized")?;
    node.destroy()?;
    // FIELD K8: the same name on a new machine.
    let node = cluster.agent("worker-2", &good)?;
    cluster.wait_ready(&node)?;
    node.destroy()?;
    let node = cluster.agent("worker-2", &good)?;
    says(&node, "Node password rejected, duplicate hostname")?;
    let state = node.call("systemctl").args(["is-active", "k3s-agent.service"]).accept([0, 3]).run()?.text();
    ensure!(state == "activating", "a refused agent is {state}");
    cluster.server().said("kubectl", &["delete", "node", "worker-2", "--wait=false"])?;
    cluster.wait_ready(&node).map(|_| ())
}
