//! Objects of Kubernetes: what all of them have in common.
//!
//! In: names and bodies. Out: values that the YAML serializer writes as the API wants them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::{Service, Taint};

/// Text by name.
pub(super) type Pairs = BTreeMap<String, String>;

/// The label that says which program an object belongs to.
pub(super) const NAME_LABEL: &str = "app.kubernetes.io/name";
/// The label of pods that the descheduler sends back to the node they prefer.
pub(super) const FAILBACK_LABEL: &str = "rootstock.example/failback";
/// The label that a node has for its own name.
pub(super) const HOST_LABEL: &str = "kubernetes.io/hostname";

/// An object with a `spec`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Object<S> {
    pub(super) api_version: &'static str,
    pub(super) kind: &'static str,
    pub(super) metadata: Metadata,
    pub(super) spec: S,
}

impl<S> Object<S> {
    pub(super) const fn new(
        api_version: &'static str,
        kind: &'static str,
        metadata: Metadata,
        spec: S,
    ) -> Self {
        Self { api_version, kind, metadata, spec }
    }
}

/// An object that is nothing but its name.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Namespace {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
}

impl Namespace {
    pub(super) fn new(name: &str) -> Self {
        Self { api_version: "v1", kind: "Namespace", metadata: Metadata::of_cluster(name) }
    }
}

/// An object's name and what is said about it.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Metadata {
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) namespace: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) labels: Pairs,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: Pairs,
}

impl Metadata {
    /// Of an object that belongs to no namespace.
    pub(super) fn of_cluster(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }
    pub(super) fn within(namespace: &str, name: &str) -> Self {
        Self { namespace: Some(namespace.to_owned()), ..Self::of_cluster(name) }
    }
    /// With the label of the program it belongs to.
    pub(super) fn of_service(mut self, service: &str) -> Self {
        self.labels = pairs([(NAME_LABEL, service)]);
        self
    }
}

/// Text by name, of a few.
pub(super) fn pairs<const N: usize>(list: [(&str, &str); N]) -> Pairs {
    list.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// Pods by their labels.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Labels {
    match_labels: Pairs,
}

impl Labels {
    /// Pods with one label.
    pub(super) fn with(key: &str, value: &str) -> Self {
        Self { match_labels: pairs([(key, value)]) }
    }
    /// The pods of a service.
    pub(super) fn of(service: &str) -> Self {
        Self::with(NAME_LABEL, service)
    }
}

/// What a pod puts up with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Toleration {
    pub(super) key: String,
    pub(super) operator: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<String>,
    pub(super) effect: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) toleration_seconds: Option<u32>,
}

impl Toleration {
    /// Of one taint, with its value.
    pub(super) fn of(taint: &Taint) -> Self {
        Self {
            key: taint.key.clone(),
            operator: "Equal",
            value: Some(taint.value.clone()),
            effect: taint.effect.as_str(),
            toleration_seconds: None,
        }
    }
}

/// A container's image in two parts, as charts ask for it.
#[derive(Debug, Serialize)]
pub(super) struct Image {
    repository: String,
    tag: String,
}

impl Image {
    /// The image of that name; nothing where the service names none, then the chart's own is used.
    pub(super) fn of(service: &Service, name: &str) -> Option<Self> {
        let (repository, tag) = service.images.get(name)?.rsplit_once(':')?;
        Some(Self { repository: repository.to_owned(), tag: tag.to_owned() })
    }
}
