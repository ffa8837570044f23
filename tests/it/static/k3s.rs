//! What k3s makes of each node's settings, against what the model wants.

use anyhow::{Context as _, ensure};
use blueprint::model::{Flannel, K3s, K3sRole, Model, Node};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use tests::clusters::{models, pour, stand_in_pins};
use tests::consumers::k3s;
use tests::programs::scratch;
use tests::ring::{Ring, Trial};

pub fn trials() -> Vec<Trial> {
    let trial = |name: &str, body: fn() -> anyhow::Result<()>| {
        Trial::new(Ring::Static, format!("k3s::{name}"), move |_| body())
    };
    vec![
        trial("files_are_merged_by_its_rules", files_are_merged_by_its_rules),
        trial("every_node_gets_what_the_model_wants", every_node_gets_what_the_model_wants),
        trial("a_file_of_a_persons_own_adds_to_ours", a_file_of_a_persons_own_adds_to_ours),
    ]
}

/// FIELD K26, rule by rule.
fn files_are_merged_by_its_rules() -> anyhow::Result<()> {
    let cases: [(&[&str], Value, usize); 6] = [
        (&["a: 1", "a: 2"], json!({"a": 2}), 0),
        (&["a: [p]", "a: [q]"], json!({"a": ["q"]}), 1),
        (&["a: [p]", "a+: [q]"], json!({"a": ["p", "q"]}), 0),
        (&["a: p", "a+: q"], json!({"a": ["p", "q"]}), 0),
        // One file without the sign, and what all earlier ones said is gone.
        (&["a: [p]", "a+: [q]", "a: r"], json!({"a": "r"}), 1),
        (&["a+: [p]", "b: 1"], json!({"a": ["p"], "b": 1}), 0),
    ];
    for (texts, expected, remarks) in cases {
        let files: Vec<_> = texts.iter().map(|text| ("f".to_owned(), (*text).to_owned())).collect();
        let effective = k3s::merge(&files)?;
        ensure!(json!(effective.settings) == expected, "{texts:?}: {:?}", effective.settings);
        ensure!(effective.remarks.len() == remarks, "{texts:?}: {:?}", effective.remarks);
    }
    // By name, and only what ends as k3s wants it.
    let folder = scratch()?;
    let drop_ins = folder.path().join("config.yaml.d");
    std::fs::create_dir(&drop_ins)?;
    std::fs::write(folder.path().join("config.yaml"), "a: 0\n")?;
    for (name, text) in [("20.yaml", "a: 2\n"), ("10.yaml", "a: 1\n"), ("30.yaml.off", "a: 3\n")] {
        std::fs::write(drop_ins.join(name), text)?;
    }
    ensure!(k3s::effective(folder.path())?.settings["a"] == 2, "the order of the files is wrong");
    Ok(())
}

/// Calls `judge` with every node that has a part in k3s and its files.
fn each_node(
    judge: impl Fn(&Model, &K3s, &Node, K3sRole, &Path) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut judged = 0;
    for model in models()? {
        let Some(k3s) = &model.k3s else { continue };
        let pins = stand_in_pins(&model)?;
        for node in model.linux_nodes() {
            let Some(role) = node.k3s else { continue };
            let folder = scratch()?;
            pour(&blueprint::render::node(&model, node, &pins)?.files, folder.path())?;
            judge(&model, k3s, node, role, &folder.path().join("rootfs"))
                .with_context(|| format!("{}/{}", model.name, node.name))?;
            judged += 1;
        }
    }
    ensure!(judged > 8, "only {judged} nodes of k3s");
    Ok(())
}

fn settings_folder(root: &Path) -> PathBuf {
    root.join("etc/rancher/k3s")
}

fn every_node_gets_what_the_model_wants() -> anyhow::Result<()> {
    each_node(|model, k3s, node, role, root| {
        let effective = k3s::effective(&settings_folder(root))?;
        ensure!(effective.remarks.is_empty(), "{:?}", effective.remarks);
        for (key, wanted) in wanted(model, k3s, node, role) {
            let used = effective.settings.get(key);
            ensure!(used == wanted.as_ref(), "{key} is {used:?}, the model wants {wanted:?}");
        }
        let reachable: BTreeSet<&str> = effective
            .settings
            .get("tls-san")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        for name in k3s.tls_san.iter().filter(|_| role.is_server()) {
            ensure!(reachable.contains(name.as_str()), "no server answers to {name}");
        }
        // A flag replaces the whole list of a file, so the unit has none.
        let word = if role.is_server() { "server" } else { "agent" };
        let unit = if role.is_server() { "k3s.service" } else { "k3s-agent.service" };
        let unit = std::fs::read_to_string(root.join("etc/systemd/system").join(unit))?;
        let starts: Vec<_> = unit.lines().filter(|line| line.starts_with("ExecStart=")).collect();
        ensure!(starts == [format!("ExecStart=/usr/local/bin/k3s {word}")], "{starts:?}");
        Ok(())
    })
}

/// Keys and what the model says of them; nothing where they are to be absent.
fn wanted(model: &Model, k3s: &K3s, node: &Node, role: K3sRole) -> BTreeMap<&'static str, Option<Value>> {
    let server = |value: Value| role.is_server().then_some(value);
    let list = |list: Vec<String>| (!list.is_empty()).then(|| json!(list));
    let servers = model.nodes.values().filter(|node| node.k3s.is_some_and(K3sRole::is_server)).count();
    let is_first = role == K3sRole::FirstServer;
    let first = model.first_server().filter(|_| !is_first);
    let flannel = match k3s.flannel_backend {
        Flannel::Vxlan => "vxlan",
        Flannel::HostGw => "host-gw",
        Flannel::WireguardNative => "wireguard-native",
        Flannel::None => "none",
    };
    // FIELD K15: the rest is set from a server.
    let own =
        node.labels.iter().filter(|(key, _)| !key.contains("kubernetes.io/") && !key.contains("k8s.io/"));
    BTreeMap::from([
        ("node-name", Some(json!(node.name.as_str()))),
        ("node-ip", Some(json!(node.address.to_string()))),
        ("node-external-ip", node.mesh_address.map(|address| json!(address.to_string()))),
        ("flannel-iface", node.interface.as_ref().map(|name| json!(name))),
        ("node-label", list(own.map(|(key, value)| format!("{key}={value}")).collect())),
        ("node-taint", list(node.taints.iter().map(ToString::to_string).collect())),
        ("server", first.map(|first| json!(format!("https://{}:6443", first.address)))),
        ("cluster-init", (is_first && servers > 1).then(|| json!(true))),
        ("cluster-cidr", server(json!(k3s.cluster_cidr.to_string()))),
        ("service-cidr", server(json!(k3s.service_cidr.to_string()))),
        ("flannel-backend", server(json!(flannel))),
        ("secrets-encryption", server(json!(k3s.secrets_encryption))),
        ("disable", list(k3s.disable.clone()).filter(|_| role.is_server())),
        ("token", None),
        ("agent-token", None),
    ])
}

/// The spec has no drop-ins, so nobody can be warned at the desk; what a person lays beside ours on a node works as
/// k3s's page says.
fn a_file_of_a_persons_own_adds_to_ours() -> anyhow::Result<()> {
    each_node(|_, k3s, _, role, root| {
        let folder = settings_folder(root);
        let drop_ins = folder.join("config.yaml.d");
        ensure!(!drop_ins.exists(), "a file of ours lies where a person's belong");
        std::fs::create_dir(&drop_ins)?;
        std::fs::write(drop_ins.join("50-own.yaml"), "disable+: [metrics-server]\nnode-label+: [own=1]\n")?;
        let effective = k3s::effective(&folder)?;
        ensure!(effective.remarks.is_empty(), "{:?}", effective.remarks);
        let last = |key: &str| effective.settings[key].as_array().and_then(|list| list.last().cloned());
        ensure!(last("node-label") == Some(json!("own=1")), "{:?}", effective.settings);
        if role.is_server() && !k3s.disable.is_empty() {
            let disabled = effective.settings["disable"].as_array().map_or(0, Vec::len);
            ensure!(disabled == k3s.disable.len() + 1, "{:?}", effective.settings["disable"]);
            std::fs::write(drop_ins.join("60-own.yaml"), "disable: [metrics-server]\n")?;
            ensure!(k3s::effective(&folder)?.remarks.len() == 1, "nothing is said of a list that is lost");
        }
        Ok(())
    })
}
