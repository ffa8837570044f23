//! Objects of Kubernetes as they are written: the parts that all of them share, and small kinds.
//!
//! In: values of the model. Out: structures that serialize to what the API server takes; nothing is read back.

use std::collections::BTreeMap;

use serde::Serialize;

/// Names, or keys with values; sorted, so that the same cluster gives the same file.
pub type Table = BTreeMap<String, String>;

/// An object with a `spec`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Object<T> {
    /// Group and version.
    pub api_version: &'static str,
    /// The kind.
    pub kind: &'static str,
    /// Who it is.
    pub metadata: Metadata,
    /// What it shall be.
    pub spec: T,
}

/// Who an object is.
#[derive(Debug, Default, Serialize)]
pub struct Metadata {
    /// Its name.
    pub name: String,
    /// Its namespace, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Labels.
    #[serde(skip_serializing_if = "Table::is_empty")]
    pub labels: Table,
    /// Annotations.
    #[serde(skip_serializing_if = "Table::is_empty")]
    pub annotations: Table,
}

impl Metadata {
    /// A name alone.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }
    /// A name in a namespace.
    pub fn in_namespace(name: &str, namespace: &str) -> Self {
        Self { namespace: Some(namespace.to_owned()), ..Self::named(name) }
    }
}

/// What a container asks for and is held to.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Resources {
    /// What the scheduler keeps free for it.
    #[serde(skip_serializing_if = "Table::is_empty")]
    pub requests: Table,
    /// What it is stopped at.
    #[serde(skip_serializing_if = "Table::is_empty")]
    pub limits: Table,
}

impl Resources {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A taint that a pod bears, whatever its value.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Toleration {
    /// The taint's key.
    pub key: String,
    /// Always `Exists`.
    pub operator: &'static str,
}
