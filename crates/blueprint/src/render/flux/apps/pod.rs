//! Pods, as the API wants them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::affinity::Affinity;
use crate::render::flux::object::{Pairs, Toleration};

#[derive(Debug, Serialize)]
pub(super) struct Template {
    pub(super) metadata: TemplateMetadata,
    pub(super) spec: Pod,
}

#[derive(Debug, Serialize)]
pub(super) struct TemplateMetadata {
    pub(super) labels: Pairs,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pod {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) affinity: Option<Affinity>,
    /// No app asks the API for anything.
    pub(super) automount_service_account_token: bool,
    pub(super) containers: [Container; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) enable_service_links: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) runtime_class_name: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tolerations: Vec<Toleration>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) volumes: Vec<Volume>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) image: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) env: Vec<Variable>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) ports: Vec<Port>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) readiness_probe: Option<Probe>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) resources: Option<Resources>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) security_context: Option<SecurityContext>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) volume_mounts: Vec<Mount>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Variable {
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value_from: Option<ValueFrom>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ValueFrom {
    pub(super) secret_key_ref: SecretKey,
}

/// A key of a Secret that a person made.
#[derive(Debug, Serialize)]
pub(super) struct SecretKey {
    pub(super) name: String,
    pub(super) key: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Port {
    pub(super) container_port: u16,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Probe {
    pub(super) tcp_socket: Socket,
}

#[derive(Debug, Serialize)]
pub(super) struct Socket {
    pub(super) port: u16,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Resources {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) requests: Pairs,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) limits: Pairs,
}

#[derive(Debug, Serialize)]
pub(super) struct SecurityContext {
    pub(super) privileged: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mount {
    pub(super) name: String,
    pub(super) mount_path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mount_propagation: Option<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) read_only: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sub_path: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Volume {
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) host_path: Option<HostPath>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) persistent_volume_claim: Option<ClaimSource>,
}

impl Volume {
    /// A volume that somebody claimed.
    pub(super) fn of_claim(name: &str, claim_name: String) -> Self {
        let source = ClaimSource { claim_name };
        Self { name: name.to_owned(), host_path: None, persistent_volume_claim: Some(source) }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct HostPath {
    pub(super) path: String,
    /// A folder that is missing is not made: it would lie on the root disk.
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClaimSource {
    pub(super) claim_name: String,
}
