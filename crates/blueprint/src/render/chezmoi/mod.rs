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

use super::compose::{self, Group};
use super::{RenderError, mise, template};
use crate::escape::toml;
use crate::model::{Capability, Model, Node, OsFamily, Pins, ServiceKind};

/// Where a node has the source of its homes, for everybody to read.
const SOURCE: &str = "/usr/local/share/rootstock/chezmoi";
/// Where services' files come from, as chezmoi writes `~/.config/docker/compose`.
const COMPOSE: &str = "dot_config/docker/compose";

/// What the templates of `templates/chezmoi/` take.
#[derive(Debug, Serialize)]
struct Context {
    cluster: String,
    stacks: Vec<Place>,
}

/// A stack and the nodes it is for.
#[derive(Debug, Serialize)]
struct Place {
    service: String,
    nodes: Vec<String>,
}

/// What `by-node.tmpl` takes: texts by nodes, and the one for a machine nobody knows.
#[derive(Debug, Serialize)]
struct ByNode<'a> {
    groups: &'a [Group],
    fallback: &'a str,
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
    let stacks = compose::stacks(model, nodes)?;
    let places = stacks.iter().map(|stack| Place {
        service: stack.service.clone(),
        nodes: stack.groups.iter().flat_map(|group| group.nodes.clone()).collect(),
    });
    let context = Context { cluster: model.name.to_string(), stacks: places.collect() };
    let data = data(model, nodes);
    let data = toml::document(&data).map_err(RenderError::inexpressible("chezmoi's data"))?;
    let with_mise = nodes.iter().copied().filter(|node| node.can(Capability::Mise));
    let mise_groups = compose::groups(with_mise, |node| mise::config(model, Some(node)))?;
    let fallback = mise::config(model, None)?;
    let mut sources = vec![
        (".chezmoidata/cluster.toml".to_owned(), data),
        (".chezmoi.toml.tmpl".to_owned(), template::render("chezmoi/chezmoi.toml.tmpl", &context)?),
        (".chezmoiignore".to_owned(), template::render("chezmoi/chezmoiignore", &context)?),
        ("README.md".to_owned(), template::render("chezmoi/README.md", &context)?),
        (format!("{COMPOSE}/node.env.tmpl"), template::render("chezmoi/node.env.tmpl", &context)?),
        ("dot_config/mise/config.toml.tmpl".to_owned(), by_node(&mise_groups, &fallback)?),
    ];
    for stack in stacks {
        let folder = format!("{COMPOSE}/{}", stack.service);
        sources.push(match stack.groups.as_slice() {
            [same] => (format!("{folder}/compose.yaml"), same.text.clone()),
            groups => (format!("{folder}/compose.yaml.tmpl"), by_node(groups, "")?),
        });
        sources.extend(stack.example.map(|text| (format!("{folder}/dot_env.example"), text)));
    }
    for (path, text) in sources {
        files.insert(&path, Mode::PUBLIC, text).map_err(RenderError::invalid("the chezmoi tree"))?;
    }
    Ok(files)
}

/// A template that is each node's own text.
fn by_node(groups: &[Group], fallback: &str) -> Result<String, RenderError> {
    template::render("chezmoi/by-node.tmpl", &ByNode { groups, fallback })
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
    let shares = model.share_paths(&node.name);
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
        shares: shares.into_iter().map(|(share, path)| (share.to_owned(), path.to_owned())).collect(),
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
    fn a_stack_is_for_its_nodes_and_a_template_where_they_differ() {
        let mut model = model();
        let files = tree(&model, &Pins::default()).unwrap();
        let template = text(&files, "chezmoi/dot_config/docker/compose/forge/compose.yaml.tmpl");
        assert!(template.contains("/media/ada/my nas/data/forge") && template.contains("/mnt/my nas/data"));
        assert!(text(&files, "chezmoi/.chezmoiignore").contains("(has $node (list \"maker\" \"store\"))"));
        assert!(files.get("chezmoi/dot_config/docker/compose/forge/dot_env.example").is_some());
        model.services.get_mut("forge").unwrap().nodes.remove("maker");
        let files = tree(&model, &Pins::default()).unwrap();
        assert!(files.get("chezmoi/dot_config/docker/compose/forge/compose.yaml").is_some());
        // With a file of a person's there is none of ours.
        model.services.get_mut("forge").unwrap().compose = Some("services: {}\n".to_owned());
        let files = tree(&model, &Pins::default()).unwrap();
        assert!(files.get("chezmoi/dot_config/docker/compose/forge/compose.yaml").is_none());
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
