//! Deployments and StatefulSets.
//!
//! In: an app. Out: its object, with one container. Secrets are keys of a Secret with the app's name, which a person makes.

use serde::Serialize;

use super::affinity;
use super::pod::{
    Container, Pod, Port, Probe, Resources, SecretKey, SecurityContext, Socket, Template, TemplateMetadata,
    ValueFrom, Variable,
};
use super::volume::{self, ClaimTemplate};
use super::{App, network};
use crate::escape::Inexpressible;
use crate::model::{Model, Service, Workload};
use crate::render::RenderError;
use crate::render::flux::folder::Tree;
use crate::render::flux::object::{FAILBACK_LABEL, Labels, Metadata, NAME_LABEL, Object, Pairs, pairs};

/// The name under which a service has an image that changes another one when that starts, as those of linuxserver.io do.
const MOD: &str = "dockermod";

#[derive(Debug, Serialize)]
pub(super) struct Deployment {
    replicas: u32,
    selector: Labels,
    strategy: Strategy,
    template: Template,
}

#[derive(Debug, Serialize)]
struct Strategy {
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StatefulSet {
    replicas: u32,
    selector: Labels,
    service_name: String,
    template: Template,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    volume_claim_templates: Vec<ClaimTemplate>,
}

/// `<folder>/<workload>.yaml`.
pub(super) fn put(tree: &mut Tree, model: &Model, app: App<'_>) -> Result<(), RenderError> {
    let service = app.service;
    let metadata = Metadata::within(&app.kubernetes.category, &service.name).of_service(&service.name);
    let mut labels = pairs([(NAME_LABEL, &service.name)]);
    if affinity::goes_back(model, service) {
        labels.extend(pairs([(FAILBACK_LABEL, "true")]));
    }
    let template = Template { metadata: TemplateMetadata { labels }, spec: pod(model, app)? };
    match app.kubernetes.workload {
        Workload::Deployment => {
            let object = Object::new(
                "apps/v1",
                "Deployment",
                metadata,
                deployment(service.replicas, &service.name, template),
            );
            tree.put(&app.folder(), "deployment", &object)
        }
        Workload::StatefulSet => {
            let set = StatefulSet {
                replicas: service.replicas,
                selector: Labels::of(&service.name),
                service_name: service.name.clone(),
                template,
                volume_claim_templates: volume::templates(app),
            };
            tree.put(&app.folder(), "stateful-set", &Object::new("apps/v1", "StatefulSet", metadata, set))
        }
    }
}

/// The old pod goes before the new one comes: two would write to one folder.
fn deployment(replicas: u32, name: &str, template: Template) -> Deployment {
    Deployment { replicas, selector: Labels::of(name), strategy: Strategy { kind: "Recreate" }, template }
}

/// A Deployment of one pod that is no service of its own.
pub(super) fn holder(namespace: &str, name: &str, pod: Pod) -> Object<Deployment> {
    let template = Template { metadata: TemplateMetadata { labels: pairs([(NAME_LABEL, name)]) }, spec: pod };
    let metadata = Metadata::within(namespace, name).of_service(name);
    Object::new("apps/v1", "Deployment", metadata, deployment(1, name, template))
}

fn pod(model: &Model, app: App<'_>) -> Result<Pod, RenderError> {
    let service = app.service;
    let (volumes, volume_mounts) = volume::mounts(model, app);
    let (name, image) = service.images.iter().find(|(name, _)| *name != MOD).ok_or_else(|| {
        let fault = Inexpressible::new("the images of an app", &service.name, "it names none");
        RenderError::inexpressible("the Flux tree")(fault)
    })?;
    let ports = network::ports(service)?;
    let probe = ports.first().filter(|_| app.kubernetes.probes);
    Ok(Pod {
        affinity: affinity::of(model, app),
        automount_service_account_token: false,
        enable_service_links: (!app.kubernetes.service_links).then_some(false),
        // What k3s calls the runtime it finds beside NVIDIA's container toolkit.
        runtime_class_name: service.gpu.then_some("nvidia"),
        tolerations: if affinity::stands_by(service) {
            Vec::new()
        } else {
            affinity::tolerations(model, service)
        },
        volumes,
        containers: [Container {
            name: name.clone(),
            image: image.clone(),
            env: variables(model, service),
            readiness_probe: probe.map(|(_, port)| Probe { tcp_socket: Socket { port: *port } }),
            ports: ports.iter().map(|(_, port)| Port { container_port: *port }).collect(),
            resources: resources(service),
            security_context: app.kubernetes.privileged.then_some(SecurityContext { privileged: true }),
            volume_mounts,
        }],
    })
}

fn variables(model: &Model, service: &Service) -> Vec<Variable> {
    let mut plain = service.environment.clone();
    plain.entry("TZ".to_owned()).or_insert_with(|| model.timezone.clone());
    if let Some(image) = service.images.get(MOD) {
        plain.entry("DOCKER_MODS".to_owned()).or_insert_with(|| image.clone());
    }
    if service.gpu {
        for name in ["NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES"] {
            plain.entry(name.to_owned()).or_insert_with(|| "all".to_owned());
        }
    }
    let plain =
        plain.into_iter().map(|(name, value)| Variable { name, value: Some(value), value_from: None });
    let secret = service.secrets.iter().map(|key| Variable {
        name: key.clone(),
        value: None,
        value_from: Some(ValueFrom {
            secret_key_ref: SecretKey { name: service.name.clone(), key: key.clone() },
        }),
    });
    plain.chain(secret).collect()
}

fn resources(service: &Service) -> Option<Resources> {
    let pairs = |list: [(&str, &Option<String>); 2]| -> Pairs {
        list.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?))).collect()
    };
    let resources = Resources {
        requests: pairs([("cpu", &service.cpu_request), ("memory", &service.memory_request)]),
        limits: pairs([("memory", &service.memory_limit), ("memory", &service.memory_limit)]),
    };
    (!resources.requests.is_empty() || !resources.limits.is_empty()).then_some(resources)
}
