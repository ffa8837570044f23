//! chezmoi: one source tree for the homes of all nodes, whose templates pick by host name, system and arch.
//!
//! In: nodes, shares and services of the model. Out: the folder `chezmoi/` of the cluster tree, and the binary on Linux
//! nodes where the lock has a pin (elsewhere mise installs it). Nothing outside the person's home (FIELD C9), no secret,
//! no script (FIELD C5). It renders with an empty configuration and no terminal (FIELD C1, C3); an unknown machine gets
//! what suits any.

use std::collections::BTreeMap;

use desired::resource::{Owner, Resource, Want};
use desired::{FileSet, Mode};
use serde::Serialize;

use super::{RenderError, mise, template};
use crate::escape::toml;
use crate::model::{Capability, Model, Node, OsFamily, Pins, ServiceKind, ShareServer};

/// Where a node has the source of its homes, for everybody to read.
const SOURCE: &str = "/usr/local/share/rootstock/chezmoi";

/// Nodes that get the same text.
#[derive(Debug, Serialize)]
struct Group {
    nodes: Vec<String>,
    text: String,
}

/// What the templates of `templates/chezmoi/` take.
#[derive(Debug, Serialize)]
struct Context {
    cluster: String,
    groups: Vec<Group>,
    fallback: String,
}

/// `.chezmoidata/cluster.toml`: facts that templates may use.
#[derive(Debug, Serialize)]
struct Data {
    cluster: ClusterData,
    nodes: BTreeMap<String, NodeData>,
}

#[derive(Debug, Serialize)]
struct ClusterData {
    name: String,
    timezone: String,
    admin_user: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<String>,
}

/// One node in the words of chezmoi: `os` and `arch` as `.chezmoi.os` and `.chezmoi.arch` have them.
#[derive(Debug, Serialize)]
struct NodeData {
    os: &'static str,
    arch: &'static str,
    address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mesh_address: Option<String>,
    /// Compose services on it.
    services: Vec<String>,
    /// Where each share is found there, on its server and on its clients.
    shares: BTreeMap<String, String>,
}

/// The chezmoi binary, the source of this node's home and its apply, on Linux nodes that have the capability and where
/// the lock has a pin.
///
/// # Errors
/// If a value has no form in a template or in TOML.
pub fn resources(model: &Model, node: &Node, pins: &Pins) -> Result<Vec<Resource>, RenderError> {
    if !node.os.family.is_linux() || !node.can(Capability::Chezmoi) {
        return Ok(Vec::new());
    }
    let Some(pin) = pins.get("chezmoi", node.arch) else { return Ok(Vec::new()) };
    let mut all = vec![mise::program("chezmoi", pin)?];
    let invalid = || RenderError::invalid("the chezmoi tree");
    for (path, entry) in sources(model, &[node])?.iter() {
        all.push(Resource::new(Want::File {
            path: format!("{SOURCE}/{path}").parse().map_err(invalid())?,
            mode: entry.mode,
            owner: Owner::root(),
            content: String::from_utf8_lossy(&entry.content).into_owned(),
        }));
    }
    let source = SOURCE.parse().map_err(invalid())?;
    all.push(Resource::new(Want::Chezmoi { user: model.admin_user.clone(), source }));
    Ok(all)
}

/// The source tree; none where no node has the capability.
///
/// # Errors
/// If a value has no form in a template or in TOML.
pub fn tree(model: &Model, _pins: &Pins) -> Result<FileSet, RenderError> {
    let mut files = FileSet::new();
    if !model.nodes.values().any(|node| node.can(Capability::Chezmoi)) {
        return Ok(files);
    }
    let nodes: Vec<&Node> = model.nodes.values().collect();
    files.nest("chezmoi", sources(model, &nodes)?).map_err(RenderError::invalid("the chezmoi tree"))?;
    Ok(files)
}

/// The source tree for the homes of `nodes`.
fn sources(model: &Model, nodes: &[&Node]) -> Result<FileSet, RenderError> {
    let mut files = FileSet::new();
    let context = context(model, nodes)?;
    let data = data(model, nodes);
    let data = toml::document(&data).map_err(RenderError::inexpressible("chezmoi's data"))?;
    let sources = [
        (".chezmoidata/cluster.toml", data),
        (".chezmoi.toml.tmpl", template::render("chezmoi/chezmoi.toml.tmpl", &context)?),
        (".chezmoiignore", template::render("chezmoi/chezmoiignore", &context)?),
        ("README.md", template::render("chezmoi/README.md", &context)?),
        ("dot_config/docker/compose/node.env.tmpl", template::render("chezmoi/node.env.tmpl", &context)?),
        ("dot_config/mise/config.toml.tmpl", template::render("chezmoi/mise.toml.tmpl", &context)?),
    ];
    for (path, text) in sources {
        files.insert(path, Mode::PUBLIC, text).map_err(RenderError::invalid("the chezmoi tree"))?;
    }
    Ok(files)
}

/// mise's configuration by node, nodes with the same text together, so that a thousand equal nodes are one branch.
fn context(model: &Model, nodes: &[&Node]) -> Result<Context, RenderError> {
    let mut by_text: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for node in nodes.iter().filter(|node| node.can(Capability::Mise)) {
        by_text.entry(mise::config(model, Some(node))?).or_default().push(node.name.to_string());
    }
    let mut groups: Vec<Group> = by_text.into_iter().map(|(text, nodes)| Group { nodes, text }).collect();
    groups.sort_by(|one, other| one.nodes.cmp(&other.nodes));
    Ok(Context { cluster: model.name.to_string(), groups, fallback: mise::config(model, None)? })
}

fn data(model: &Model, nodes: &[&Node]) -> Data {
    Data {
        cluster: ClusterData {
            name: model.name.to_string(),
            timezone: model.timezone.clone(),
            admin_user: model.admin_user.clone(),
            domain: model.domain.clone(),
        },
        nodes: nodes.iter().map(|node| (node.name.to_string(), node_data(model, node))).collect(),
    }
}

fn node_data(model: &Model, node: &Node) -> NodeData {
    let served = model
        .shares
        .values()
        .filter(|share| share.server == ShareServer::Node(node.name.clone()))
        .map(|share| (share.name.clone(), share.path.to_string()));
    let mounted = model.mounts_of(&node.name).map(|(share, point)| (share.name.clone(), point.to_owned()));
    NodeData {
        os: match node.os.family {
            OsFamily::Windows => "windows",
            OsFamily::Macos => "darwin",
            _ => "linux",
        },
        arch: node.arch.as_str(),
        address: node.address.to_string(),
        mesh_address: node.mesh_address.map(|address| address.to_string()),
        services: model
            .services_on(&node.name)
            .filter(|service| service.kind == ServiceKind::Compose)
            .map(|service| service.name.clone())
            .collect(),
        shares: served.chain(mounted).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture::model;

    fn text(files: &FileSet, path: &str) -> String {
        String::from_utf8(files.get(path).unwrap_or_else(|| panic!("no {path}")).content.clone()).unwrap()
    }

    #[test]
    fn data_says_where_each_node_finds_a_share() {
        let files = tree(&model(), &Pins::default()).unwrap();
        let data: ::toml::Table =
            ::toml::from_str(&text(&files, "chezmoi/.chezmoidata/cluster.toml")).unwrap();
        let nas = |node: &str| data["nodes"][node]["shares"]["nas"].as_str().map(str::to_owned);
        assert_eq!(nas("store").as_deref(), Some("/media/ada/my nas"));
        assert_eq!(nas("maker").as_deref(), Some("/mnt/my nas"));
        assert_eq!(nas("mac").as_deref(), Some("/Volumes/nas"));
        assert_eq!(data["nodes"]["mac"]["os"].as_str(), Some("darwin"));
    }

    #[test]
    fn braces_of_mise_are_not_actions_of_chezmoi() {
        let files = tree(&model(), &Pins::default()).unwrap();
        let template = text(&files, "chezmoi/dot_config/mise/config.toml.tmpl");
        assert!(template.contains("{{ \"{{\" }}env.HOME}}/.config"), "{template}");
        assert!(template.contains("has $node (list \"maker\" \"store\")"), "{template}");
    }

    #[test]
    fn nobody_with_the_capability_no_tree() {
        let mut model = model();
        for node in model.nodes.values_mut() {
            node.capabilities.remove(&Capability::Chezmoi);
        }
        assert!(tree(&model, &Pins::default()).unwrap().is_empty());
    }
}
