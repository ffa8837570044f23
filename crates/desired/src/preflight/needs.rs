//! What a node's resources need of it.
//!
//! In: the resources a bundle carries. Out: [`Needs`]: which part in k3s, which server, how much is written. k3s's own
//! settings are read off the `config.yaml` among the resources, since that is what k3s will do; nothing says it twice.

use std::collections::{BTreeMap, BTreeSet};

use crate::resource::{PACKAGE_FILES, PackageFile, Resource, SecretPart, Want};
use crate::types::{AbsPath, Arch, ArtifactName, NodeName};

/// Where k3s reads its settings.
pub const CONFIG: &str = "/etc/rancher/k3s/config.yaml";
/// Where k3s reads the token.
pub const TOKEN: &str = "/etc/rancher/k3s/token";
/// Where k3s keeps its data if its settings say nothing else.
const DATA: &str = "/var/lib/rancher/k3s";

/// What is needed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// The bundle's architecture; none without a bundle.
    pub arch: Option<Arch>,
    /// The name the node gets; none when it keeps its own.
    pub hostname: Option<NodeName>,
    /// Its part in k3s.
    pub k3s: Option<K3sNeeds>,
    /// Words that will be put on the kernel's command line.
    pub kernel_words: BTreeSet<String>,
    /// Packages it gets.
    pub packages: BTreeSet<String>,
    /// Files that will be written, with their sizes in bytes as far as they are known.
    pub writes: Vec<Write>,
}

/// One file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Where.
    pub path: AbsPath,
    /// Bytes.
    pub size: u64,
}

/// The part a node has in k3s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The server that makes the cluster.
    FirstServer,
    /// A server that joins another.
    Server,
    /// An agent.
    Agent,
}

impl Role {
    /// Whether it is a server.
    #[must_use]
    pub const fn is_server(self) -> bool {
        matches!(self, Self::FirstServer | Self::Server)
    }
}

/// What k3s will be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct K3sNeeds {
    /// Which part.
    pub role: Role,
    /// The address of the server it joins.
    pub server: Option<String>,
    /// The interface pods talk over, if it is named.
    pub interface: Option<String>,
    /// The node's address, if it is named.
    pub address: Option<String>,
    /// What flannel runs on; agents learn it from the server.
    pub backend: Option<String>,
    /// Where k3s keeps its data.
    pub data_directory: String,
    /// Its version, as the vendor writes it.
    pub version: Option<String>,
    /// k3s prefers its own iptables.
    pub bundled_programs: bool,
    /// It runs etcd.
    pub etcd: bool,
    /// The text of the token's file with its references.
    pub token: Option<Vec<SecretPart>>,
}

impl Needs {
    /// Reads them off `resources`.
    #[must_use]
    pub fn of(arch: Option<Arch>, resources: &[Resource]) -> Self {
        let mut needs = Self { arch, ..Self::default() };
        for Resource { want, .. } in resources {
            let write = match want {
                Want::File { path, content, .. } | Want::ManagedBlock { path, content, .. } => {
                    Some((path, content.len() as u64))
                }
                Want::Artifact { path, pinned, .. } => Some((path, pinned.size().map_or(0, |size| size.0))),
                Want::ManagedLine { words, .. } => {
                    needs.kernel_words.extend(words.iter().cloned());
                    None
                }
                Want::Hostname { name } => {
                    needs.hostname = Some(name.clone());
                    None
                }
                Want::Packages { names, files, .. } => {
                    needs.packages.extend(names.iter().cloned());
                    needs.writes.extend(package_files(files));
                    None
                }
                _ => None,
            };
            needs.writes.extend(write.map(|(path, size)| Write { path: path.clone(), size }));
        }
        needs.k3s = k3s(resources);
        needs
    }
}

/// Package files are laid down on the node before its package manager reads them.
fn package_files(files: &BTreeMap<ArtifactName, PackageFile>) -> Option<Write> {
    let size = files.values().filter_map(|file| file.pinned.size()).map(|size| size.0).sum();
    let path = PACKAGE_FILES.parse().ok()?;
    (!files.is_empty()).then_some(Write { path, size })
}

fn k3s(resources: &[Resource]) -> Option<K3sNeeds> {
    let has_unit = |unit: &str| {
        resources
            .iter()
            .any(|resource| matches!(&resource.want, Want::Unit { name, .. } if name.as_str() == unit))
    };
    let (is_server, is_agent) = (has_unit("k3s.service"), has_unit("k3s-agent.service"));
    if !is_server && !is_agent {
        return None;
    }
    let settings = resources.iter().find_map(|resource| match &resource.want {
        Want::File { path, content, .. } if path.as_str() == CONFIG => Some(scalars(content)),
        _ => None,
    });
    let settings = settings.unwrap_or_default();
    let of = |key: &str| settings.get(key).cloned();
    let token = resources.iter().find_map(|resource| match &resource.want {
        Want::SecretFile { path, parts, .. } if path.as_str() == TOKEN => Some(parts.clone()),
        _ => None,
    });
    let version = resources.iter().find_map(|resource| match &resource.want {
        Want::Artifact { artifact, version, .. } if artifact.as_str() == "k3s" => version.clone(),
        _ => None,
    });
    let server = of("server");
    let role = match (is_server, &server) {
        (true, None) => Role::FirstServer,
        (true, Some(_)) => Role::Server,
        (false, _) => Role::Agent,
    };
    let is_true = |key: &str| of(key).is_some_and(|value| value == "true");
    Some(K3sNeeds {
        etcd: is_server && (is_true("cluster-init") || server.is_some()),
        role,
        version,
        server,
        interface: of("flannel-iface"),
        address: of("node-ip"),
        backend: of("flannel-backend"),
        data_directory: of("data-dir").unwrap_or_else(|| DATA.to_owned()),
        bundled_programs: is_true("prefer-bundled-bin"),
        token,
    })
}

/// The plain `key: value` lines at the top level of a k3s settings file, quotes taken off. Lists, nested and commented
/// lines are left out: none of the keys asked for is one.
#[must_use]
pub fn scalars(yaml: &str) -> BTreeMap<String, String> {
    let lines = yaml.lines().filter(|line| !line.starts_with([' ', '\t', '#', '-']));
    lines
        .filter_map(|line| {
            let (key, value) = line.split_once(':')?;
            let value = value.split(" #").next().unwrap_or_default().trim();
            let quoted = |quote: char| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
            let value = quoted('"').or_else(|| quoted('\'')).unwrap_or(value);
            (!value.is_empty()).then(|| (key.trim().to_owned(), value.to_owned()))
        })
        .collect()
}

/// Host and port of a server's address; 6443 where it names none.
#[must_use]
pub fn host_and_port(server: &str) -> Option<(String, u16)> {
    let rest = server.strip_prefix("https://")?;
    let rest = rest.split('/').next()?;
    if let Some(inner) = rest.strip_prefix('[') {
        let (host, after) = inner.split_once(']')?;
        let port = after.strip_prefix(':').map_or(Some(6443), |port| port.parse().ok())?;
        return Some((host.to_owned(), port));
    }
    match rest.rsplit_once(':') {
        Some((host, port)) => Some((host.to_owned(), port.parse().ok()?)),
        None if rest.is_empty() => None,
        None => Some((rest.to_owned(), 6443)),
    }
}
