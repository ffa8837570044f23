//! Names that stand for nodes: a node, a group, or a role and with it every node that has it.

use std::collections::{BTreeMap, BTreeSet};

use desired::NodeName;

use super::node::DraftNodes;
use super::place::{Findings, Place};
use super::preset::Roles;
use crate::finding::rules::node as rule;
use crate::spec::{At, ClusterSpec};

/// Every name that stands for nodes, with the nodes.
#[derive(Debug)]
pub(crate) struct Selection {
    names: BTreeMap<String, Vec<NodeName>>,
}

impl Selection {
    pub(crate) fn new(
        spec: &ClusterSpec,
        roles: &Roles<'_>,
        nodes: &DraftNodes,
        findings: &mut Findings,
    ) -> Self {
        let mut names: BTreeMap<String, Vec<NodeName>> = BTreeMap::new();
        // A node that had to be left out was told; whoever refers to it is not told again.
        for at in spec.nodes.keys().chain(spec.groups.keys()) {
            names.entry(at.value.clone()).or_default();
        }
        for role in roles.0.keys() {
            names.entry((*role).to_owned()).or_default();
        }
        for draft in nodes.values() {
            let node = &draft.node;
            let own = [node.name.as_str()].into_iter().chain(node.group.as_deref());
            for name in own.chain(node.roles.iter().map(String::as_str)) {
                names.entry(name.to_owned()).or_default().push(node.name.clone());
            }
        }
        ambiguous(spec, roles, nodes, findings);
        Self { names }
    }

    /// The nodes that `list` stands for; what it names in vain is reported.
    pub(crate) fn of(&self, list: &[At<String>], findings: &mut Findings) -> BTreeSet<NodeName> {
        list.iter().flat_map(|at| self.one(at, findings)).cloned().collect()
    }

    /// The nodes that `at` stands for.
    pub(crate) fn one(&self, at: &At<String>, findings: &mut Findings) -> &[NodeName] {
        if let Some(nodes) = self.names.get(&at.value) {
            return nodes;
        }
        let message = format!("there is no node, group or role `{}`", at.value);
        let finding = findings.at(&rule::UNKNOWN_NODE, Place::of(at), message);
        if let Some(near) = crate::finding::nearest(&at.value, self.names.keys().map(String::as_str)) {
            finding.help(format!("did you mean `{near}`?"));
        }
        &[]
    }
}

fn ambiguous(spec: &ClusterSpec, roles: &Roles<'_>, nodes: &DraftNodes, findings: &mut Findings) {
    for group in spec.groups.keys() {
        if let Some(node) = nodes.get(group.value.as_str()) {
            findings
                .at(
                    &rule::AMBIGUOUS_NAME,
                    Place::of(group),
                    format!("`{}` is a group and a node", group.value),
                )
                .related(node.origin.name, "the node");
        }
        if let Some(role) = roles.0.get(group.value.as_str()) {
            findings
                .at(
                    &rule::AMBIGUOUS_NAME,
                    Place::of(group),
                    format!("`{}` is a group and a role", group.value),
                )
                .related(role.name, "the role");
        }
    }
    for draft in nodes.values() {
        if let Some(role) = roles.0.get(draft.node.name.as_str()) {
            let message = format!("`{}` is a node and a role", draft.node.name);
            findings.at(&rule::AMBIGUOUS_NAME, draft.origin.name, message).related(role.name, "the role");
        }
    }
}
