//! k3s on a kernel with control groups of version 2 alone, as a node has it today (FIELD K1).

use super::trial;
use anyhow::ensure;
use desired::Arch;
use serde_json::json;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;
use tests::lab::airgap::POD_IMAGE;
use tests::lab::bundle::{Bundle, MIXED};
use tests::lab::cluster::Cluster;
use tests::lab::node::wait_for;
use tests::lab::{Lab, Need};
use tests::programs::said;
use tests::ring::{Ring, Trial};
use tests::vm::guest::{Guest, Options};

/// The first server of the lab's profile; its address is among the guest's own.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 19, 0, 10);
/// How long k3s may take: a minute when idle, several on an emulated arm64.
const READY: Duration = Duration::from_secs(900);

/// What the lab's k3s starts containers by.
const SHIM: &str = "/usr/local/bin/containerd-shim-runc-v2";
/// Where the profile's agents read their token.
const TOKEN: &str = "/root/join-token";

pub fn trials() -> Vec<Trial> {
    vec![
        trial("k3s::a_first_server_is_refused_without_memory_and_ready_with_it", server)
            .needs(&[Need::K3s])
            .long(),
        trial("k3s::an_agent_joins_a_server_that_is_a_container", agent)
            .needs(&[Need::K3s, Need::Engine, Need::Node])
            .long(),
        Trial::new(Ring::Vm, "k3s::an_arm64_agent_joins_an_amd64_server", other_agent)
            .needs(&[Need::OtherArch, Need::OtherGuest, Need::K3s, Need::OtherK3s, Need::Engine, Need::Node])
            .long(),
    ]
}

fn server(lab: &Lab) -> anyhow::Result<()> {
    let stick = Bundle::of(lab)?.stick();
    let off = vec!["cgroup_disable=memory".to_owned()];
    let options = Options {
        memory: 2048,
        kernel_words: off,
        stick: Some(&stick),
        address: ADDRESS,
        ..Options::default()
    };
    let mut guest = Guest::booted(lab, &options)?;
    prepare(lab, &guest)?;
    let join = ["join", "--yes", "--node", "server"];
    let refused = guest.bootstrap(&join)?;
    ensure!(refused.code == 5, "without a memory cgroup: {}: {}", refused.code, said(&refused));
    ensure!(said(&refused).contains("memory-cgroup: it is off"), "{}", said(&refused));
    ensure!(guest.sh("test -e /usr/local/bin/k3s || echo absent")? == "absent", "something was changed");
    guest.shut_down()?;
    guest.set_kernel_words(Vec::new());
    guest.boot()?;
    let joined = guest.bootstrap(&join)?;
    ensure!(joined.code == 0, "join ends with {}: {}", joined.code, said(&joined));
    is_ready(&guest)?;
    let plan = guest.bootstrap(&["plan", "--node", "server", "--detailed-exitcode"])?;
    ensure!(plan.code == 0, "the second plan is not empty: {}", said(&plan));
    // The machine as a person finds it after a power cut: it comes back by itself, as it was.
    guest.sh("sync")?;
    guest.power_cut()?;
    guest.boot()?;
    is_ready(&guest)?;
    let plan = guest.bootstrap(&["plan", "--node", "server", "--detailed-exitcode"])?;
    ensure!(plan.code == 0, "after a power cut the plan is not empty: {}", said(&plan));
    Ok(())
}

fn agent(lab: &Lab) -> anyhow::Result<()> {
    let cluster = Cluster::joined(lab)?;
    let stick = cluster.bundle()?.stick();
    let machine = Agent {
        name: "worker-1",
        address: "198.19.0.11",
        shim: lab.k3s().shim(),
        options: Options { memory: 1024, stick: Some(&stick), ..Options::default() },
    };
    machine.joins(lab, &cluster)
}

fn other_agent(lab: &Lab) -> anyhow::Result<()> {
    let cluster = Cluster::joined(lab)?;
    let stick = Bundle::of_cluster(lab, MIXED)?.stick_of(Arch::Arm64);
    let machine = Agent {
        name: "board",
        address: "198.19.0.13",
        shim: lab.other_k3s().shim(),
        options: Options { arch: Arch::Arm64, memory: 1536, stick: Some(&stick), ..Options::default() },
    };
    machine.joins(lab, &cluster)
}

/// A kernel of its own behind a router, in a cluster whose server is somewhere else: its token lives an hour, and it keeps
/// its address beside the router's.
struct Agent<'a> {
    name: &'static str,
    address: &'static str,
    /// What its k3s starts containers by.
    shim: PathBuf,
    options: Options<'a>,
}

impl Agent<'_> {
    fn joins(&self, lab: &Lab, cluster: &Cluster<'_>) -> anyhow::Result<()> {
        let (name, guest) = (self.name, Guest::booted(lab, &self.options)?);
        guest.sh(&format!("ip address add {}/32 dev eth0 && hostnamectl hostname {name}", self.address))?;
        put(&guest, SHIM, std::fs::read(&self.shim)?)?;
        let join = ["join", "--yes", "--node", name];
        // FIELD K12: an agent's token is no other's, and a wrong one is told before the first change.
        put(&guest, TOKEN, b"K10aaaa::server:wrong\n".to_vec())?;
        let refused = guest.bootstrap(&join)?;
        ensure!(refused.code != 0, "with a wrong token it joins: {}", said(&refused));
        put(&guest, TOKEN, cluster.token("1h")?.expose().as_bytes().to_vec())?;
        let joined = guest.bootstrap(&join)?;
        ensure!(joined.code == 0, "join ends with {}: {}", joined.code, said(&joined));
        wait_for("the cluster calls it Ready", READY, || {
            let node = format!("node/{name}");
            let wait = ["wait", "--for=condition=Ready", "--timeout=5s", &node];
            Ok(cluster.server().said("kubectl", &wait).ok())
        })?;
        let found = cluster.kubectl(&["get", "node", name])?;
        let arch = &found["status"]["nodeInfo"]["architecture"];
        ensure!(arch == self.options.arch.as_str(), "the cluster takes it for {arch}");
        runs_a_pod(cluster, name)?;
        let plan = guest.bootstrap(&["plan", "--node", name, "--detailed-exitcode"])?;
        ensure!(plan.code == 0, "the second plan is not empty: {}", said(&plan));
        Ok(())
    }
}

fn runs_a_pod(cluster: &Cluster<'_>, node: &str) -> anyhow::Result<()> {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "in-a-guest" },
        "spec": {
            "nodeName": node, "automountServiceAccountToken": false,
            "tolerations": [{ "operator": "Exists" }],
            "containers": [{ "name": "pod", "image": POD_IMAGE, "imagePullPolicy": "Never" }],
        },
    });
    cluster.server().call("kubectl").args(["apply", "-f", "-"]).stdin(pod.to_string()).run()?;
    wait_for("its pod runs", READY, || {
        let found = cluster.kubectl(&["get", "pod", "in-a-guest"])?;
        Ok((found["status"]["phase"] == "Running").then_some(()))
    })
}

fn put(guest: &Guest<'_>, path: &str, bytes: Vec<u8>) -> anyhow::Result<()> {
    let script = "mkdir -p \"${0%/*}\" && cat >\"$0\" && chmod 700 \"$0\"";
    guest.call(&["sh", "-c", script, path]).stdin(bytes).run()?;
    Ok(())
}

/// What the lab's k3s needs on a server of it.
fn prepare(lab: &Lab, guest: &Guest<'_>) -> anyhow::Result<()> {
    let put = |path: &str, bytes: Vec<u8>| put(guest, path, bytes);
    put(SHIM, std::fs::read(lab.k3s().shim())?)?;
    for entry in std::fs::read_dir(lab.k3s().manifests())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        put(&format!("/var/lib/rancher/k3s/server/manifests/{name}"), std::fs::read(entry.path())?)?;
    }
    let own = "disable-helm-controller: true\ndisable-network-policy: true\n";
    put("/etc/rancher/k3s/config.yaml.d/50-lab.yaml", own.as_bytes().to_vec())?;
    put("/root/server-token", b"only-for-this-guest\n".to_vec())
}

fn is_ready(guest: &Guest<'_>) -> anyhow::Result<()> {
    let ask =
        "systemctl -q is-active k3s.service && kubectl wait --for=condition=Ready --timeout=5s node/server";
    let waited = wait_for("the server is Ready", READY, || {
        Ok(guest.call(&["sh", "-c", ask]).accept([0, 1, 3]).run()?.text().contains("met").then_some(()))
    });
    waited.map_err(|error| {
        let journal = guest.sh("journalctl -q --no-pager -o cat -n 15 -u k3s.service");
        anyhow::anyhow!("{error:#}; its journal ends: {}", journal.unwrap_or_default())
    })
}
