//! Traefik's values, and the one place that names its entry points.
//!
//! In: the service's ports, `80:8000` being a port of the service and the container's, and the names it gives them. Out: values in
//! which the chart's own two entry points are gone, and the names that routes may use (FIELD X28).

use std::collections::BTreeMap;

use serde::Serialize;

use super::node_selector;
use crate::escape::Inexpressible;
use crate::model::Service;
use crate::render::RenderError;
use crate::render::flux::object::{Image, Pairs};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Values {
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<Image>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    node_selector: Pairs,
    /// `null` takes an entry point of the chart's away.
    ports: BTreeMap<String, Option<Port>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Port {
    port: u16,
    exposed_port: u16,
    expose: Expose,
    protocol: &'static str,
}

#[derive(Debug, Serialize)]
struct Expose {
    default: bool,
}

/// The entry point of plain HTTP, and that of HTTPS.
pub(in crate::render::flux) fn entry_points(service: &Service) -> [String; 2] {
    [("entrypoint-http", "web"), ("entrypoint-https", "websecure")]
        .map(|(key, default)| service.settings.get(key).map_or(default, String::as_str).to_owned())
}

pub(super) fn values(service: &Service) -> Result<Values, RenderError> {
    let mut ports: BTreeMap<String, Option<Port>> =
        ["web", "websecure"].map(|name| (name.to_owned(), None)).into();
    for (name, text) in entry_points(service).into_iter().zip(&service.ports) {
        let numbers = text
            .split_once(':')
            .and_then(|(exposed, port)| Some((exposed.parse::<u16>().ok()?, port.parse::<u16>().ok()?)));
        let (exposed_port, port) = numbers.ok_or_else(|| {
            let fault = Inexpressible::new("the ports of traefik", text, "it is not two port numbers");
            RenderError::inexpressible("the Flux tree")(fault)
        })?;
        let expose = Expose { default: true };
        ports.insert(name, Some(Port { port, exposed_port, expose, protocol: "TCP" }));
    }
    let image = Image::of(service, "traefik");
    Ok(Values { image, node_selector: node_selector(service), ports })
}
