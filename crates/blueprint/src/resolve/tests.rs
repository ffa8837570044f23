//! What a person gets from a correct profile.

use super::*;
use crate::model::{Capability, K3sRole};

const BASE: &str = r#"schema-version = 1
[cluster]
name = "demo"
admin-user = "me"
orchestrator = "k3s"
[network]
lan = "10.20.0.0/16"
[versions]
k3s = "v1.36.4+k3s1"
[k3s]
server-token = "env:SERVER_TOKEN"
agent-token = "env:AGENT_TOKEN"
[roles.pi]
roles = ["base"]
capabilities = ["chezmoi"]
arch = "arm64"
board = "rpi-5"
k3s = "agent"
labels = { "demo.example/size" = "small" }
os = { family = "raspberry-pi-os", release = "13" }
[nodes.pc]
roles = ["base"]
address = "10.20.0.10"
arch = "amd64"
k3s = "first-server"
capabilities = ["nfs-server"]
os = { family = "debian", release = "13" }
[shares.media]
kind = "nfs"
server = "pc"
path = "/srv/media"
mount-point = "/mnt/media"
clients = ["pi"]
"#;

const ROLE: &str =
    "schema-version = 1\n[role]\ncapabilities = [\"mise\"]\nlabels = { \"demo.example/size\" = \"any\" }\n";

fn resolve_text(text: &str) -> Resolution {
    let cluster = Source::new("demo/cluster.toml", text);
    let roles = [Source::new("roles/base.toml", ROLE)];
    resolve(&Profile { folder: "demo", cluster: &cluster, roles: &roles, files: &[] })
}

#[test]
fn roles_merge_in_order_and_the_node_wins() {
    let text = format!(
        "{BASE}[groups.rpi]\nnames = \"rpi-{{01..08}}\"\naddresses = \"10.20.0.{{101..108}}\"\nroles = [\"pi\"]\nkernel-modules = [\"br_netfilter\"]\n"
    );
    let resolution = resolve_text(&text);
    assert!(!resolution.findings.iter().any(Finding::is_error), "{:#?}", resolution.findings);
    let model = resolution.model.unwrap();
    assert_eq!(model.nodes.len(), 9);
    let third = &model.nodes["rpi-03"];
    assert_eq!(third.address.to_string(), "10.20.0.103");
    assert_eq!(third.roles, ["base", "pi"]);
    assert_eq!(third.labels["demo.example/size"], "small");
    assert!(third.can(Capability::Mise) && third.can(Capability::Chezmoi));
    assert_eq!(third.k3s, Some(K3sRole::Agent));
    assert_eq!(model.first_server().unwrap().name.as_str(), "pc");
    assert_eq!(model.shares["media"].clients.len(), 8);
    assert_eq!(model.shares["media"].protocol_version, "4.2");
    assert_eq!(model.timezone, "Etc/UTC");
}

#[test]
fn a_thousand_nodes_are_as_easy_as_eight() {
    let text = format!(
        "{BASE}[groups.rpi]\nnames = \"rpi-{{0001..1000}}\"\naddresses = \"{{10.20.1.0..10.20.4.231}}\"\nroles = [\"pi\"]\n"
    );
    let model = resolve_text(&text).model.unwrap();
    assert_eq!(model.nodes.len(), 1001);
    assert_eq!(model.nodes["rpi-1000"].address.to_string(), "10.20.4.231");
    assert_eq!(model.shares["media"].clients.len(), 1000);
}

#[test]
fn a_compose_file_belongs_to_its_service_and_starts_something() {
    let text = format!("{BASE}[services.web]\nkind = \"compose\"\nnodes = [\"pc\"]\n")
        .replace("capabilities = [\"nfs-server\"]", "capabilities = [\"nfs-server\", \"docker\"]");
    let resolved = |file: &str| {
        let cluster = Source::new("demo/cluster.toml", text.as_str());
        let roles = [Source::new("roles/base.toml", ROLE)];
        let files = [Source::new("demo/services/web/compose.yaml", file)];
        resolve(&Profile { folder: "demo", cluster: &cluster, roles: &roles, files: &files })
    };
    let good = "services:\n  web:\n    image: demo/web:1.0\n";
    let model = resolved(good).model.expect("the base is correct");
    assert_eq!(model.services["web"].compose.as_deref(), Some(good));
    for bad in ["", "services: {}\n", "services:\n\tweb: x\n", "- a\n"] {
        let found = resolved(bad).findings;
        let codes: Vec<&str> = found.iter().map(|finding| finding.rule.code).collect();
        assert_eq!(codes, ["RS624"], "{bad:?}: {found:?}");
    }
}
