//! Labels and taints after registration.
//!
//! In: nodes with labels or taints. Out: a resource a node, and in the cluster tree the whole list with a script that
//! applies it from a server. k3s's own settings act only when a node registers for the first time (FIELD K16), and reserved
//! labels never (FIELD K15); so this is the list that holds.

use std::collections::{BTreeMap, BTreeSet};

use desired::resource::{Resource, Want};
use desired::{FileSet, Mode};
use serde::Serialize;

use crate::model::{Model, Node, Pins};
use crate::render::{RenderError, template};

/// One node's part of the list.
#[derive(Debug, Serialize)]
struct Entry {
    node: String,
    labels: BTreeMap<String, String>,
    taints: BTreeSet<String>,
}

impl Entry {
    fn of(node: &Node) -> Option<Self> {
        node.k3s?;
        if node.labels.is_empty() && node.taints.is_empty() {
            return None;
        }
        Some(Self {
            node: node.name.to_string(),
            labels: node.labels.clone(),
            taints: node.taints.iter().map(ToString::to_string).collect(),
        })
    }
}

/// The node's labels and taints, where it has any.
#[must_use]
pub fn resource(node: &Node) -> Option<Resource> {
    let entry = Entry::of(node)?;
    Some(Resource::new(Want::NodeMetadata {
        node: node.name.clone(),
        labels: entry.labels,
        taints: entry.taints,
    }))
}

/// `k3s/node-metadata.json` and `k3s/apply-node-metadata.sh`.
///
/// # Errors
/// If the list has no form in JSON or shell.
pub fn tree(model: &Model, _pins: &Pins) -> Result<FileSet, RenderError> {
    const LIST: &str = "k3s/node-metadata.json";
    const SCRIPT: &str = "k3s/apply-node-metadata.sh";
    #[derive(Serialize)]
    struct Context<'a> {
        cluster: &'a str,
        nodes: &'a [Entry],
    }
    let mut files = FileSet::new();
    if model.k3s.is_none() {
        return Ok(files);
    }
    let nodes: Vec<Entry> = model.nodes.values().filter_map(Entry::of).collect();
    let mut json = serde_json::to_string_pretty(&nodes).map_err(RenderError::json(LIST))?;
    json.push('\n');
    files.insert(LIST, Mode::PUBLIC, json).map_err(RenderError::invalid(LIST))?;
    let context = Context { cluster: model.name.as_str(), nodes: &nodes };
    let script = template::render(SCRIPT, &context)?;
    files.insert(SCRIPT, Mode::EXECUTABLE, script).map_err(RenderError::invalid(SCRIPT))?;
    Ok(files)
}
