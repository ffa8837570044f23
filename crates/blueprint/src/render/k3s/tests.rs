use std::collections::BTreeMap;

use serde_json::Value;

use super::*;
use crate::model::{K3sRole, Registry, Taint, TaintEffect};
use crate::render::testing;
use desired::Arch;

fn of(model: &Model, name: &str) -> Vec<Resource> {
    resources(model, &model.nodes[name], &testing::pins()).unwrap()
}

fn content(all: &[Resource], path: &str) -> String {
    let file = all.iter().find_map(|resource| match &resource.want {
        Want::File { path: own, content, .. } if own.as_str() == path => Some(content.clone()),
        _ => None,
    });
    file.unwrap_or_else(|| panic!("{path} is not among {:?}", all.iter().map(|r| &r.id).collect::<Vec<_>>()))
}

fn config(model: &Model, name: &str) -> BTreeMap<String, Value> {
    serde_saphyr::from_str(&content(&of(model, name), CONFIG)).unwrap()
}

fn with_second_server() -> Model {
    let mut model = testing::model();
    let node = testing::node("server-2", "192.168.1.11", desired::Arch::Amd64, K3sRole::Server);
    model.nodes.insert(node.name.clone(), node);
    model
}

/// FIELD K27: "critical configuration value mismatch" is what a second server is refused with.
#[test]
fn servers_differ_only_where_they_may() {
    let mut model = with_second_server();
    model.nodes.get_mut("server-2").unwrap().interface = Some("eth1".to_owned());
    let (one, two) = (config(&model, "server-1"), config(&model, "server-2"));
    for key in one.keys().chain(two.keys()).filter(|key| !config::OF_ONE_NODE.contains(&key.as_str())) {
        assert_eq!(one.get(key), two.get(key), "{key}");
    }
    assert_eq!(one["cluster-init"], true);
    assert_eq!(two["server"], "https://192.168.1.10:6443");
    assert!(!one.contains_key("server") && !two.contains_key("cluster-init"));
}

/// FIELD K13, K23
#[test]
fn agents_carry_what_an_agent_may_know() {
    let model = testing::model();
    let agent = config(&model, "pi-1");
    assert_eq!(agent["server"], "https://192.168.1.10:6443");
    assert_eq!(agent["node-ip"], "192.168.1.20");
    for of_servers in ["cluster-cidr", "disable", "tls-san", "write-kubeconfig-mode", "cluster-init"] {
        assert!(!agent.contains_key(of_servers), "{of_servers}");
    }
    let json = serde_json::to_string(&of(&model, "pi-1")).unwrap();
    assert!(json.contains("file:/root/join-token") && !json.contains("SERVER_TOKEN"), "{json}");
    assert!(serde_json::to_string(&of(&model, "server-1")).unwrap().contains("env:SERVER_TOKEN"));
}

#[test]
fn one_server_alone_needs_no_etcd() {
    assert!(!config(&testing::model(), "server-1").contains_key("cluster-init"));
}

/// FIELD K15, K16
#[test]
fn reserved_labels_go_to_the_servers_list_alone() {
    let mut model = testing::model();
    let node = model.nodes.get_mut("pi-1").unwrap();
    node.labels.insert("node-role.kubernetes.io/worker".to_owned(), "true".to_owned());
    node.labels.insert("rootstock.example/low-mem".to_owned(), "true".to_owned());
    node.taints.insert(Taint {
        key: "gpu".to_owned(),
        value: String::new(),
        effect: TaintEffect::NoSchedule,
    });
    let config = config(&model, "pi-1");
    assert_eq!(config["node-label"], serde_json::json!(["rootstock.example/low-mem=true"]));
    assert_eq!(config["node-taint"], serde_json::json!(["gpu:NoSchedule"]));
    let files = tree(&model, &Pins::default()).unwrap();
    let script = String::from_utf8(files.get("k3s/apply-node-metadata.sh").unwrap().content.clone()).unwrap();
    assert!(script.contains("label node pi-1 --overwrite node-role.kubernetes.io/worker=true\n"), "{script}");
    assert!(script.contains("taint node pi-1 --overwrite gpu:NoSchedule\n"), "{script}");
}

/// FIELD K34
#[test]
fn reserves_are_a_drop_in_or_arguments_by_version() {
    let mut model = testing::model();
    let kubelet = &mut model.nodes.get_mut("pi-1").unwrap().kubelet;
    kubelet.system_reserved = Some("cpu=250m,memory=256Mi".to_owned());
    kubelet.eviction_hard = Some("memory.available<200Mi,nodefs.available<10%".to_owned());
    kubelet.max_pods = Some(50);
    let drop_in =
        content(&of(&model, "pi-1"), "/var/lib/rancher/k3s/agent/etc/kubelet.conf.d/50-rootstock.conf");
    let drop_in: Value = serde_saphyr::from_str(&drop_in).unwrap();
    assert_eq!(drop_in["systemReserved"]["memory"], "256Mi");
    assert_eq!(drop_in["evictionHard"]["nodefs.available"], "10%");
    assert_eq!(drop_in["maxPods"], 50);
    assert!(!config(&model, "pi-1").contains_key("kubelet-arg"));

    let k3s = K3s { version: "v1.31.4+k3s1".to_owned(), ..model.k3s.clone().unwrap() };
    let mut keys = BTreeMap::new();
    kubelet::arguments(&mut keys, &k3s, &model.nodes["pi-1"]).unwrap();
    assert_eq!(keys["kubelet-arg"][0], "system-reserved=cpu=250m,memory=256Mi");
    assert_eq!(keys["kubelet-arg"][2], "max-pods=50");
    assert!(kubelet::resource(&k3s, &model.nodes["pi-1"]).unwrap().is_none());
}

/// FIELD K28, S1: whatever the password holds, YAML reads it back as that.
#[test]
fn registries_take_any_password_on_the_node() {
    let mut model = testing::model();
    let registry = |mirrors: &[&str], password: Option<&str>| Registry {
        mirrors: mirrors.iter().map(|mirror| (*mirror).to_owned()).collect(),
        http: false,
        user: password.map(|_| "operator".to_owned()),
        password: password.map(|reference| reference.parse().unwrap()),
    };
    model.registries.insert("*".to_owned(), registry(&["http://cache.home.arpa:5000"], None));
    let plain = content(&of(&model, "server-1"), REGISTRIES);
    assert!(plain.contains("\"*\":") || plain.contains("'*':"), "{plain}");
    model.registries.insert("ghcr.io".to_owned(), registry(&[], Some("env:GHCR_TOKEN")));
    model.registries.insert("a.example".to_owned(), registry(&[], Some("env:A_TOKEN")));
    let all = of(&model, "pi-1");
    let parts = all.iter().find_map(|resource| match &resource.want {
        Want::SecretFile { path, parts, .. } if path.as_str() == REGISTRIES => Some(parts),
        _ => None,
    });
    let awkward = " : it's \"#\" \\n {{x}} & * ! %  ";
    let text: String = parts
        .unwrap()
        .iter()
        .map(|part| match part {
            SecretPart::Text(text) => text.clone(),
            SecretPart::Secret(reference) => format!("{awkward}{reference}"),
        })
        .collect();
    let read: Value = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(read["configs"]["ghcr.io"]["auth"]["password"], format!("{awkward}env:GHCR_TOKEN"));
    assert_eq!(read["configs"]["a.example"]["auth"]["password"], format!("{awkward}env:A_TOKEN"));
    assert_eq!(read["configs"]["ghcr.io"]["auth"]["username"], "operator");
    assert_eq!(read["mirrors"]["*"]["endpoint"][0], "http://cache.home.arpa:5000");
}

/// FIELD K33, S4, S5
#[test]
fn no_token_is_on_a_command_line_and_the_clock_comes_first() {
    let model = testing::model();
    for (node, unit) in [("server-1", "k3s.service"), ("pi-1", "k3s-agent.service")] {
        let all = of(&model, node);
        let unit = content(&all, &format!("/etc/systemd/system/{unit}"));
        assert!(!unit.contains("--token") && !unit.contains(" -t "), "{unit}");
        assert!(unit.contains("After=network-online.target time-sync.target\n"), "{unit}");
        let config =
            all.iter().find(|resource| resource.id.as_str() == "file:/etc/rancher/k3s/config.yaml").unwrap();
        assert!(matches!(&config.want, Want::File { mode, .. } if *mode == Mode::PRIVATE));
    }
}

#[test]
fn a_missing_pin_and_a_stale_one_name_the_command_that_helps() {
    let mut model = testing::model();
    let missing = resources(&model, &model.nodes["pi-1"], &Pins::default()).unwrap_err().to_string();
    assert!(
        missing.contains("k3s has no pin for arm64") && missing.contains("cargo xtask lock"),
        "{missing}"
    );
    model.k3s.as_mut().unwrap().version = "v1.37.0+k3s1".to_owned();
    let stale = resources(&model, &model.nodes["pi-1"], &testing::pins()).unwrap_err().to_string();
    assert!(stale.contains("--update k3s"), "{stale}");
}

#[test]
fn scripts_know_their_node_and_keep_the_token_out_of_arguments() {
    let mut model = testing::model();
    let second = testing::node("server-2", "192.168.1.11", Arch::Amd64, K3sRole::Server);
    model.nodes.insert(second.name.clone(), second);
    let script = |name: &str| {
        let files = extras(&model, &model.nodes[name], &testing::pins()).unwrap();
        String::from_utf8(files.get("join-k3s.sh").unwrap().content.clone()).unwrap()
    };
    let agent = script("pi-1");
    assert!(agent.contains("k3s-arm64") && agent.contains("v1.36.4%2Bk3s1"), "{agent}");
    assert!(agent.contains("place /etc/rancher/k3s/config.yaml 600\n"), "{agent}");
    assert!(script("server-1").contains("the first server takes the short secret"));
    assert!(!agent.contains("the first server takes the short secret"));
    assert!(script("server-2").contains("the full token of the servers"));
}
