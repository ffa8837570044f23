//! Names: every domain and every node's own name, from one list to the reverse proxy, the name server and a table for people.
//!
//! In: domains, ports and places of services, nodes. Out: the Caddyfile on the node whose service runs Caddy,
//! `ssot/state/domains.yml` as document 003 writes it, and the records that Pi-hole is given by variable. A domain leads
//! to the first published port of its service: by loopback on the proxy's own node, by the LAN elsewhere.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use desired::resource::{Owner, Resource, Want};
use desired::{FileSet, Mode};
use serde::Serialize;

use super::{RenderError, template};
use crate::escape::yaml;
use crate::model::{Model, Node, Pins, Service, ServiceKind};

/// Where Caddy's image reads its file.
const CADDY: &str = "/etc/caddy";
/// The table for people.
const TABLE: &str = "ssot/state/domains.yml";

/// A public name and what is behind it.
#[derive(Debug, Serialize)]
struct Domain {
    fqdn: String,
    service: String,
    backends: Vec<String>,
    local_ip: Ipv4Addr,
    external_dns: bool,
}

#[derive(Debug, Serialize)]
struct Context {
    cluster: String,
    domains: Vec<Domain>,
}

/// The Caddyfile, on the node that runs Caddy.
///
/// # Errors
/// If a name has no place in it.
pub fn resources(model: &Model, node: &Node, _pins: &Pins) -> Result<Vec<Resource>, RenderError> {
    let Some((service, proxy)) = proxy(model) else { return Ok(Vec::new()) };
    let folder = service.volumes.iter().find(|volume| volume.target.as_str() == CADDY);
    let Some(folder) = folder.filter(|_| proxy.name == node.name) else { return Ok(Vec::new()) };
    let context = Context { cluster: model.name.to_string(), domains: domains(model, proxy) };
    let path = format!("{}/Caddyfile", folder.source);
    Ok(vec![Resource::new(Want::File {
        path: path.parse().map_err(RenderError::invalid(path.clone()))?,
        mode: Mode::PUBLIC,
        owner: Owner::root(),
        content: template::render("domains/Caddyfile", &context)?,
    })])
}

/// The table of all domains, where there is a proxy.
///
/// # Errors
/// If it has no form in YAML.
pub fn tree(model: &Model, _pins: &Pins) -> Result<FileSet, RenderError> {
    let mut files = FileSet::new();
    let Some((_, proxy)) = proxy(model) else { return Ok(files) };
    let domains = domains(model, proxy);
    let text = yaml::document(&domains).map_err(RenderError::inexpressible(TABLE))?;
    let text = format!(
        "# Written by rootstock for cluster {}: what services of cluster.toml answer to.\n{text}",
        model.name
    );
    files.insert(TABLE, Mode::PUBLIC, text).map_err(RenderError::invalid(TABLE))?;
    Ok(files)
}

/// The records a name server of the LAN has, as lines of a hosts file: domains lead to the proxy, `<node>.<internal domain>`
/// and `<service>.<internal domain>` to their nodes.
pub(super) fn records(model: &Model) -> Vec<String> {
    let mut names: BTreeMap<String, Ipv4Addr> = BTreeMap::new();
    if let Some(internal) = &model.internal_domain {
        let reached = model.services.values().filter(|service| service.first_port().is_some());
        for (service, node) in reached.filter_map(|service| Some((service, place(model, service)?))) {
            names.insert(format!("{}.{internal}", service.name), node.address);
        }
        names.extend(model.nodes.values().map(|node| (format!("{}.{internal}", node.name), node.address)));
    }
    if let Some((_, proxy)) = proxy(model) {
        names.extend(domains(model, proxy).into_iter().map(|domain| (domain.fqdn, domain.local_ip)));
    }
    names.into_iter().map(|(name, address)| format!("{address} {name}")).collect()
}

/// The service that runs Caddy, and its node.
fn proxy(model: &Model) -> Option<(&Service, &Node)> {
    let caddy = model.services.values().find(|service| service.runs("caddy"))?;
    Some((caddy, place(model, caddy)?))
}

/// The node a service of the machines themselves is found on.
fn place<'a>(model: &'a Model, service: &Service) -> Option<&'a Node> {
    let node = service.nodes.iter().find(|node| service.runs_on(node))?;
    model.nodes.get(node).filter(|_| service.kind != ServiceKind::Kubernetes)
}

fn domains(model: &Model, proxy: &Node) -> Vec<Domain> {
    let mut all = Vec::new();
    for service in model.services.values() {
        let Some((port, node)) = service.first_port().zip(place(model, service)) else { continue };
        let host = if node.name == proxy.name { "localhost".to_owned() } else { node.address.to_string() };
        for fqdn in &service.domains {
            let under = |domain: &String| fqdn.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
            all.push(Domain {
                fqdn: fqdn.clone(),
                service: service.name.clone(),
                backends: vec![format!("{host}:{port}")],
                local_ip: proxy.address,
                external_dns: model.domain.as_ref().is_some_and(under),
            });
        }
    }
    all.sort_by(|one, other| one.fqdn.cmp(&other.fqdn));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Volume;
    use crate::render::fixture;

    fn model() -> Model {
        let mut model = fixture::model();
        model.domain = Some("example.org".to_owned());
        model.internal_domain = Some("lab".to_owned());
        let forge = model.services.get_mut("forge").unwrap();
        forge.domains = vec!["git.example.org".to_owned()];
        let mut caddy = forge.clone();
        forge.nodes = ["maker".parse().unwrap()].into();
        caddy.name = "edge".to_owned();
        caddy.images = [("caddy".to_owned(), "docker.io/library/caddy:2.11".to_owned())].into();
        caddy.domains = vec!["home.example.org".to_owned()];
        caddy.nodes = ["store".parse().unwrap()].into();
        let volume = |source: &str, target: &str| Volume {
            source: source.parse().unwrap(),
            target: target.parse().unwrap(),
            read_only: true,
        };
        caddy.volumes = vec![volume("/srv/caddy", "/etc/caddy")];
        model.services.insert("edge".to_owned(), caddy);
        model
    }

    #[test]
    fn domains_lead_to_loopback_here_and_to_the_lan_elsewhere() {
        let model = model();
        let all = resources(&model, &model.nodes["store"], &Pins::default()).unwrap();
        let Want::File { path, content, .. } = &all[0].want else { panic!() };
        assert_eq!(path.as_str(), "/srv/caddy/Caddyfile");
        assert!(
            content.contains("git.example.org {\n\tencode zstd gzip\n\treverse_proxy 192.168.7.2:3300\n}"),
            "{content}"
        );
        assert!(content.contains("reverse_proxy localhost:3300"), "{content}");
        assert!(resources(&model, &model.nodes["maker"], &Pins::default()).unwrap().is_empty());
    }

    #[test]
    fn names_are_in_the_table_and_in_the_records_once() {
        let model = model();
        let files = tree(&model, &Pins::default()).unwrap();
        let text = String::from_utf8(files.get(TABLE).unwrap().content.clone()).unwrap();
        let table: serde_json::Value = yaml::read(&text).unwrap();
        assert_eq!(table[0]["fqdn"], "git.example.org");
        assert_eq!(table[0]["external_dns"], true);
        let records = records(&model);
        for record in ["192.168.7.1 git.example.org", "192.168.7.2 forge.lab", "192.168.7.4 mac.lab"] {
            assert_eq!(records.iter().filter(|line| *line == record).count(), 1, "{records:?}");
        }
    }

    #[test]
    fn without_a_proxy_there_is_no_table() {
        assert!(tree(&fixture::model(), &Pins::default()).unwrap().is_empty());
        assert!(records(&fixture::model()).is_empty());
    }
}
