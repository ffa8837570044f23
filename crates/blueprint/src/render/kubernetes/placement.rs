//! Where pods of a service may run, and with how much.
//!
//! In: a service and the cluster's k3s nodes. Out: affinity, tolerations and resources in the form that pods and charts
//! take alike.

use serde::Serialize;

use super::object::{Resources, Table, Toleration};
use crate::model::{Model, Service};

/// The label every kubelet gives its node: the name it registered with.
const HOSTNAME: &str = "kubernetes.io/hostname";

/// Nodes that pods must run on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Affinity {
    node_affinity: NodeAffinity,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NodeAffinity {
    required_during_scheduling_ignored_during_execution: NodeSelector,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NodeSelector {
    node_selector_terms: Vec<Term>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Term {
    match_expressions: Vec<Expression>,
}

#[derive(Debug, Serialize)]
struct Expression {
    key: &'static str,
    operator: &'static str,
    values: Vec<String>,
}

impl Affinity {
    /// To the nodes of `names` alone.
    pub fn to(names: impl IntoIterator<Item = String>) -> Self {
        let expression = Expression { key: HOSTNAME, operator: "In", values: names.into_iter().collect() };
        let terms = vec![Term { match_expressions: vec![expression] }];
        let required = NodeSelector { node_selector_terms: terms };
        Self { node_affinity: NodeAffinity { required_during_scheduling_ignored_during_execution: required } }
    }
    /// To the nodes of `service`; nothing if those are all the cluster has.
    pub fn of(model: &Model, service: &Service) -> Option<Self> {
        let members = model.nodes.values().filter(|node| node.k3s.is_some());
        let all = members.map(|node| &node.name).all(|name| service.nodes.contains(name));
        (!all && !service.nodes.is_empty()).then(|| Self::to(service.nodes.iter().map(ToString::to_string)))
    }
}

/// The taints that `service` bears.
pub fn tolerations(service: &Service) -> Vec<Toleration> {
    service.tolerates.iter().map(|key| Toleration { key: key.clone(), operator: "Exists" }).collect()
}

/// What `service` asks for and is held to.
pub fn resources(service: &Service) -> Resources {
    let table = |pairs: [(&str, &Option<String>); 2]| -> Table {
        let given = |(key, value): (&str, &Option<String>)| Some((key.to_owned(), value.clone()?));
        pairs.into_iter().filter_map(given).collect()
    };
    Resources {
        requests: table([("cpu", &service.cpu_request), ("memory", &service.memory_request)]),
        limits: table([("cpu", &None), ("memory", &service.memory_limit)]),
    }
}
