//! Where pods may run, where they would rather run, and beside whom not.
//!
//! In: nodes, preferences and taints of a service. Out: the affinity that a pod has, and a kustomize component with the one of apps
//! that stand by on a second node (document 001, Pod affinity pattern).

use std::collections::BTreeMap;

use serde::Serialize;

use super::{App, all};
use crate::escape::Inexpressible;
use crate::model::{Model, Service};
use crate::render::RenderError;
use crate::render::flux::chart::tolerated;
use crate::render::flux::folder::Tree;
use crate::render::flux::object::{HOST_LABEL, Labels, Metadata, Object, Toleration};
use crate::render::flux::stage::Stage;

/// Seconds after which a pod leaves a node that is gone (document 001).
const LEAVE_AFTER_SECS: u32 = 30;
/// The label document 001 prefers nodes by.
const PRIMARY_LABEL: &str = "node.longhorn.io/primary";
/// The label of nodes with a GPU (document 001, ClusterPlex).
const GPU_LABEL: &str = "gpu";

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Affinity {
    #[serde(skip_serializing_if = "Option::is_none")]
    node_affinity: Option<NodeAffinity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pod_anti_affinity: Option<PodAntiAffinity>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NodeAffinity {
    required_during_scheduling_ignored_during_execution: NodeSelector,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    preferred_during_scheduling_ignored_during_execution: Vec<Preference>,
}

/// Nodes by their labels.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NodeSelector {
    node_selector_terms: [Term; 1],
}

impl NodeSelector {
    /// Nodes whose label is one of these.
    pub(super) fn of(key: &str, values: Vec<String>) -> Self {
        Self { node_selector_terms: [Term::of(key, values)] }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Term {
    match_expressions: [Expression; 1],
}

impl Term {
    fn of(key: &str, values: Vec<String>) -> Self {
        Self { match_expressions: [Expression { key: key.to_owned(), operator: "In", values }] }
    }
}

#[derive(Debug, Serialize)]
struct Expression {
    key: String,
    operator: &'static str,
    values: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Preference {
    weight: u32,
    preference: Term,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PodAntiAffinity {
    preferred_during_scheduling_ignored_during_execution: Vec<Distance>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Distance {
    weight: u32,
    pod_affinity_term: PodTerm,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PodTerm {
    label_selector: Labels,
    topology_key: &'static str,
}

/// Whether a second node waits for its pods; then a component places them.
pub(super) fn stands_by(service: &Service) -> bool {
    !service.prefers.is_empty() && service.nodes.len() > 1
}

/// Whether its pods go back to the node they prefer by themselves. One with a folder on each node does not: the other node's
/// copy is newer, and where a volume is bound no eviction moves its pod.
pub(super) fn goes_back(model: &Model, service: &Service) -> bool {
    stands_by(service) && super::volume::pair(model, service).is_none()
}

/// The folder of the component that places a service's pods.
pub(super) fn component(service: &Service) -> String {
    let preferred: Vec<&str> = service.prefers.iter().map(desired::NodeName::as_str).collect();
    format!("{}/components/prefer-{}", Stage::Apps.folder(), preferred.join("-"))
}

/// The affinity of an app's own pod, without what a component adds.
pub(super) fn of(model: &Model, app: App<'_>) -> Option<Affinity> {
    let affinity = Affinity {
        node_affinity: (!stands_by(app.service)).then(|| NodeAffinity {
            required_during_scheduling_ignored_during_execution: required(model, app.service),
            preferred_during_scheduling_ignored_during_execution: Vec::new(),
        }),
        pod_anti_affinity: apart(&app.kubernetes.apart_from),
    };
    (affinity.node_affinity.is_some() || affinity.pod_anti_affinity.is_some()).then_some(affinity)
}

/// The tolerations of an app's own pod, without what a component adds.
pub(super) fn tolerations(model: &Model, service: &Service) -> Vec<Toleration> {
    tolerated(model, service).into_iter().map(Toleration::of).collect()
}

/// Never more than a wish: two workers share the one node with a GPU.
fn apart(services: &[String]) -> Option<PodAntiAffinity> {
    let distance = |(index, service): (usize, &String)| Distance {
        weight: if index == 0 { 100 } else { 50 },
        pod_affinity_term: PodTerm { label_selector: Labels::of(service), topology_key: HOST_LABEL },
    };
    let distances: Vec<Distance> = services.iter().enumerate().map(distance).collect();
    (!distances.is_empty())
        .then_some(PodAntiAffinity { preferred_during_scheduling_ignored_during_execution: distances })
}

/// The label that all nodes of a service have for being what it needs; else their names.
fn required(model: &Model, service: &Service) -> NodeSelector {
    let all_have = |key: &str, value: &str| {
        let has = |name| {
            model.nodes.get(name).and_then(|node| node.labels.get(key)).is_some_and(|own| own == value)
        };
        service.nodes.iter().all(has)
    };
    if service.gpu && all_have(GPU_LABEL, "true") {
        return NodeSelector::of(GPU_LABEL, vec!["true".to_owned()]);
    }
    // Nodes that are kept free for storage carry a label of the same name as their taint (document 001).
    match tolerated(model, service).into_iter().find(|taint| all_have(&taint.key, &taint.value)) {
        Some(taint) => NodeSelector::of(&taint.key, vec![taint.value.clone()]),
        None => NodeSelector::of(HOST_LABEL, service.nodes.iter().map(ToString::to_string).collect()),
    }
}

fn preferred(model: &Model, service: &Service) -> Term {
    let is_primary = |name: &&desired::NodeName| {
        let label = model.nodes.get(*name).and_then(|node| node.labels.get(PRIMARY_LABEL));
        label.is_some_and(|value| value == "true")
    };
    if service.prefers.len() == 1 && service.nodes.iter().filter(is_primary).eq(&service.prefers) {
        return Term::of(PRIMARY_LABEL, vec!["true".to_owned()]);
    }
    Term::of(HOST_LABEL, service.prefers.iter().map(ToString::to_string).collect())
}

#[derive(Debug, Serialize)]
struct Workload {
    template: Template,
}

#[derive(Debug, Serialize)]
struct Template {
    spec: Placement,
}

#[derive(Debug, Serialize)]
struct Placement {
    affinity: Affinity,
    tolerations: Vec<Toleration>,
}

/// The components, one for all services with the same preference.
pub(super) fn put(tree: &mut Tree, model: &Model) -> Result<(), RenderError> {
    let mut components: BTreeMap<String, &Service> = BTreeMap::new();
    for service in all(model).map(|app| app.service).filter(|service| stands_by(service)) {
        let first = *components.entry(component(service)).or_insert(service);
        if (&first.nodes, &first.tolerates) != (&service.nodes, &service.tolerates) {
            let why = "it prefers the same node as another, of other nodes or with other taints";
            let fault = Inexpressible::new("a component", &service.name, why);
            return Err(RenderError::inexpressible("the Flux tree")(fault));
        }
    }
    for (folder, service) in components {
        let mut list = tolerations(model, service);
        list.extend(["unreachable", "not-ready"].map(|state| Toleration {
            key: format!("node.kubernetes.io/{state}"),
            operator: "Exists",
            value: None,
            effect: "NoExecute",
            toleration_seconds: Some(LEAVE_AFTER_SECS),
        }));
        let placement = Placement {
            affinity: Affinity {
                node_affinity: Some(NodeAffinity {
                    required_during_scheduling_ignored_during_execution: required(model, service),
                    preferred_during_scheduling_ignored_during_execution: vec![Preference {
                        weight: 100,
                        preference: preferred(model, service),
                    }],
                }),
                pod_anti_affinity: None,
            },
            tolerations: list,
        };
        // kustomize puts the kind and name of what it changes in the place of these.
        let patch = Object::new(
            "apps/v1",
            "Deployment",
            Metadata::of_cluster("any"),
            Workload { template: Template { spec: placement } },
        );
        tree.component(&folder, &["Deployment", "StatefulSet"], &patch)?;
    }
    Ok(())
}
