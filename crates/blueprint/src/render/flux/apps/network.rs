//! How an app is reached: Service and Ingress.
//!
//! In: ports, `80:8989` being the Service's and the container's, and domains. Out: a Service, and an Ingress on an entry point that
//! Traefik's values have. A Service with a domain has port 80, as all of them do (document 001, Service port convention).

use serde::Serialize;

use super::App;
use crate::escape::Inexpressible;
use crate::model::{Model, Service};
use crate::render::RenderError;
use crate::render::flux::chart;
use crate::render::flux::folder::Tree;
use crate::render::flux::object::{Metadata, NAME_LABEL, Object, Pairs, pairs};

#[derive(Debug, Serialize)]
struct ServiceSpec {
    selector: Pairs,
    ports: Vec<ServicePort>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ServicePort {
    name: String,
    port: u16,
    target_port: u16,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Ingress {
    ingress_class_name: &'static str,
    rules: Vec<Rule>,
}

#[derive(Debug, Serialize)]
struct Rule {
    host: String,
    http: Http,
}

#[derive(Debug, Serialize)]
struct Http {
    paths: [Route; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Route {
    path: &'static str,
    path_type: &'static str,
    backend: Backend,
}

#[derive(Debug, Serialize)]
struct Backend {
    service: BackendService,
}

#[derive(Debug, Serialize)]
struct BackendService {
    name: String,
    port: Number,
}

#[derive(Debug, Serialize)]
struct Number {
    number: u16,
}

/// The ports of a service: its own, and the container's behind it.
pub(super) fn ports(service: &Service) -> Result<Vec<(u16, u16)>, RenderError> {
    let read = |text: &String| {
        let (port, target) = text.split_once(':')?;
        Some((port.parse().ok()?, target.parse().ok()?))
    };
    let port = |text| read(text).ok_or_else(|| fault(text, "it is not two port numbers"));
    service.ports.iter().map(port).collect()
}

fn fault(value: &str, why: &'static str) -> RenderError {
    RenderError::inexpressible("the Flux tree")(Inexpressible::new("the ports of an app", value, why))
}

/// `<folder>/service.yaml` and, for an app with a name, `<folder>/ingress.yaml`.
pub(super) fn put(tree: &mut Tree, model: &Model, app: App<'_>) -> Result<(), RenderError> {
    let service = app.service;
    let ports = ports(service)?;
    if ports.is_empty() {
        return Ok(());
    }
    let metadata = || Metadata::within(&app.kubernetes.category, &service.name).of_service(&service.name);
    let name = |port: u16| if port == 80 { "http".to_owned() } else { format!("port-{port}") };
    let spec = ServiceSpec {
        selector: pairs([(NAME_LABEL, &service.name)]),
        ports: ports
            .iter()
            .map(|&(port, target_port)| ServicePort { name: name(port), port, target_port })
            .collect(),
    };
    tree.put(&app.folder(), "service", &Object::new("v1", "Service", metadata(), spec))?;
    let traefik = model.services.get("traefik");
    let (Some(traefik), false) = (traefik, service.domains.is_empty()) else { return Ok(()) };
    let convention = traefik.settings.get("service-port").and_then(|port| port.parse().ok()).unwrap_or(80);
    if !ports.iter().any(|(port, _)| *port == convention) {
        return Err(fault(&service.name, "it has a domain, and no port that Traefik asks"));
    }
    let mut metadata = metadata();
    // A router on the other entry point would speak plain HTTP there: no certificate is spoken of.
    let [http, _] = chart::entry_points(traefik);
    metadata.annotations = pairs([("traefik.ingress.kubernetes.io/router.entrypoints", &http)]);
    let rule = |host: &String| Rule {
        host: host.clone(),
        http: Http {
            paths: [Route {
                path: "/",
                path_type: "Prefix",
                backend: Backend {
                    service: BackendService {
                        name: service.name.clone(),
                        port: Number { number: convention },
                    },
                },
            }],
        },
    };
    let spec = Ingress { ingress_class_name: "traefik", rules: service.domains.iter().map(rule).collect() };
    tree.put(&app.folder(), "ingress", &Object::new("networking.k8s.io/v1", "Ingress", metadata, spec))
}
