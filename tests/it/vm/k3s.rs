//! k3s on a kernel with control groups of version 2 alone, as a node has it today (FIELD K1).

use super::trial;
use anyhow::ensure;
use desired::Arch;
use serde_json::json;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::time::Duration;
use tests::lab::airgap::POD_IMAGE;
use tests::lab::bundle::{Bundle, INSERTED, MIXED};
use tests::lab::cluster::Cluster;
use tests::lab::node::wait_for;
use tests::lab::{Lab, Need};
use tests::programs::{said, scratch, xtask};
use tests::ring::{Ring, Trial};
use tests::vm::card::{Machine, Other, image};
use tests::vm::guest::{Guest, Options};
use tests::vm::rehearsal::{Role, rehearse};

/// The first server of the lab's profile; its address is among the guest's own.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 19, 0, 10);
/// How long k3s may take: a minute when idle, several on an emulated arm64.
const READY: Duration = Duration::from_secs(900);

/// What the lab's k3s starts containers by.
const SHIM: &str = "/usr/local/bin/containerd-shim-runc-v2";
/// What runs on a machine to see that it runs something.
const POD: &str = "in-a-guest";
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
        Trial::new(Ring::Vm, "card::rehearsed_as_an_agent_it_is_ready_in_a_real_clusters_list", card)
            .needs(&[Need::DiskTools, Need::Base, Need::Machine, Need::K3s, Need::Engine, Need::Node])
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
    // FIELD K19: a board without a clock of its own, whose time server is away.
    let now =
        guest.sh("systemctl stop systemd-timesyncd.service 2>/dev/null; date +%s && date -s @90 >&2")?;
    let early = guest.bootstrap(&join)?;
    ensure!(
        early.code == 5 && said(&early).contains("clock: ") && said(&early).contains("1970"),
        "{}",
        said(&early)
    );
    ensure!(guest.sh("test -e /usr/local/bin/k3s || echo absent")? == "absent", "it was changed in 1970");
    guest.sh(&format!("date -s @{now}"))?;
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

/// Nobody logs in to it before it has joined: its token came on the card, lives an hour, and is gone from the card afterwards.
fn card(lab: &Lab) -> anyhow::Result<()> {
    let cluster = Cluster::joined(lab)?;
    let (bundle, folder) = (Bundle::of_cluster(lab, INSERTED)?, scratch()?);
    let (token, file) = (cluster.token("1h")?, folder.path().join("token"));
    std::fs::write(&file, token.expose())?;
    let call = xtask()?.args(["image", "agent", "--profiles"]).arg(bundle.profiles());
    let call = call.arg("--token-file").arg(&file);
    let card = image(lab, call, (Arch::Amd64, "agent"), &bundle.out().join(INSERTED))?;
    let server = SocketAddrV4::new(ADDRESS, 6443);
    let role = Role {
        node: "agent".to_owned(),
        arch: Arch::Amd64,
        address: Ipv4Addr::new(198, 19, 0, 14),
        user: None,
        // What follows its name.
        secrets: token.expose().rsplit('.').take(1).map(str::to_owned).collect(),
        // There is no time server here.
        orphans: vec!["systemd-time-wait-sync.service".to_owned()],
        others: vec![Other { seen_as: server, is: server }],
    };
    let (rehearsal, _) = rehearse(&card, &role, &|machine, boot| is_agent(lab, &cluster, machine, boot))?;
    rehearsal.write_down()?;
    ensure!(rehearsal.held(), "{}", rehearsal.failures());
    Ok(())
}

fn is_agent(lab: &Lab, cluster: &Cluster<'_>, machine: &Machine, boot: u32) -> anyhow::Result<()> {
    wait_until_ready(cluster, "agent")?;
    if boot == 1 {
        machine.call(&words_to_put(SHIM))?.stdin(std::fs::read(lab.k3s().shim())?).run()?;
        return runs_a_pod(cluster, "agent");
    }
    // The pod of the first boot is started again by itself.
    wait_for("its pod runs again", READY, || {
        let found = cluster.kubectl(&["get", "pod", POD])?;
        let restarts = found["status"]["containerStatuses"][0]["restartCount"].as_u64();
        let is_running = found["status"]["containerStatuses"][0]["state"]["running"].is_object();
        Ok((restarts > Some(0) && is_running).then_some(()))
    })
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
        wait_until_ready(cluster, name)?;
        let found = cluster.kubectl(&["get", "node", name])?;
        let arch = &found["status"]["nodeInfo"]["architecture"];
        ensure!(arch == self.options.arch.as_str(), "the cluster takes it for {arch}");
        runs_a_pod(cluster, name)?;
        let plan = guest.bootstrap(&["plan", "--node", name, "--detailed-exitcode"])?;
        ensure!(plan.code == 0, "the second plan is not empty: {}", said(&plan));
        Ok(())
    }
}

fn wait_until_ready(cluster: &Cluster<'_>, node: &str) -> anyhow::Result<()> {
    let node = format!("node/{node}");
    wait_for("the cluster calls it Ready", READY, || {
        let wait = ["wait", "--for=condition=Ready", "--timeout=5s", &node];
        Ok(cluster.server().said("kubectl", &wait).ok())
    })?;
    Ok(())
}

fn runs_a_pod(cluster: &Cluster<'_>, node: &str) -> anyhow::Result<()> {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": POD },
        "spec": {
            "nodeName": node, "automountServiceAccountToken": false,
            "tolerations": [{ "operator": "Exists" }],
            "containers": [{ "name": "pod", "image": POD_IMAGE, "imagePullPolicy": "Never" }],
        },
    });
    cluster.server().call("kubectl").args(["apply", "-f", "-"]).stdin(pod.to_string()).run()?;
    wait_for("its pod runs", READY, || {
        let found = cluster.kubectl(&["get", "pod", POD])?;
        Ok((found["status"]["phase"] == "Running").then_some(()))
    })
}

/// Reads a file from standard input.
fn words_to_put(path: &str) -> [&str; 4] {
    ["sh", "-c", "mkdir -p \"${0%/*}\" && cat >\"$0\" && chmod 700 \"$0\"", path]
}

fn put(guest: &Guest<'_>, path: &str, bytes: Vec<u8>) -> anyhow::Result<()> {
    guest.call(&words_to_put(path)).stdin(bytes).run()?;
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
