//! Membership of a mesh by the real tailscale and headscale, in userspace: address right, address wrong, key used.

use super::carried::{self, JOIN};
use anyhow::{Context as _, ensure};
use desired::resource::{Owner, Resource, SecretPart, Want};
use desired::{FileSet, Mode};
use host::process::Output;
use std::collections::BTreeSet;
use std::time::Duration;
use tests::lab::node::{Network, Node as Machine, Options, wait_for};
use tests::lab::{Lab, Need};
use tests::node::{NODE, Node};
use tests::programs::{answering, expect, said};
use tests::ring::{Ring, Trial};

/// The coordinator of the trial, on the same machine; an embedded relay, since no other is reached.
const COORDINATOR: &str = "\
server_url: http://127.0.0.1:8085
listen_addr: 127.0.0.1:8085
metrics_listen_addr: 127.0.0.1:9095
grpc_listen_addr: 127.0.0.1:50443
noise: { private_key_path: /var/lib/headscale/noise.key }
prefixes: { v4: 100.64.0.0/16, allocation: sequential }
derp:
  server: { enabled: true, region_id: 999, region_code: lab, region_name: lab, stun_listen_addr: '127.0.0.1:3478', private_key_path: /var/lib/headscale/derp.key, automatically_add_embedded_derp_region: true }
  urls: []
  paths: []
  auto_update_enabled: false
disable_check_updates: true
database: { type: sqlite, sqlite: { path: /var/lib/headscale/db.sqlite } }
unix_socket: /run/headscale.sock
dns: { magic_dns: false, override_local_dns: false, base_domain: lab.internal }
";
const COORDINATOR_UNIT: &str =
    "[Service]\nStateDirectory=headscale\nExecStart=/usr/local/bin/headscale serve\n";
const MEMBER_UNIT: &str = "\
[Service]
Type=notify
RuntimeDirectory=tailscale
StateDirectory=tailscale
ExecStart=/usr/local/bin/tailscaled --tun=userspace-networking --state=/var/lib/tailscale/state --socket=/run/tailscale/tailscaled.sock
[Install]
WantedBy=multi-user.target
";
const KEY: &str = "MESH_KEY";

pub fn trials() -> Vec<Trial> {
    let needs = [Need::Engine, Need::Node, Need::Mesh];
    // Long, since three programs of Go are built for it.
    vec![
        Trial::new(Ring::Container, "mesh::the_address_is_the_specs_or_an_error_says_why", member)
            .needs(&needs)
            .long(),
    ]
}

fn resources(address: &str) -> anyhow::Result<Vec<Resource>> {
    let unit = Resource::new(Want::File {
        path: "/etc/systemd/system/tailscaled.service".parse()?,
        mode: Mode::PUBLIC,
        owner: Owner::root(),
        content: MEMBER_UNIT.to_owned(),
    });
    let key = Resource::new(Want::SecretFile {
        path: "/etc/rootstock/mesh/key".parse()?,
        mode: Mode::PRIVATE,
        owner: Owner::root(),
        parts: vec![SecretPart::Secret(format!("env:{KEY}").parse()?)],
    });
    let daemon = Resource::new(Want::Unit {
        name: "tailscaled.service".parse()?,
        enabled: true,
        active: true,
        waits: false,
        restart_on: BTreeSet::from([unit.id.clone()]),
    });
    let mesh = Resource::new(Want::Mesh {
        login_url: Some("http://127.0.0.1:8085".to_owned()),
        name: NODE.parse()?,
        address: address.parse()?,
        accept_dns: false,
        key: Some("/etc/rootstock/mesh/key".parse()?),
    })
    .after(&daemon.id);
    Ok(vec![mesh, daemon, key, unit])
}

fn machine<'lab>(lab: &'lab Lab, network: &Network<'_>) -> anyhow::Result<Machine<'lab>> {
    let machine = Machine::start(lab, NODE, network, &Options::default())?;
    let mut files = FileSet::new();
    for (name, path) in [
        ("usr/local/bin/headscale", lab.path("headscale")),
        ("usr/local/bin/tailscale", lab.path("tailscale")),
        ("usr/local/bin/tailscaled", lab.path("tailscaled")),
    ] {
        let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
        files.insert(name, Mode::EXECUTABLE, bytes)?;
    }
    files.insert("etc/headscale/config.yaml", Mode::PUBLIC, COORDINATOR)?;
    files.insert("etc/systemd/system/headscale.service", Mode::PUBLIC, COORDINATOR_UNIT)?;
    machine.place(&files)?;
    carried::program(&machine)?;
    machine.said("systemctl", &["start", "headscale"])?;
    let create = ["users", "create", "lab"];
    wait_for("headscale answers", Duration::from_secs(60), || {
        Ok(machine.call("headscale").args(create).run().ok().map(drop))
    })?;
    Ok(machine)
}

/// A key for one node.
fn key(machine: &Machine<'_>) -> anyhow::Result<String> {
    let made = ["preauthkeys", "create", "--user", "1", "--expiration", "1h", "--output", "json"];
    let value: serde_json::Value = serde_json::from_str(&machine.said("headscale", &made)?)?;
    Ok(value["key"].as_str().context("headscale gives a key")?.to_owned())
}

fn run(machine: &Machine<'_>, desk: &Node, key: &str, words: &[&str]) -> anyhow::Result<Output> {
    carried::bundle(machine, desk)?;
    // Once it is used it is not there again.
    let call = match key.is_empty() {
        true => machine.call("/opt/bootstrap"),
        false => machine.call("env").arg(format!("{KEY}={key}")).arg("/opt/bootstrap"),
    };
    let output = answering(call).args(words.iter().copied()).run()?;
    ensure!(key.is_empty() || !said(&output).contains(key), "the key is told: {}", said(&output));
    Ok(output)
}

fn member(lab: &Lab) -> anyhow::Result<()> {
    let network = Network::new(lab.engine())?;
    let machine = machine(lab, &network)?;
    // The coordinator gives the first address first.
    let desk = Node::new(&resources("100.64.0.1")?)?;
    let first = key(&machine)?;
    expect(&run(&machine, &desk, &first, &JOIN)?, 0, &["done     mesh", "converged"])?;
    ensure!(machine.said("tailscale", &["ip", "-4"])?.trim() == "100.64.0.1", "another address");
    expect(&run(&machine, &desk, "", &JOIN)?, 0, &["nothing to do"])?;
    let settings = machine.said("tailscale", &["debug", "prefs"])?;
    ensure!(settings.contains("\"CorpDNS\": false"), "FIELD K35: {settings}");

    // Somebody changes a setting: drift, and set back without logging in again.
    machine.said("tailscale", &["set", "--accept-dns=true"])?;
    expect(&run(&machine, &desk, "", &JOIN)?, 0, &["accepts DNS yes → no", "done     mesh", "converged"])?;

    // Another address than the spec's is told, with where it is changed; nothing is tried twice.
    let other = Node::new(&resources("100.64.0.9")?)?;
    let words =
        ["gave this node 100.64.0.1 and the profile says 100.64.0.9", "mesh-address", "headscale nodes list"];
    expect(&run(&machine, &other, "", &JOIN)?, 1, &words)?;
    expect(&run(&machine, &other, "", &JOIN)?, 1, &words)?;
    ensure!(machine.said("tailscale", &["ip", "-4"])?.trim() == "100.64.0.1", "it was logged out");

    expect(&run(&machine, &desk, "", &["leave", "--yes"])?, 0, &["partly    mesh", "the journal is gone"])?;
    ensure!(machine.read("/etc/systemd/system/tailscaled.service").is_err(), "the unit stayed");
    // A used key, as after a card was flashed twice (FIELD K18).
    let again = run(&machine, &desk, &first, &JOIN)?;
    expect(
        &again,
        1,
        &["the coordinator refuses the key", "headscale preauthkeys create", "network.mesh.auth-key"],
    )?;
    let fresh = key(&machine)?;
    let output = run(&machine, &desk, &fresh, &JOIN)?;
    expect(&output, 0, &["done     mesh", "converged"])
}
