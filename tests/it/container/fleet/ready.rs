//! A node whose connection breaks while it joins, and which is replaced while it is Ready and at work.

use super::trial;
use anyhow::{Context as _, ensure};
use host::process::{Invocation, Output};
use serde_json::{Value, json};
use std::time::Duration;
use tests::lab::Lab;
use tests::lab::airgap::POD_IMAGE;
use tests::lab::fleet::{Fleet, ends_with, of_node};
use tests::lab::node::{Node, wait_for};
use tests::programs::answering;
use tests::ring::Trial;

/// With labels and a taint.
const NODE: &str = "worker-1";
const LONGEST: Duration = Duration::from_secs(240);

pub fn trials() -> Vec<Trial> {
    vec![trial("a_broken_connection_and_a_replacement_at_work", both)]
}

/// One cluster for both, since making one takes longest.
fn both(lab: &Lab) -> anyhow::Result<()> {
    let fleet = Fleet::new(lab)?;
    let server = fleet.machine("server")?;
    let node = fleet.machine(NODE)?;
    ends_with(&fleet.xtask(&["join", "server"])?.run()?, 0)?;
    broken(&fleet, &node)?;
    by_hand(&fleet, &node)?;
    longhorn(&fleet, &server)?;
    replaced(&fleet, &server, &node)?;
    forced(&fleet, &server)
}

fn on(node: &Node<'_>, script: &str) -> anyhow::Result<String> {
    node.said("sh", &["-ec", script])
}

/// apt-get waits before dpkg for as long as a file lies there.
fn hold_apt(node: &Node<'_>) -> anyhow::Result<()> {
    let wait = "touch /run/apt-at-work; while [ -e /run/apt-hold ]; do sleep 0.05; done";
    let hook = format!("printf 'DPkg::Pre-Invoke {{ \"{wait}\"; }};\\n' >/etc/apt/apt.conf.d/99-held");
    on(node, &format!("rm -f /run/apt-at-work; touch /run/apt-hold; {hook}")).map(drop)
}

fn is_at_work(node: &Node<'_>) -> bool {
    on(node, "test -e /run/apt-at-work && pgrep -f '[b]ootstrap.* join|[.]run join'").is_ok()
}

/// Every session of ssh ends, without a word to anybody.
fn cut(node: &Node<'_>) -> anyhow::Result<()> {
    wait_for("a connection is cut", Duration::from_secs(60), || {
        Ok(on(node, "pkill -KILL -f '[s]shd(-session)?: operator'").ok().map(drop))
    })
}

/// Runs `call` and `meanwhile` side by side.
fn beside(call: &Invocation, meanwhile: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Output> {
    std::thread::scope(|scope| {
        let run = scope.spawn(|| call.run());
        let done = meanwhile();
        let output = run.join().map_err(|_| anyhow::anyhow!("the run panicked"))?;
        done.with_context(|| format!("{:?}", output.as_ref().map(tests::programs::said)))?;
        Ok(output?)
    })
}

/// What was begun over there goes on, and the desk waits for it and tells how it ended.
fn broken(fleet: &Fleet<'_>, node: &Node<'_>) -> anyhow::Result<()> {
    hold_apt(node)?;
    let call = fleet.xtask(&["join", NODE])?.arg("--json");
    let output = beside(&call, || {
        wait_for("apt is at work", LONGEST, || Ok(is_at_work(node).then_some(())))?;
        cut(node)?;
        std::thread::sleep(Duration::from_secs(6));
        ensure!(is_at_work(node), "it ended with its connection");
        on(node, "rm /run/apt-hold /etc/apt/apt.conf.d/99-held").map(drop)
    })?;
    let said = ends_with(&output, 0)?;
    ensure!(said.contains("the connection broke; trying again"), "{said}");
    let answer: Value = serde_json::from_slice(&output.stdout)?;
    let found = of_node(&answer, NODE)?;
    ensure!(found["result"] == "converged" && found["changes"].as_u64() > Some(3), "{found:#}");
    let (code, answer) = fleet.answer(&["join", NODE])?;
    ensure!(code == 0 && of_node(&answer, NODE)?["result"] == "nothing-to-do", "{answer:#}");
    Ok(())
}

/// Somebody joins at the machine itself, over ssh with a terminal, and the terminal goes away.
fn by_hand(fleet: &Fleet<'_>, node: &Node<'_>) -> anyhow::Result<()> {
    on(node, "dpkg --purge systemd-timesyncd")?;
    hold_apt(node)?;
    let line =
        "sudo sh -c 'cd /var/cache/rootstock; exec ./*.run join --yes --bundle *.tar.gz --node worker-1'";
    let person = format!("operator@{}", fleet.address(NODE)?);
    let call = answering(Invocation::new(fleet.at("bin/ssh")).args(["-tt", &person, line]));
    let output = beside(&call.timeout(LONGEST), || {
        wait_for("apt is at work", LONGEST, || Ok(is_at_work(node).then_some(())))?;
        cut(node)?;
        std::thread::sleep(Duration::from_secs(4));
        on(node, "rm /run/apt-hold /etc/apt/apt.conf.d/99-held").map(drop)
    })?;
    ensure!(output.code == 255, "ssh ends with {}", output.code);
    wait_for("what it has begun ends", LONGEST, || {
        Ok(on(
            node,
            "! pgrep -f '[.]run join' && dpkg -s systemd-timesyncd | grep -q '^Status: install ok installed'",
        )
        .ok())
    })
    .with_context(|| {
        on(node, "ps -ef; dpkg -s systemd-timesyncd; tail -5 /var/lib/rootstock/journal.jsonl")
            .unwrap_or_default()
    })?;
    let (code, answer) = fleet.answer(&["join", NODE])?;
    ensure!(code == 0 && answer["converged"] == true, "{answer:#}");
    Ok(())
}

fn apply(server: &Node<'_>, object: &Value) -> anyhow::Result<()> {
    server.call("kubectl").args(["apply", "-f", "-"]).stdin(object.to_string()).run()?;
    Ok(())
}

/// The last healthy replica of a volume is on it: refused, before anything is changed.
fn longhorn(fleet: &Fleet<'_>, server: &Node<'_>) -> anyhow::Result<()> {
    apply(
        server,
        &json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": { "name": "replicas.longhorn.io" },
            "spec": {
                "group": "longhorn.io", "scope": "Namespaced",
                "names": { "plural": "replicas", "singular": "replica", "kind": "Replica" },
                "versions": [{ "name": "v1beta2", "served": true, "storage": true, "schema": { "openAPIV3Schema": {
                    "type": "object", "x-kubernetes-preserve-unknown-fields": true } } }],
            },
        }),
    )?;
    let replica = |name: &str, node: &str| {
        json!({
            "apiVersion": "longhorn.io/v1beta2", "kind": "Replica",
            "metadata": { "name": name, "namespace": "default" },
            "spec": { "volumeName": "movies", "nodeID": node, "healthyAt": "2026-11-01T00:00:00Z", "failedAt": "" },
            "status": { "currentState": "running" },
        })
    };
    wait_for("the cluster knows replicas", LONGEST, || Ok(apply(server, &replica("movies-1", NODE)).ok()))?;
    let said = ends_with(&fleet.xtask(&["replace", NODE, "--yes"])?.run()?, 7)?;
    ensure!(said.contains("Longhorn volume movies has no healthy replica on another node"), "{said}");
    ensure!(said.contains("--dangerously-lose-data"), "{said}");
    let found = fleet.kubectl(server, &["get", "node", NODE])?;
    ensure!(found["spec"]["unschedulable"].is_null(), "it was cordoned before it was refused");
    apply(server, &replica("movies-2", "worker-2"))
}

/// Pods of every sort on it: shown first, then moved or ended, as a budget allows.
fn replaced(fleet: &Fleet<'_>, server: &Node<'_>, node: &Node<'_>) -> anyhow::Result<()> {
    pods(fleet, server)?;
    let said = ends_with(&fleet.xtask(&["replace", NODE])?.run()?, 7)?;
    for part in [
        "it is Ready; 2 pods are evicted",
        "default/lonely: nobody starts it again, its emptyDir data is lost",
        ": its controller starts it elsewhere; its disruption budget web lets none go now",
        "nothing was changed",
    ] {
        ensure!(said.contains(part), "nothing is said of `{part}`: {said}");
    }
    let object = fleet.kubectl(server, &["get", "node", NODE])?["metadata"]["uid"].clone();
    let call = fleet.xtask(&["replace", NODE, "--yes"])?;
    let output = beside(&call, || {
        wait_for("the pod that nobody holds is gone", LONGEST, || {
            Ok(server.said("kubectl", &["get", "pod", "lonely"]).is_err().then_some(()))
        })?;
        std::thread::sleep(Duration::from_secs(3));
        let web = fleet.kubectl(server, &["get", "pods", "-l", "app=web"])?;
        ensure!(web["items"][0]["spec"]["nodeName"] == NODE, "the budget was not kept: {web:#}");
        let found = fleet.kubectl(server, &["get", "node", NODE])?;
        ensure!(found["spec"]["unschedulable"] == true, "it is not cordoned");
        server.said("kubectl", &["delete", "pdb", "web"]).map(drop)
    })?;
    let said = ends_with(&output, 0)?;
    ensure!(said.contains("worker-1 is replaced: Ready"), "{said}");
    let found = fleet.kubectl(server, &["get", "node", NODE])?;
    ensure!(found["metadata"]["uid"] != object, "it is the same object");
    ensure!(found["metadata"]["labels"]["node-role.kubernetes.io/worker"] == "true", "{found:#}");
    ensure!(found["spec"]["taints"].to_string().contains("lab.rootstock.test/slow"), "{found:#}");
    ensure!(found["spec"]["unschedulable"].is_null(), "it is still cordoned");
    wait_for("the pod runs elsewhere", LONGEST, || {
        let web = fleet.kubectl(server, &["get", "pods", "-l", "app=web"])?;
        let is_there = web["items"][0]["spec"]["nodeName"] == "server"
            && web["items"][0]["status"]["phase"] == "Running";
        Ok(is_there.then_some(()))
    })?;
    let (code, answer) = fleet.answer(&["join", "server", NODE])?;
    ensure!(code == 0 && of_node(&answer, NODE)?["result"] == "nothing-to-do", "{answer:#}");
    ensure!(node.read("/etc/rancher/node/password")?.len() > 10, "k3s has no password there");
    Ok(())
}

/// A person may lose what is there alone, and end what lets nobody go; each by a flag of its own, and told before.
fn forced(fleet: &Fleet<'_>, server: &Node<'_>) -> anyhow::Result<()> {
    server.said("kubectl", &["delete", "replica", "movies-2"])?;
    let held = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": "held", "namespace": "default", "labels": { "app": "held" } },
        "spec": {
            "nodeName": NODE, "automountServiceAccountToken": false, "terminationGracePeriodSeconds": 1,
            "tolerations": [{ "operator": "Exists" }],
            "containers": [{ "name": "main", "image": POD_IMAGE, "imagePullPolicy": "Never" }],
        },
    });
    apply(server, &held)?;
    apply(server, &budget("held"))?;
    wait_for("the pod runs, and its budget lets none go", LONGEST, || {
        let pod = fleet.kubectl(server, &["get", "pod", "held"])?;
        let budget = fleet.kubectl(server, &["get", "pdb", "held"])?;
        let is_counted = budget["status"]["currentHealthy"] == 1;
        Ok((pod["status"]["phase"] == "Running" && is_counted).then_some(()))
    })?;
    let call = ["replace", NODE, "--yes", "--dangerously-skip-drain"];
    let said = ends_with(&fleet.xtask(&call)?.run()?, 7)?;
    ensure!(said.contains("movies has no healthy replica") && said.contains("nothing was changed"), "{said}");
    let call = [&call[..], &["--dangerously-lose-data"]].concat();
    let said = ends_with(&fleet.xtask(&call)?.run()?, 0)?;
    for part in
        ["movies has no healthy replica", "its disruption budget held lets none go now", "not drained"]
    {
        ensure!(said.contains(part), "nothing is said of `{part}`: {said}");
    }
    ensure!(said.contains("worker-1 is replaced: Ready"), "{said}");
    ensure!(server.said("kubectl", &["get", "pod", "held"]).is_err(), "the pod outlived its node");
    Ok(())
}

/// At least one pod with that label runs, always.
fn budget(name: &str) -> Value {
    json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": { "name": name, "namespace": "default" },
        "spec": { "minAvailable": 1, "selector": { "matchLabels": { "app": name } } },
    })
}

/// One of a controller with a budget, and one of nobody with data of its own.
fn pods(fleet: &Fleet<'_>, server: &Node<'_>) -> anyhow::Result<()> {
    let spec = json!({
        "automountServiceAccountToken": false, "terminationGracePeriodSeconds": 1,
        "tolerations": [{ "key": "lab.rootstock.test/slow", "operator": "Exists" }],
        "containers": [{ "name": "main", "image": POD_IMAGE, "imagePullPolicy": "Never" }],
    });
    let mut lonely = spec.clone();
    lonely["nodeName"] = json!(NODE);
    lonely["volumes"] = json!([{ "name": "scratch", "emptyDir": {} }]);
    server.said("kubectl", &["cordon", "server"])?;
    wait_for("the cluster takes a pod", LONGEST, || {
        Ok(apply(
            server,
            &json!({ "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": "lonely", "namespace": "default" }, "spec": lonely }),
        )
        .ok())
    })?;
    apply(
        server,
        &json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web", "namespace": "default" },
            "spec": { "selector": { "matchLabels": { "app": "web" } },
                      "template": { "metadata": { "labels": { "app": "web" } }, "spec": spec } },
        }),
    )?;
    apply(server, &budget("web"))?;
    wait_for("both run, and the budget counts", LONGEST, || {
        let web = fleet.kubectl(server, &["get", "pods"])?;
        let mut items = web["items"].as_array().into_iter().flatten();
        let budget = fleet.kubectl(server, &["get", "pdb", "web"])?;
        let is_counted =
            budget["status"]["currentHealthy"] == 1 && budget["status"]["disruptionsAllowed"] == 0;
        Ok((items.all(|pod| pod["status"]["phase"] == "Running") && is_counted).then_some(()))
    })
    .with_context(|| server.said("kubectl", &["describe", "pods"]).unwrap_or_default())?;
    server.said("kubectl", &["uncordon", "server"]).map(drop)
}
