//! `cargo xtask replace`: a machine that died, another in its place, under the same name.

use super::trial;
use anyhow::{Context as _, ensure};
use host::process::Invocation;
use serde_json::{Value, json};
use std::time::Duration;
use tests::lab::Lab;
use tests::lab::fleet::{Fleet, ends_with, of_node};
use tests::lab::node::{Node, wait_for};
use tests::ring::{Trial, say};

pub fn trials() -> Vec<Trial> {
    vec![trial("a_dead_node_is_replaced_under_its_name", replace)]
}

const NODE: &str = "worker-1";

fn replace(lab: &Lab) -> anyhow::Result<()> {
    let fleet = Fleet::new(lab)?;
    let server = fleet.machine("server")?;
    let agent = fleet.machine(NODE)?;
    ends_with(&fleet.xtask(&["join", "server", NODE])?.run()?, 0)?;
    let first = fleet.xtask(&["replace", "server", "--yes"])?.run()?;
    ensure!(
        ends_with(&first, 7)?.contains("it is the first server"),
        "the first server is no node like others"
    );
    agent.destroy()?;
    let agent = fleet.stranger(NODE)?;
    // S: somebody else answers where the machine was, until a person says that it is right.
    let said = ends_with(&fleet.xtask(&["replace", NODE, "--yes"])?.run()?, 1)?;
    ensure!(said.contains("host key is not the one that is known"), "{said}");
    fleet.know(NODE)?;
    let (_, answer) = fleet.answer(&["join", NODE])?;
    let refused = of_node(&answer, NODE)?;
    // FIELD K8, seen from the desk before k3s on the node starts and is rejected for ever.
    ensure!(refused["why"].to_string().contains("[K8]"), "{refused:#}");
    ensure!(refused["fix"].to_string().contains("cargo xtask replace worker-1"), "{refused:#}");
    losses(&fleet, &server)?;
    let said = ends_with(&fleet.xtask(&["replace", NODE])?.run()?, 7)?;
    ensure!(said.contains("default/lonely: nobody starts it again"), "{said}");
    ensure!(said.contains("nothing was changed") && said.contains("--yes"), "{said}");
    let object = fleet.kubectl(&server, &["get", "node", NODE])?["metadata"]["uid"].clone();
    killed_after_each_step(&fleet)?;
    let said = ends_with(&fleet.xtask(&["replace", NODE, "--yes"])?.run()?, 0)?;
    ensure!(said.contains("going on with the replacement") && said.contains("cordon: done before"), "{said}");
    ensure!(said.contains("mine=yes"), "a person's label is not told: {said}");
    let found = fleet.kubectl(&server, &["get", "node", NODE])?;
    ensure!(found["metadata"]["uid"] != object, "it is the same object");
    let labels = &found["metadata"]["labels"];
    ensure!(labels["node-role.kubernetes.io/worker"] == "true" && labels["mine"].is_null(), "{labels:#}");
    ensure!(found["spec"]["unschedulable"].is_null(), "it is still cordoned");
    let (code, answer) = fleet.answer(&["join", "server", NODE])?;
    ensure!(code == 0 && of_node(&answer, NODE)?["result"] == "nothing-to-do", "{answer:#}");
    locked_name(&fleet, &server, agent)
}

/// Data that is on the node alone is a refusal, by a real API's own objects.
fn losses(fleet: &Fleet<'_>, server: &Node<'_>) -> anyhow::Result<()> {
    let apply = |object: Value| -> anyhow::Result<()> {
        server.call("kubectl").args(["apply", "-f", "-"]).stdin(object.to_string()).run()?;
        Ok(())
    };
    server.said("kubectl", &["label", "node", NODE, "mine=yes"])?;
    apply(json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "lonely", "namespace": "default" },
        "spec": { "nodeName": NODE, "containers": [{ "name": "main", "image": "none.invalid/none" }] },
    }))?;
    let claim = json!({ "accessModes": ["ReadWriteOnce"], "storageClassName": "", "volumeName": "library",
                        "resources": { "requests": { "storage": "1Mi" } } });
    apply(json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": { "name": "library" },
        "spec": {
            "capacity": { "storage": "1Mi" }, "accessModes": ["ReadWriteOnce"], "storageClassName": "",
            "local": { "path": "/srv/library" },
            "nodeAffinity": { "required": { "nodeSelectorTerms": [{ "matchExpressions": [
                { "key": "kubernetes.io/hostname", "operator": "In", "values": [NODE] }] }] } },
        },
    }))?;
    apply(json!({ "apiVersion": "v1", "kind": "PersistentVolumeClaim",
                  "metadata": { "name": "library", "namespace": "default" }, "spec": claim }))?;
    wait_for("the volume is bound", Duration::from_secs(60), || {
        let volume = fleet.kubectl(server, &["get", "pv", "library"])?;
        Ok((volume["status"]["phase"] == "Bound").then_some(()))
    })?;
    let said = ends_with(&fleet.xtask(&["replace", NODE, "--yes"])?.run()?, 7)?;
    ensure!(said.contains("volume library of default/library lies on this node alone"), "{said}");
    let node = fleet.kubectl(server, &["get", "node", NODE])?;
    ensure!(node["spec"]["unschedulable"].is_null(), "it was cordoned before it was refused");
    server.said("kubectl", &["delete", "pvc", "library"])?;
    server.said("kubectl", &["delete", "pv", "library"]).map(drop)
}

/// Killed as soon as each of its steps is noted; every run goes on where the one before was.
fn killed_after_each_step(fleet: &Fleet<'_>) -> anyhow::Result<()> {
    const STEPS: [&str; 8] =
        ["agreed", "cordoned", "drained", "left", "deleted", "forgotten", "joined", "labelled"];
    let journal = fleet.out().join(".fleet/replace-lab-worker-1.jsonl");
    let note = fleet.at("pid");
    let call = fleet.xtask(&["replace", NODE, "--yes"])?;
    let script = format!("echo $$ >'{}'; exec {}", note.display(), call.line());
    let path = format!("{}:{}", fleet.at("bin").display(), std::env::var("PATH").context("there is a PATH")?);
    let call = Invocation::new("sh").args(["-c", &script]).env("PATH", path).folder(tests::repository());
    let call = call.timeout(Duration::from_secs(600));
    let mut killed = Vec::new();
    for step in STEPS {
        let is_noted = || std::fs::read_to_string(&journal).unwrap_or_default().contains(step);
        if is_noted() {
            continue;
        }
        std::thread::scope(|scope| {
            let run = scope.spawn(|| call.run());
            wait_for(&format!("it notes `{step}`"), Duration::from_secs(300), || {
                Ok((run.is_finished() || is_noted()).then_some(()))
            })?;
            ensure!(!run.is_finished(), "it ended before it could be killed: {:?}", run.join());
            Invocation::new("kill").args(["-KILL", std::fs::read_to_string(&note)?.trim()]).run()?;
            anyhow::Ok(())
        })?;
        killed.push(step);
    }
    say(&format!("killed after {}", killed.join(", ")));
    ensure!(killed.len() >= 4, "it was killed only after {killed:?}");
    Ok(())
}

/// A first join that failed leaves a password without a node; that name is free again after `replace` too.
fn locked_name(fleet: &Fleet<'_>, server: &Node<'_>, agent: Node<'_>) -> anyhow::Result<()> {
    agent.destroy()?;
    // k3s deletes the password with the node, so the lock is made as a failed join makes it.
    server.said("kubectl", &["delete", "node", NODE])?;
    let secret = "worker-1.node-password.k3s";
    wait_for("k3s forgets the name", Duration::from_secs(60), || {
        Ok(server.said("kubectl", &["-n", "kube-system", "get", "secret", secret]).err().map(drop))
    })?;
    let make = ["-n", "kube-system", "create", "secret", "generic", secret, "--from-literal=hash=other"];
    server.said("kubectl", &make)?;
    let _agent = fleet.stranger(NODE)?;
    fleet.know(NODE)?;
    let said = as_the_guide_has_it(fleet)?;
    ensure!(said.contains("the cluster has no such node"), "{said}");
    Ok(())
}

/// Every command of the guide's page, with the lab's cluster in the place of the page's.
fn as_the_guide_has_it(fleet: &Fleet<'_>) -> anyhow::Result<String> {
    let page = std::fs::read_to_string(tests::repository().join("docs/guide/replace-a-node.md"))?;
    let blocks = tests::documents::blocks(&page)?;
    ensure!(
        blocks.len() == 2 && blocks.iter().any(|block| block.script.contains("xtask replace")),
        "{blocks:?}"
    );
    let mut said = String::new();
    for block in blocks {
        let script = block.script.replace("homelab", "lab");
        let output = fleet.typed(&script)?.run().with_context(|| format!("line {}: {script}", block.line))?;
        said.push_str(&ends_with(&output, 0)?);
    }
    Ok(said)
}
