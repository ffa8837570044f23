//! A container of a service as a Deployment with its Service.
//!
//! In: a part of a service. Out: both objects. Folders are those of the node, so that what Compose made is found again;
//! where they are is replaced by the overlay. Kinds and fields: Kubernetes API, apps/v1 and v1.

use serde::Serialize;
use serde_json::{Value, json};

use super::object::{Metadata, Object, Resources, Table, Toleration};
use super::placement::{self, Affinity};
use crate::model::{Model, Service};
use crate::render::application::{Folder, Part};

/// The label that pods of a part are found by.
const NAME: &str = "app.kubernetes.io/name";

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    replicas: u32,
    selector: Selector,
    strategy: Strategy,
    template: Template,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Selector {
    match_labels: Table,
}

/// Never two at once on the same database.
#[derive(Debug, Serialize)]
struct Strategy {
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Debug, Serialize)]
struct Template {
    metadata: Labels,
    spec: Pod,
}

#[derive(Debug, Serialize)]
struct Labels {
    labels: Table,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Pod {
    /// A Service called komga would set KOMGA_PORT, which programs that read KOMGA_* from the environment take for theirs.
    enable_service_links: bool,
    automount_service_account_token: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    affinity: Option<Affinity>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tolerations: Vec<Toleration>,
    containers: Vec<Container>,
    volumes: Vec<Volume>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    name: String,
    image: String,
    env: Vec<Variable>,
    ports: Vec<ContainerPort>,
    #[serde(skip_serializing_if = "Option::is_none")]
    readiness_probe: Option<Probe>,
    #[serde(skip_serializing_if = "Resources::is_empty")]
    resources: Resources,
    security_context: SecurityContext,
    volume_mounts: Vec<Mount>,
}

/// A variable with its value, or with where that is kept.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Variable {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_from: Option<Value>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ContainerPort {
    container_port: u16,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Probe {
    tcp_socket: TcpSocket,
    period_seconds: u32,
}

#[derive(Debug, Serialize)]
struct TcpSocket {
    port: u16,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SecurityContext {
    allow_privilege_escalation: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Mount {
    name: String,
    mount_path: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    read_only: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Volume {
    name: String,
    host_path: HostPath,
}

/// A folder that must be there: the pod waits rather than beginning with an empty one.
#[derive(Debug, Serialize)]
struct HostPath {
    path: String,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Debug, Serialize)]
pub struct Ports {
    selector: Table,
    ports: Vec<Port>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Port {
    name: String,
    port: u16,
    target_port: u16,
}

fn labels(part: &Part<'_>) -> Table {
    Table::from([(NAME.to_owned(), part.name.to_owned())])
}

/// The container's side of its published ports; a range or a protocol besides TCP has no form here and is left out.
pub fn ports(part: &Part<'_>) -> Vec<u16> {
    part.ports.iter().filter_map(|port| port.rsplit(':').next()?.parse().ok()).collect()
}

/// The name of a folder's volume: where the container sees it, as a label.
pub fn volume_name(folder: &Folder<'_>) -> String {
    folder.volume.target.as_str().trim_matches('/').replace(['/', '_', '.', ' '], "-").to_lowercase()
}

/// The Deployment of `part`.
pub fn deployment(model: &Model, service: &Service, part: &Part<'_>) -> Object<Deployment> {
    let pod = Pod {
        enable_service_links: false,
        automount_service_account_token: false,
        affinity: Affinity::of(model, service),
        tolerations: placement::tolerations(service),
        containers: vec![container(model, service, part)],
        volumes: part
            .folders
            .iter()
            .map(|folder| Volume {
                name: volume_name(folder),
                host_path: HostPath { path: folder.volume.source.to_string(), kind: "Directory" },
            })
            .collect(),
    };
    let spec = Deployment {
        replicas: service.replicas,
        selector: Selector { match_labels: labels(part) },
        strategy: Strategy { kind: "Recreate" },
        template: Template { metadata: Labels { labels: labels(part) }, spec: pod },
    };
    let metadata = Metadata { labels: labels(part), ..Metadata::named(part.name) };
    Object { api_version: "apps/v1", kind: "Deployment", metadata, spec }
}

fn container(model: &Model, service: &Service, part: &Part<'_>) -> Container {
    let plain = |(name, value): (&str, &str)| Variable {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        value_from: None,
    };
    let secret = |name: &String| Variable {
        name: name.clone(),
        value: None,
        value_from: Some(json!({ "secretKeyRef": { "name": service.name, "key": name } })),
    };
    let settings = part.environment.iter().map(|(name, value)| (*name, *value));
    let env = [("TZ", model.timezone.as_str())].into_iter().chain(settings).map(plain);
    let ports = ports(part);
    let mut resources = if part.is_main { placement::resources(service) } else { Resources::default() };
    resources.limits.extend(part.memory_limit.map(|limit| ("memory".to_owned(), limit.to_owned())));
    Container {
        name: part.name.to_owned(),
        image: part.image.to_owned(),
        env: env.chain(part.secrets.iter().map(secret)).collect(),
        readiness_probe: ports
            .first()
            .map(|port| Probe { tcp_socket: TcpSocket { port: *port }, period_seconds: 10 }),
        ports: ports.into_iter().map(|container_port| ContainerPort { container_port }).collect(),
        resources,
        security_context: SecurityContext { allow_privilege_escalation: false },
        volume_mounts: part
            .folders
            .iter()
            .map(|folder| Mount {
                name: volume_name(folder),
                mount_path: folder.volume.target.to_string(),
                read_only: folder.volume.read_only,
            })
            .collect(),
    }
}

/// The Service of `part`, by which the others find it; nothing where it has no port.
pub fn service(part: &Part<'_>) -> Option<Object<Ports>> {
    let ports: Vec<Port> = ports(part)
        .into_iter()
        .map(|port| Port { name: format!("tcp-{port}"), port, target_port: port })
        .collect();
    let metadata = Metadata { labels: labels(part), ..Metadata::named(part.name) };
    let spec = Ports { selector: labels(part), ports };
    (!spec.ports.is_empty()).then_some(Object { api_version: "v1", kind: "Service", metadata, spec })
}
