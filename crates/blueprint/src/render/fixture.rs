//! A small cluster for the families' own tests: a server with a disk, a Compose client, a k3s agent, a Mac.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use desired::{Arch, NodeName};

use crate::model::{
    Capability, Images, K3sRole, Kubelet, Model, Network, Node, Orchestrator, Os, OsFamily, Power, Service,
    ServiceKind, Share, ShareKind, ShareServer, Via, Volume,
};

/// The cluster: nodes `store`, `maker`, `worker` and `mac`, an SMB share `nas`, a Compose service `forge`.
pub fn model() -> Model {
    use Capability::{Chezmoi, Docker, Mise, SmbServer};
    let nodes = [
        node("store", 1, OsFamily::Debian, &[Docker, Mise, Chezmoi, SmbServer], None),
        node("maker", 2, OsFamily::Debian, &[Docker, Mise, Chezmoi], None),
        node("worker", 3, OsFamily::RaspberryPiOs, &[], Some(K3sRole::Agent)),
        node("mac", 4, OsFamily::Macos, &[Chezmoi, Mise], None),
    ];
    Model {
        name: "lab".parse().unwrap(),
        description: "a lab".to_owned(),
        domain: None,
        internal_domain: None,
        timezone: "Etc/UTC".to_owned(),
        allow_http: false,
        admin_user: "ada".to_owned(),
        orchestrator: Orchestrator::Compose,
        dotfiles: None,
        network: Network {
            lan: "192.168.7.0/24".parse().unwrap(),
            gateway: None,
            dns: Vec::new(),
            mesh: None,
        },
        versions: [("mise", "2026.9.15"), ("chezmoi", "v2.72.1"), ("docker-compose", "v2.40.3")]
            .map(|(name, version)| (name.parse().unwrap(), version.to_owned()))
            .into(),
        k3s: None,
        registries: BTreeMap::new(),
        mirrors: Vec::new(),
        package_files: BTreeMap::new(),
        images: Images::default(),
        docker: crate::model::Docker {
            networks: BTreeMap::from([("lab-net".to_owned(), "172.20.0.0/16".parse().unwrap())]),
            ..crate::model::Docker::default()
        },
        artifacts: BTreeMap::new(),
        nodes: nodes.into_iter().map(|node| (node.name.clone(), node)).collect(),
        shares: BTreeMap::from([("nas".to_owned(), share())]),
        services: BTreeMap::from([("forge".to_owned(), service())]),
    }
}

fn node(name: &str, number: u8, family: OsFamily, capabilities: &[Capability], k3s: Option<K3sRole>) -> Node {
    Node {
        name: name.parse().unwrap(),
        arch: Arch::Arm64,
        os: Os { family, release: "13".to_owned(), wsl: None, selinux: false },
        board: None,
        address: Ipv4Addr::new(192, 168, 7, number),
        mesh_address: Some(Ipv4Addr::new(100, 64, 0, number)),
        interface: None,
        identity: desired::identity::Identity::default(),
        roles: Vec::new(),
        group: None,
        capabilities: capabilities.iter().copied().collect(),
        k3s,
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

fn share() -> Share {
    let client = |node: &str, mount_point: &str| (node.parse().unwrap(), mount_point.to_owned());
    Share {
        name: "nas".to_owned(),
        kind: ShareKind::Smb,
        server: ShareServer::Node("store".parse().unwrap()),
        path: "/media/ada/my nas".parse().unwrap(),
        export_name: "nas".to_owned(),
        via: Via::Mesh,
        clients: BTreeMap::from([
            client("maker", "/mnt/my nas"),
            client("worker", "/mnt/media-data"),
            client("mac", "/Volumes/nas"),
        ]),
        protocol_version: "3.1.1".to_owned(),
        read_only: false,
        soft: false,
        user: Some("ada".to_owned()),
        password: Some("infisical:/samba/PASSWORD".parse().unwrap()),
        workgroup: Some("LAB".to_owned()),
        device: Some("/dev/disk/by-uuid/1234-5678".parse().unwrap()),
        filesystem: Some("xfs".to_owned()),
        directories: vec!["data".to_owned()],
        export_to: "192.168.7.0/24".parse().unwrap(),
        fsid: None,
        squash_to: None,
        options: Vec::new(),
        gates: vec!["docker.service".parse().unwrap(), "k3s.service".parse().unwrap()],
        mount_timeout_secs: 30,
        idle_timeout_secs: Some(600),
    }
}

fn service() -> Service {
    let on: BTreeSet<NodeName> = ["store", "maker"].iter().map(|name| name.parse().unwrap()).collect();
    Service {
        name: "forge".to_owned(),
        kind: ServiceKind::Compose,
        compose: None,
        description: "Git".to_owned(),
        nodes: on,
        images: BTreeMap::from([("forge".to_owned(), "example/forge:1.2.3".to_owned())]),
        ports: vec!["3300:3000".to_owned()],
        domains: Vec::new(),
        volumes: vec![Volume {
            source: "/media/ada/my nas/data/forge".parse().unwrap(),
            target: "/data".parse().unwrap(),
            read_only: false,
        }],
        secrets_path: Some("/forge".parse().unwrap()),
        secrets: vec!["FORGE_KEY".to_owned()],
        environment: BTreeMap::new(),
        settings: BTreeMap::new(),
        containers: BTreeMap::new(),
        help: BTreeMap::new(),
        variants: BTreeSet::new(),
        chart: None,
        replicas: 1,
        prefers: Vec::new(),
        schedule: None,
        needs_shares: BTreeSet::new(),
        tolerates: BTreeSet::new(),
        gpu: false,
        database: false,
        cpu_request: None,
        memory_request: None,
        memory_limit: None,
    }
}
