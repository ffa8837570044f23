//! Copies of an app's folder on the node that stands by, by VolSync and restic (decision 0015).
//!
//! In: an app with a folder on two nodes. Out: a source on the first claim, a destination on the second, and a pod that does nothing
//! but hold the second: VolSync's movers run where the pod that uses a volume runs and tolerate what that tolerates, and have no
//! other way onto a tainted node (VolSync 0.16, internal/controller/utils/affinity.go). The repository is a Secret of a person's.

use serde::Serialize;

use super::App;
use super::affinity;
use super::pod::{Container, Mount, Pod, Volume};
use super::volume::{self, Place};
use super::workload;
use crate::model::{Model, Service};
use crate::render::RenderError;
use crate::render::flux::folder::Tree;
use crate::render::flux::object::{Metadata, Object};

/// What movers keep of the repository; without a size it would be that of the volume.
const CACHE: &str = "1Gi";

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Source {
    #[serde(rename = "sourcePVC")]
    source: String,
    trigger: Trigger,
    restic: Backup,
}

#[derive(Debug, Serialize)]
struct Destination {
    trigger: Trigger,
    restic: Restore,
}

#[derive(Debug, Serialize)]
struct Trigger {
    schedule: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Backup {
    repository: String,
    copy_method: &'static str,
    cache_capacity: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    mover_security_context: Option<Identity>,
    prune_interval_days: u32,
    retain: Retain,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Restore {
    repository: String,
    copy_method: &'static str,
    cache_capacity: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    mover_security_context: Option<Identity>,
    #[serde(rename = "destinationPVC")]
    destination: String,
    /// What the app deleted is deleted in the copy too.
    enable_file_deletion: bool,
}

#[derive(Debug, Serialize)]
struct Retain {
    hourly: u32,
    daily: u32,
    weekly: u32,
}

/// Who a mover is, to read what the app writes.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    run_as_user: u32,
    run_as_group: u32,
    fs_group: u32,
}

impl Identity {
    /// As the app is told to be, in the way of linuxserver.io's images.
    fn of(service: &Service) -> Option<Self> {
        let number = |name: &str| service.environment.get(name)?.parse().ok();
        let (user, group) = (number("PUID")?, number("PGID")?);
        Some(Self { run_as_user: user, run_as_group: group, fs_group: group })
    }
}

/// Source, destination and holder; nothing for an app without a second folder, or where nothing copies.
pub(super) fn put(tree: &mut Tree, model: &Model, app: App<'_>) -> Result<(), RenderError> {
    let (Some(pair), Some(replicator)) = (volume::pair(model, app.service), volume::replicator(model)) else {
        return Ok(());
    };
    let schedules = (replicator.settings.get("backup-schedule"), replicator.settings.get("restore-schedule"));
    let ([primary, backup], (Some(back_up), Some(restore))) = (pair.places.as_slice(), schedules) else {
        return Ok(());
    };
    let name = &app.service.name;
    let metadata = || Metadata::within(&app.kubernetes.category, name).of_service(name);
    let repository = format!("volsync-{name}");
    let identity = Identity::of(app.service);
    let source = Source {
        source: primary.claim.clone(),
        trigger: Trigger { schedule: back_up.clone() },
        restic: Backup {
            repository: repository.clone(),
            // Folders of a node have no snapshots.
            copy_method: "Direct",
            cache_capacity: CACHE,
            mover_security_context: identity,
            prune_interval_days: 7,
            retain: Retain { hourly: 24, daily: 7, weekly: 4 },
        },
    };
    let destination = Destination {
        trigger: Trigger { schedule: restore.clone() },
        restic: Restore {
            repository,
            copy_method: "Direct",
            cache_capacity: CACHE,
            mover_security_context: identity,
            destination: backup.claim.clone(),
            enable_file_deletion: true,
        },
    };
    let folder = app.folder();
    let api = "volsync.backube/v1alpha1";
    tree.put(&folder, "replication-source", &Object::new(api, "ReplicationSource", metadata(), source))?;
    tree.put(
        &folder,
        "replication-destination",
        &Object::new(api, "ReplicationDestination", metadata(), destination),
    )?;
    put_holder(tree, model, app, (replicator, backup))
}

fn put_holder(
    tree: &mut Tree,
    model: &Model,
    app: App<'_>,
    (replicator, backup): (&Service, &Place),
) -> Result<(), RenderError> {
    let Some(image) = replicator.images.get("holder") else { return Ok(()) };
    let mount = Mount {
        name: "backup".to_owned(),
        mount_path: "/backup".to_owned(),
        mount_propagation: None,
        read_only: true,
        sub_path: None,
    };
    let pod = Pod {
        affinity: None,
        automount_service_account_token: false,
        containers: [Container {
            name: "holder".to_owned(),
            image: image.clone(),
            env: Vec::new(),
            ports: Vec::new(),
            readiness_probe: None,
            resources: None,
            security_context: None,
            volume_mounts: vec![mount],
        }],
        enable_service_links: Some(false),
        runtime_class_name: None,
        tolerations: affinity::tolerations(model, app.service),
        volumes: vec![Volume::of_claim("backup", backup.claim.clone())],
    };
    let name = format!("{}-backup-holder", app.service.name);
    tree.put(&app.folder(), "backup-holder", &workload::holder(&app.kubernetes.category, &name, pod))
}
