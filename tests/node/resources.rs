//! What trials want of a node: a resource of every kind that lives in files.

use super::{NODE, VARIABLE};
use desired::artifact::Pinned;
use desired::order::order;
use desired::resource::{KernelFact, Owner, Resource, SecretPart, Want};
use desired::{ByteSize, Digest, Mode};
use std::collections::BTreeMap;

/// A resource of every kind that lives in files; the unit is one whose file is among them.
///
/// # Panics
/// Never: all names here are legal.
#[must_use]
pub fn resources() -> Vec<Resource> {
    let path = |text: &str| text.parse().expect("a legal path");
    let mode = |text: &str| text.parse().expect("a legal mode");
    let pi = Owner { user: "pi".to_owned(), group: "pi".to_owned() };
    let file = |at: &str, content: &str| {
        let owner = if at.starts_with("/home/pi") { pi.clone() } else { Owner::root() };
        Resource::new(Want::File { path: path(at), mode: Mode::PUBLIC, owner, content: content.to_owned() })
    };
    let folder =
        |at: &str| Resource::new(Want::Directory { path: path(at), mode: mode("0750"), owner: pi.clone() });
    let block = |at: &str, name: &str, content: &str| {
        let (name, comment) = (name.to_owned(), "#".to_owned());
        Resource::new(Want::ManagedBlock { path: path(at), name, comment, content: content.to_owned() })
    };
    let config = file("/etc/trial/deep/config.yaml", "token-file: /etc/trial/token\n");
    let unit_text = "[Service]\nExecStart=/usr/local/bin/tool\n[Install]\nWantedBy=multi-user.target\n";
    let all = vec![
        Resource::new(Want::Hostname { name: NODE.parse().expect("a legal name") }),
        Resource::new(Want::KernelModule { name: "vxlan".to_owned() }),
        Resource::new(Want::Sysctl { key: "vm.swappiness".to_owned(), value: "10".to_owned() }),
        token(),
        Resource::new(Want::Unit {
            name: "trial.service".parse().expect("a legal name"),
            enabled: true,
            active: true,
            waits: false,
            restart_on: [config.id.clone()].into(),
        }),
        config,
        file("/etc/motd", "ours\n"),
        file("/etc/linked", "no longer a link\n"),
        file("/home/pi/.config/trial.toml", "a = 1\n"),
        file("/etc/systemd/system/trial.service", unit_text),
        folder("/home/pi/.config"),
        folder("/srv/deep/data"),
        block("/etc/fstab", "mounts", "nas:/a /mnt nfs4 _netdev 0 0\n"),
        block("/etc/hosts", "cluster", "192.168.1.10 pc\n"),
        block("/etc/hosts", "mesh", "100.64.0.1 pc.mesh\n"),
        block("/etc/exports", "shares", "/srv 192.168.1.0/24(ro)\n"),
        memory_cgroup(),
        artifact("/usr/local/bin/tool"),
        Resource::new(Want::Packages {
            manager: desired::resource::PackageManager::Apt,
            names: ["nfs-common".to_owned()].into(),
            files: BTreeMap::new(),
        }),
        Resource::new(Want::NodeMetadata {
            node: NODE.parse().expect("a legal name"),
            labels: BTreeMap::new(),
            taints: std::collections::BTreeSet::new(),
        }),
    ];
    order(&all).expect("they have an order").into_iter().cloned().collect()
}

/// A secret between words that are none.
fn token() -> Resource {
    Resource::new(Want::SecretFile {
        path: "/etc/trial/token".parse().expect("a legal path"),
        mode: Mode::PRIVATE,
        owner: Owner::root(),
        parts: vec![
            SecretPart::Text("token=".to_owned()),
            SecretPart::Secret(format!("env:{VARIABLE}").parse().expect("a legal reference")),
            SecretPart::Text("\n".to_owned()),
        ],
    })
}

/// The words by which a Raspberry Pi has a memory cgroup.
///
/// # Panics
/// Never: its path is legal.
#[must_use]
pub fn memory_cgroup() -> Resource {
    Resource::new(Want::ManagedLine {
        path: "/boot/firmware/cmdline.txt".parse().expect("a legal path"),
        words: ["cgroup_memory=1", "cgroup_enable=memory"].map(str::to_owned).into(),
        unless: Some(KernelFact::MemoryCgroup),
    })
}

/// The artifact of the bundle, at `path`.
///
/// # Panics
/// If `path` is no absolute path.
#[must_use]
pub fn artifact(path: &str) -> Resource {
    let bytes = tool();
    Resource::new(Want::Artifact {
        path: path.parse().expect("a legal path"),
        mode: Mode::EXECUTABLE,
        artifact: "tool".parse().expect("a legal name"),
        file: "tool".to_owned(),
        version: None,
        pinned: Pinned::File { digest: Digest::sha256_of(&bytes), size: Some(ByteSize(bytes.len() as u64)) },
    })
}

/// The artifact's bytes: some, and no text.
#[must_use]
pub fn tool() -> Vec<u8> {
    (0..300_000_u32).map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect()
}
