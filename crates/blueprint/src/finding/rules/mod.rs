//! The rules, grouped by what they look at; the digits of a code before its last two are its group.

pub mod card;
pub mod file;
pub mod foreign;
pub mod k3s;
pub mod network;
pub mod node;
pub mod service;
pub mod shape;
pub mod share;
pub mod trust;
pub mod version;

use super::Rule;

/// The groups with their headings, in the order of their codes.
pub static GROUPS: &[(&str, &[&Rule])] = &[
    ("Files", file::GROUP),
    ("Shape", shape::GROUP),
    ("Nodes, roles and groups", node::GROUP),
    ("Networks", network::GROUP),
    ("k3s", k3s::GROUP),
    ("Shares", share::GROUP),
    ("Services", service::GROUP),
    ("Secrets", trust::GROUP),
    ("Versions, registries and mirrors", version::GROUP),
    ("Cards", card::GROUP),
    ("Files of services", foreign::GROUP),
];

/// Every rule, by code.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    GROUPS.iter().flat_map(|(_, rules)| rules.iter().copied())
}
