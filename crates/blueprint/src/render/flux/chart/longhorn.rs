//! Longhorn's values and its class for folders that many pods share.
//!
//! In: the settings of the service, by Longhorn's own names. Out: values in which all three kinds of its pods tolerate the taint
//! of storage nodes (FIELD L8), replicas as many as the spec says in the setting and in both classes (FIELD L6).

use std::collections::BTreeMap;

use serde::Serialize;

use super::tolerations;
use crate::model::{Model, Service};
use crate::render::RenderError;
use crate::render::flux::folder::Tree;
use crate::render::flux::object::{Metadata, Pairs, Toleration, pairs};
use crate::render::flux::stage::Stage;

/// Settings that are said elsewhere than below `defaultSettings`.
const ELSEWHERE: [&str; 2] = ["numberOfReplicas", "shareManagerNodeSelector"];

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Values {
    default_settings: BTreeMap<String, Scalar>,
    persistence: Persistence,
    longhorn_manager: Part,
    longhorn_driver: Part,
    #[serde(rename = "longhornUI")]
    longhorn_ui: Part,
}

/// A setting, without quotes where it is a number or a truth.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Scalar {
    Truth(bool),
    Number(u32),
    Text(String),
}

impl Scalar {
    fn of(text: &str) -> Self {
        match (text.parse(), text.parse()) {
            (Ok(truth), _) => Self::Truth(truth),
            (_, Ok(number)) => Self::Number(number),
            _ => Self::Text(text.to_owned()),
        }
    }
}

/// The class `longhorn`, which the chart makes itself.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Persistence {
    default_class: bool,
    default_class_replica_count: Scalar,
}

#[derive(Debug, Clone, Serialize)]
struct Part {
    tolerations: Vec<Toleration>,
}

fn replicas(service: &Service) -> &str {
    service.settings.get("numberOfReplicas").map_or("2", String::as_str)
}

pub(super) fn values(model: &Model, service: &Service) -> Values {
    let part = Part { tolerations: tolerations(model, service) };
    // Longhorn's names begin with a small letter and have no hyphen; ours (`chart-version`) have one.
    let own = service.settings.iter().filter(|(key, _)| {
        !key.contains('-')
            && !["chart", "namespace"].contains(&key.as_str())
            && !ELSEWHERE.contains(&key.as_str())
    });
    Values {
        default_settings: own.map(|(key, value)| (key.clone(), Scalar::of(value))).collect(),
        persistence: Persistence {
            default_class: true,
            default_class_replica_count: Scalar::of(replicas(service)),
        },
        longhorn_manager: part.clone(),
        longhorn_driver: part.clone(),
        longhorn_ui: part,
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StorageClass {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
    provisioner: &'static str,
    allow_volume_expansion: bool,
    reclaim_policy: &'static str,
    volume_binding_mode: &'static str,
    parameters: Pairs,
}

/// `longhorn-shared`, whose NFS servers stay on storage nodes (decision 0014).
pub(super) fn put(tree: &mut Tree, service: &Service) -> Result<(), RenderError> {
    let mut parameters =
        pairs([("numberOfReplicas", replicas(service)), ("staleReplicaTimeout", "30"), ("fsType", "ext4")]);
    if let Some(selector) = service.settings.get("shareManagerNodeSelector") {
        parameters.insert("shareManagerNodeSelector".to_owned(), selector.clone());
    }
    let class = StorageClass {
        api_version: "storage.k8s.io/v1",
        kind: "StorageClass",
        metadata: Metadata::of_cluster("longhorn-shared"),
        provisioner: "driver.longhorn.io",
        allow_volume_expansion: true,
        reclaim_policy: "Delete",
        volume_binding_mode: "Immediate",
        parameters,
    };
    tree.put(Stage::Storage.folder(), "class-longhorn-shared", &class)
}
