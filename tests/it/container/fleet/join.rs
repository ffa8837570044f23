//! `cargo xtask join`: from bare machines to a cluster.

use super::super::pods;
use super::{status, trial, upgrade};
use anyhow::{Context as _, ensure};
use host::process::Invocation;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
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
    pods::runs_everywhere(&server, &[&server, &agents[0], &agents[1]])?;
    server.said("kubectl", &["delete", "pod", "--all", "--force", "--wait=false"])?;
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
    jumped(&fleet, &agents[0], &agents[1])?;
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

/// A machine that is reached through another, with a key that an agent alone has: the person's ssh knows how.
fn jumped(fleet: &Fleet<'_>, through: &Node<'_>, to: &Node<'_>) -> anyhow::Result<()> {
    let (jump, address) = (fleet.address(through.name())?, fleet.address(to.name())?);
    let rule = ["INPUT", "-p", "tcp", "--dport", "22", "!", "-s", &jump, "-j", "DROP"];
    to.said("iptables", &[&["-I"], &rule[..]].concat())?;
    to.said("rm", &["-r", "/var/cache/rootstock"])?;
    fleet.configure(&format!("Host {address}\n  ProxyJump operator@{jump}\n  ConnectTimeout 20\n"))?;
    let agent = KeyAgent::with(&fleet.at("key"), &fleet.at("agent"))?;
    let call = fleet.xtask(&["join", to.name()])?.arg("--json").env("SSH_AUTH_SOCK", fleet.at("agent"));
    let output = call.run();
    drop(agent);
    let answer: Value = serde_json::from_slice(&output?.stdout)?;
    let node = of_node(&answer, to.name())?;
    ensure!(node["result"] == "nothing-to-do" && node["sent-bytes"].as_u64() > Some(0), "{node:#}");
    fleet.configure("")?;
    to.said("iptables", &[&["-D"], &rule[..]].concat()).map(drop)
}

/// An ssh-agent that has a key, which meanwhile is in no file; its public half stays.
struct KeyAgent {
    process: String,
    key: PathBuf,
}

impl KeyAgent {
    fn with(key: &Path, socket: &Path) -> anyhow::Result<Self> {
        let said = Invocation::new("ssh-agent").arg("-a").arg(socket).run()?.text();
        let process = said.split("SSH_AGENT_PID=").nth(1).and_then(|rest| rest.split(';').next());
        let process = process.context("the agent tells its process")?.to_owned();
        let agent = Self { process, key: key.to_owned() };
        Invocation::new("ssh-add").arg(key).env("SSH_AUTH_SOCK", socket).run()?;
        std::fs::rename(key, key.with_extension("away"))?;
        Ok(agent)
    }
}

impl Drop for KeyAgent {
    fn drop(&mut self) {
        // Either may be done already; the folder goes with the fleet.
        let _ = Invocation::new("kill").arg(&self.process).run();
        let _ = std::fs::rename(self.key.with_extension("away"), &self.key);
    }
}
