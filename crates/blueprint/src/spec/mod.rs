//! The spec: TOML exactly as a person writes it, before anything is resolved.
//!
//! In: the text of `profiles/<cluster>/cluster.toml` and `profiles/roles/*.toml`. Out: these structs, every value
//! with its place in the file. Doc comments here become `profiles/schema/` and so what an editor explains.
//! Names, addresses and versions are still text; `resolve` makes them typed and judges them.

mod at;
mod card;
mod cluster;
mod node;
mod service;
mod share;

use std::collections::BTreeMap;

pub use at::At;
pub use card::{Addressing, CardSpec, WifiSpec};
pub use cluster::{
    ArtifactSpec, ClusterHeader, ClusterSpec, DockerSpec, Flannel, ImagesSpec, K3sSpec, MeshKind, MeshSpec,
    MirrorSpec, NetworkSpec, Orchestrator, RegistrySpec,
};
pub use node::{
    Board, GroupSpec, K3sRoleSpec, KubeletSpec, MediumKind, NodeSpec, OsFamily, OsSpec, PageSize, Power,
    PresetView, RoleFile, RoleSpec,
};
pub use service::{ChartSpec, ContainerSpec, ServiceKind, ServiceSpec, Variant};
pub use share::{ShareKind, ShareSpec, Via};

/// A table of named things; keys keep their place in the file, order is by name.
pub type Named<T> = BTreeMap<At<String>, T>;

/// The JSON Schemas of both kinds of files, by name, as `profiles/schema/<name>.schema.json` holds them.
#[must_use]
pub fn schemas() -> [(&'static str, String); 2] {
    [("cluster", schema::<ClusterSpec>()), ("role", schema::<RoleFile>())]
}

fn schema<T: schemars::JsonSchema>() -> String {
    let schema =
        schemars::generate::SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    format!("{:#}\n", schema.as_value())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_know_their_place() {
        let text = "schema-version = 1\n[cluster]\nname = \"a\"\nadmin-user = \"me\"\norchestrator = \"k3s\"\n[network]\nlan = \"10.0.0.0/24\"\n[nodes.pc]\naddress = \"10.0.0.1\"\nlabels = { \"a/b\" = \"c\" }\n";
        let spec: ClusterSpec = toml::from_str(text).unwrap();
        let (name, node) = spec.nodes.iter().next().unwrap();
        assert_eq!(&text[name.span.clone()], "pc");
        assert_eq!(&text[node.address.as_ref().unwrap().span.clone()], "\"10.0.0.1\"");
        assert_eq!(&text[node.labels.keys().next().unwrap().span.clone()], "\"a/b\"");
    }
}
