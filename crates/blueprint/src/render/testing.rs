//! A small cluster made by hand, for the tests of the families.

use std::collections::{BTreeMap, BTreeSet};

use desired::{Arch, Mode};

use crate::model::{
    Board, Docker, Flannel, Images, K3s, K3sRole, Kubelet, Model, Network, Node, Orchestrator, Os, OsFamily,
    Pin, Pins, Power,
};

/// One server and two Raspberry Pis on Debian's thirteenth.
pub fn model() -> Model {
    let nodes = [
        node("server-1", "192.168.1.10", Arch::Amd64, K3sRole::FirstServer),
        node("pi-1", "192.168.1.20", Arch::Arm64, K3sRole::Agent),
        node("pi-2", "192.168.1.21", Arch::Arm64, K3sRole::Agent),
    ];
    Model {
        name: "small".parse().unwrap(),
        description: String::new(),
        domain: None,
        internal_domain: None,
        timezone: "Europe/Berlin".to_owned(),
        allow_http: false,
        admin_user: "operator".to_owned(),
        orchestrator: Orchestrator::K3s,
        dotfiles: None,
        network: Network {
            lan: "192.168.1.0/24".parse().unwrap(),
            gateway: None,
            dns: Vec::new(),
            mesh: None,
        },
        versions: [("k3s".parse().unwrap(), "v1.36.4+k3s1".to_owned())].into(),
        k3s: Some(k3s()),
        docker: Docker::default(),
        registries: BTreeMap::new(),
        mirrors: Vec::new(),
        artifacts: BTreeMap::new(),
        package_files: BTreeMap::new(),
        images: Images::default(),
        nodes: nodes.into_iter().map(|node| (node.name.clone(), node)).collect(),
        shares: BTreeMap::new(),
        services: BTreeMap::new(),
    }
}

fn k3s() -> K3s {
    K3s {
        version: "v1.36.4+k3s1".to_owned(),
        cluster_cidr: "10.42.0.0/16".parse().unwrap(),
        service_cidr: "10.43.0.0/16".parse().unwrap(),
        disable: vec!["traefik".to_owned()],
        flannel_backend: Flannel::Vxlan,
        tls_san: vec!["k3s.home.arpa".to_owned()],
        server_token: "env:SERVER_TOKEN".parse().unwrap(),
        agent_token: "file:/root/join-token".parse().unwrap(),
        secrets_encryption: true,
        data_dir: "/var/lib/rancher/k3s".parse().unwrap(),
    }
}

/// A node on Debian 13 that has nothing but its part in k3s.
pub fn node(name: &str, address: &str, arch: Arch, role: K3sRole) -> Node {
    Node {
        name: name.parse().unwrap(),
        arch,
        os: Os { family: OsFamily::Debian, release: "13".to_owned(), wsl: None, selinux: false },
        board: (arch == Arch::Arm64).then_some(Board::Rpi5),
        address: address.parse().unwrap(),
        mesh_address: None,
        interface: None,
        identity: desired::identity::Identity::default(),
        roles: Vec::new(),
        group: None,
        capabilities: BTreeSet::new(),
        k3s: Some(role),
        labels: BTreeMap::new(),
        taints: BTreeSet::new(),
        kubelet: Kubelet::default(),
        packages: BTreeSet::new(),
        kernel_modules: BTreeSet::new(),
        sysctl: BTreeMap::new(),
        power: Power::AlwaysOn,
        root_medium: None,
        page_size: None,
        protected_disks: BTreeSet::new(),
        flash_target: None,
        card: None,
    }
}

/// Pins for everything the families install.
pub fn pins() -> Pins {
    let mut pins = BTreeMap::new();
    for (artifact, version, file) in [
        ("k3s", "v1.36.4+k3s1", "k3s"),
        ("docker-compose", "v2.40.3", "docker-compose"),
        ("mise", "2026.9.15", "mise"),
        ("chezmoi", "v2.72.1", "chezmoi"),
    ] {
        for arch in Arch::ALL {
            pins.insert(
                (artifact.parse().unwrap(), arch),
                Pin {
                    version: version.to_owned(),
                    file: file.to_owned(),
                    mode: Mode::EXECUTABLE,
                    pinned: desired::Pinned::File {
                        digest: desired::Digest::sha256_of(format!("{artifact} {arch}").as_bytes()),
                        size: None,
                    },
                },
            );
        }
    }
    Pins::new(pins)
}
