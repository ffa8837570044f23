//! What an app keeps and reads: claims, folders that lie on two nodes, shares, and folders of the host.
//!
//! In: volumes, claims and shares of services. Out: mounts of a pod, claims, and in the stage before the volumes that are not made
//! on demand. Each of those is kept for one claim of the same name, and the claim for it (PEERS 7.3 no. 29).

use std::collections::BTreeMap;

use desired::NodeName;
use serde::Serialize;

use super::affinity::NodeSelector;
use super::pod::{HostPath, Mount, Volume};
use super::{App, all, shared};
use crate::escape::Inexpressible;
use crate::lint::service::within;
use crate::model::{AccessMode, Claim, Model, Service, Share, ShareKind};
use crate::render::RenderError;
use crate::render::flux::folder::Tree;
use crate::render::flux::object::{HOST_LABEL, Metadata, Object};
use crate::render::flux::stage::Stage;

/// What an NFS volume is said to hold; nothing measures it.
const SIZE_OF_SHARE: &str = "1Gi";

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PersistentVolume {
    access_modes: [&'static str; 1],
    capacity: Storage,
    claim_ref: ClaimReference,
    /// What is in it outlives its claim.
    persistent_volume_reclaim_policy: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mount_options: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local: Option<Local>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nfs: Option<Nfs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node_affinity: Option<Required>,
}

#[derive(Debug, Serialize)]
struct Storage {
    storage: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ClaimReference {
    api_version: &'static str,
    kind: &'static str,
    name: String,
    namespace: String,
}

#[derive(Debug, Serialize)]
struct Local {
    path: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Nfs {
    server: String,
    path: String,
    read_only: bool,
}

#[derive(Debug, Serialize)]
struct Required {
    required: NodeSelector,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PersistentVolumeClaim {
    access_modes: [&'static str; 1],
    resources: Requests,
    /// Empty where no class shall be put in.
    storage_class_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    volume_name: Option<String>,
}

#[derive(Debug, Serialize)]
struct Requests {
    requests: Storage,
}

/// A claim that every replica has for itself.
#[derive(Debug, Serialize)]
pub(super) struct ClaimTemplate {
    metadata: Metadata,
    spec: PersistentVolumeClaim,
}

/// A folder of an app that lies at the same path on the node it prefers and on the one that stands by (document 004).
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) path: String,
    size: String,
    /// The preferred node's first.
    pub(super) places: Vec<Place>,
}

#[derive(Debug)]
pub(super) struct Place {
    volume: String,
    pub(super) claim: String,
    pub(super) node: NodeName,
}

/// The service that says how folders on two nodes are called and copied, by the pattern of their path.
pub(super) fn replicator(model: &Model) -> Option<&Service> {
    model.services.values().find(|service| service.settings.contains_key("volume-path"))
}

/// The folders of an app on its nodes, if it has them where the pattern says.
pub(super) fn pair(model: &Model, service: &Service) -> Option<Pair> {
    let replicator = replicator(model)?;
    let named = |key: &str| Some(replicator.settings.get(key)?.replace("<app>", &service.name));
    let path = named("volume-path")?;
    service.volumes.iter().find(|volume| volume.source.as_str() == path)?;
    let others = service.nodes.iter().filter(|node| !service.prefers.contains(node));
    let keys = [("volume-primary", "claim-primary"), ("volume-backup", "claim-backup")];
    let place = |((volume, claim), node): ((&str, &str), &NodeName)| {
        Some(Place { volume: named(volume)?, claim: named(claim)?, node: node.clone() })
    };
    let places = keys.into_iter().zip(service.prefers.iter().chain(others)).filter_map(place).collect();
    Some(Pair { path, size: named("volume-size").unwrap_or_else(|| "1Gi".to_owned()), places })
}

/// Where a volume's folder comes from.
enum Source {
    /// A share, with the folder below it.
    Share(String, Option<String>),
    /// The claim of a folder on the preferred node.
    Claim(String),
    Host,
}

fn source(model: &Model, service: &Service, path: &str) -> Source {
    let shares = service.needs_shares.iter().filter_map(|name| model.shares.get(name));
    for share in shares {
        for point in service.nodes.iter().filter_map(|node| share.clients.get(node)) {
            if within(path, point) {
                let below = path[point.len()..].trim_matches('/');
                return Source::Share(share.name.clone(), (!below.is_empty()).then(|| below.to_owned()));
            }
        }
    }
    match pair(model, service).filter(|pair| pair.path == path) {
        Some(pair) => pair.places.into_iter().next().map_or(Source::Host, |place| Source::Claim(place.claim)),
        None => Source::Host,
    }
}

/// The volumes of an app's pod, and where its container sees them.
pub(super) fn mounts(model: &Model, app: App<'_>) -> (Vec<Volume>, Vec<Mount>) {
    let (mut volumes, mut mounts) = (Vec::new(), Vec::new());
    for volume in &app.service.volumes {
        let path = volume.source.as_str();
        let mut mount = Mount {
            name: name_of(path),
            mount_path: volume.target.to_string(),
            mount_propagation: None,
            read_only: volume.read_only,
            sub_path: None,
        };
        volumes.push(match source(model, app.service, path) {
            Source::Share(share, below) => {
                mount.sub_path = below;
                Volume::of_claim(&mount.name, share)
            }
            Source::Claim(claim) => Volume::of_claim(&mount.name, claim),
            Source::Host => {
                mount.mount_propagation = app.kubernetes.propagation.map(|how| how.as_str());
                let host_path = Some(HostPath { path: path.to_owned(), kind: "Directory" });
                Volume { name: mount.name.clone(), host_path, persistent_volume_claim: None }
            }
        });
        mounts.push(mount);
    }
    for claim in &app.kubernetes.claims {
        mounts.push(Mount {
            name: claim.name.clone(),
            mount_path: claim.path.to_string(),
            mount_propagation: None,
            read_only: false,
            sub_path: None,
        });
        if !claim.each {
            volumes.push(Volume::of_claim(&claim.name, claim_name(app.service, claim)));
        }
    }
    (volumes, mounts)
}

/// `/mnt/dfs` as `mnt-dfs`: a label of DNS.
fn name_of(path: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    path.trim_matches('/').chars().map(plain).collect::<String>().trim_matches('-').to_owned()
}

fn claim_name(service: &Service, claim: &Claim) -> String {
    match claim.mode {
        AccessMode::ReadWriteMany => claim.name.clone(),
        AccessMode::ReadWriteOnce => format!("{}-{}", service.name, claim.name),
    }
}

fn spec_of(claim: &Claim) -> PersistentVolumeClaim {
    PersistentVolumeClaim {
        access_modes: [claim.mode.as_str()],
        resources: Requests { requests: Storage { storage: claim.size.clone() } },
        storage_class_name: claim.class.clone(),
        volume_name: None,
    }
}

/// Claims that every replica of an app has for itself.
pub(super) fn templates(app: App<'_>) -> Vec<ClaimTemplate> {
    let each = app.kubernetes.claims.iter().filter(|claim| claim.each);
    each.map(|claim| ClaimTemplate { metadata: Metadata::of_cluster(&claim.name), spec: spec_of(claim) })
        .collect()
}

fn put_claim(
    tree: &mut Tree,
    folder: &str,
    (category, name): (&str, &str),
    spec: PersistentVolumeClaim,
) -> Result<(), RenderError> {
    let object = Object::new("v1", "PersistentVolumeClaim", Metadata::within(category, name), spec);
    tree.put(folder, &format!("claim-{name}"), &object)
}

/// The claims of one app alone, and the volumes behind those that are not made on demand.
pub(super) fn put(tree: &mut Tree, model: &Model, app: App<'_>) -> Result<(), RenderError> {
    let category = app.kubernetes.category.as_str();
    for claim in &app.kubernetes.claims {
        if claim.mode == AccessMode::ReadWriteOnce && !claim.each {
            let name = claim_name(app.service, claim);
            put_claim(tree, &app.folder(), (category, &name), spec_of(claim))?;
        }
    }
    let Some(pair) = pair(model, app.service) else { return Ok(()) };
    for place in &pair.places {
        let mode = AccessMode::ReadWriteOnce.as_str();
        let storage = || Storage { storage: pair.size.clone() };
        let spec = PersistentVolume {
            access_modes: [mode],
            capacity: storage(),
            claim_ref: reference(category, &place.claim),
            persistent_volume_reclaim_policy: "Retain",
            mount_options: Vec::new(),
            local: Some(Local { path: pair.path.clone() }),
            nfs: None,
            node_affinity: Some(Required {
                required: NodeSelector::of(HOST_LABEL, vec![place.node.to_string()]),
            }),
        };
        put_volume(tree, &place.volume, spec)?;
        let claim = PersistentVolumeClaim {
            access_modes: [mode],
            resources: Requests { requests: storage() },
            storage_class_name: String::new(),
            volume_name: Some(place.volume.clone()),
        };
        put_claim(tree, &app.folder(), (category, &place.claim), claim)?;
    }
    Ok(())
}

fn put_volume(tree: &mut Tree, name: &str, spec: PersistentVolume) -> Result<(), RenderError> {
    let object = Object::new("v1", "PersistentVolume", Metadata::of_cluster(name), spec);
    tree.put(Stage::Storage.folder(), name, &object)
}

fn reference(category: &str, claim: &str) -> ClaimReference {
    ClaimReference {
        api_version: "v1",
        kind: "PersistentVolumeClaim",
        name: claim.to_owned(),
        namespace: category.to_owned(),
    }
}

/// Claims that several apps of a category use: folders that many may write, and shares.
pub(super) fn put_shared(tree: &mut Tree, model: &Model, category: &str) -> Result<(), RenderError> {
    let apps = || all(model).filter(|app| app.kubernetes.category == category);
    let mut many: BTreeMap<&str, PersistentVolumeClaim> = BTreeMap::new();
    for (app, claim) in apps().flat_map(|app| app.kubernetes.claims.iter().map(move |claim| (app, claim))) {
        if claim.mode != AccessMode::ReadWriteMany || claim.each {
            continue;
        }
        let spec = spec_of(claim);
        let first = many.entry(&claim.name).or_insert_with(|| spec_of(claim));
        if (&first.storage_class_name, &first.resources.requests.storage)
            != (&spec.storage_class_name, &spec.resources.requests.storage)
        {
            let why = "another app has a claim of this name with another class or size";
            let fault = Inexpressible::new("a shared claim", &app.service.name, why);
            return Err(RenderError::inexpressible("the Flux tree")(fault));
        }
    }
    for (name, spec) in many {
        put_claim(tree, &shared(category), (category, name), spec)?;
    }
    // Also those that only stand by: after a failover the claim of a pod is another one (decision 0014).
    let shares = model.shares.values().filter(|share| {
        share.kind == ShareKind::Nfs
            && apps().any(|app| app.service.nodes.iter().any(|node| share.clients.contains_key(node)))
    });
    for share in shares {
        put_share(tree, model, category, share)?;
    }
    Ok(())
}

fn put_share(tree: &mut Tree, model: &Model, category: &str, share: &Share) -> Result<(), RenderError> {
    let Some(server) = model.server_address(share) else { return Ok(()) };
    let mode = if share.read_only { "ReadOnlyMany" } else { "ReadWriteMany" };
    let name = format!("nfs-{category}-{}", share.name);
    let storage = || Storage { storage: SIZE_OF_SHARE.to_owned() };
    let mut mount_options = vec![format!("nfsvers={}", share.protocol_version)];
    mount_options.extend(share.soft.then(|| "soft".to_owned()));
    mount_options.extend(["nosuid", "nodev"].map(str::to_owned));
    mount_options.extend(share.options.iter().cloned());
    let spec = PersistentVolume {
        access_modes: [mode],
        capacity: storage(),
        claim_ref: reference(category, &share.name),
        persistent_volume_reclaim_policy: "Retain",
        mount_options,
        local: None,
        nfs: Some(Nfs {
            server: server.to_string(),
            path: share.path.to_string(),
            read_only: share.read_only,
        }),
        node_affinity: None,
    };
    put_volume(tree, &name, spec)?;
    let claim = PersistentVolumeClaim {
        access_modes: [mode],
        resources: Requests { requests: storage() },
        storage_class_name: String::new(),
        volume_name: Some(name),
    };
    put_claim(tree, &shared(category), (category, &share.name), claim)
}
