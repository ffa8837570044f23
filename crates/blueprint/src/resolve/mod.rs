//! From specs to the model: roles merged, groups expanded, names, addresses and paths typed, references followed.
//!
//! In: a [`Profile`], the text of a cluster's files. Out: a [`Resolution`]: every finding of parse, resolve and lint,
//! and the model if none of them is an error. Merging: roles in the order they are named, each with its own roles
//! first, then the node; lists and tables grow, a single value is the last one written.

mod card;
mod container;
mod kubernetes;
mod network;
pub(crate) mod node;
pub(crate) mod place;
pub(crate) mod preset;
mod range;
mod selection;
mod service;
mod settings;
mod share;
pub(crate) mod taint;

use std::collections::BTreeMap;

use desired::{ClusterName, NodeName};

use crate::finding::rules::node as rule;
use crate::finding::{self, Finding};
use crate::foreign;
use crate::lint;
use crate::model::Model;
use crate::parse::{self, Source};
use crate::spec::{At, ClusterSpec, RoleFile};
use place::{Findings, Place};
use preset::{Role, Roles};
use selection::Selection;

/// The files of one cluster.
#[derive(Debug, Clone, Copy)]
pub struct Profile<'a> {
    /// The folder's name under `profiles/`.
    pub folder: &'a str,
    /// Its `cluster.toml`.
    pub cluster: &'a Source,
    /// The files of `profiles/roles/`.
    pub roles: &'a [Source],
    /// Its files below `services/`, those of a kind that [`foreign::is_judged`] names.
    pub files: &'a [Source],
}

/// What came of a profile.
#[derive(Debug)]
pub struct Resolution {
    /// The model, if there was no error.
    pub model: Option<Model>,
    /// Everything found, sorted by file and place.
    pub findings: Vec<Finding>,
}

/// Reads, resolves and lints one cluster.
#[must_use]
pub fn resolve(profile: &Profile<'_>) -> Resolution {
    let mut list = Vec::new();
    let spec = parse::cluster(profile.cluster, &mut list);
    let role_files: Vec<(usize, &Source, RoleFile)> = profile
        .roles
        .iter()
        .enumerate()
        .filter_map(|(index, source)| Some((index + 1, source, parse::role(source, &mut list)?)))
        .collect();
    let files =
        [profile.cluster].into_iter().chain(profile.roles).map(|source| source.path.clone()).collect();
    let mut findings = Findings::new(files);
    let model = spec.map(|spec| draft(profile, &spec, &role_files, &mut findings));
    list.extend(findings.into_list());
    if let Some(model) = &model {
        foreign::judge(profile.files, model, &mut list);
    }
    finding::tidy(&mut list);
    let model = model.filter(|_| !list.iter().any(Finding::is_error));
    Resolution { model, findings: list }
}

fn draft(
    profile: &Profile<'_>,
    spec: &ClusterSpec,
    role_files: &[(usize, &Source, RoleFile)],
    findings: &mut Findings,
) -> Model {
    let roles = roles(spec, role_files, findings);
    let nodes = node::nodes(spec, &roles, findings);
    let selection = Selection::new(spec, &roles, &nodes, findings);
    let network = network::network(spec, &nodes, findings);
    let (shares, doubtful_shares) = share::shares(spec, &selection, &nodes, network.lan, findings);
    let services = service::services(spec, profile, &selection, findings);
    let text = |at: &Option<At<String>>| at.as_ref().map(|at| at.value.clone());
    let model = Model {
        name: cluster_name(profile.folder, &spec.cluster.name, findings),
        description: text(&spec.cluster.description).unwrap_or_default(),
        domain: text(&spec.cluster.domain),
        internal_domain: text(&spec.cluster.internal_domain),
        allow_http: spec.cluster.allow_http,
        timezone: text(&spec.cluster.timezone).unwrap_or_else(|| "Etc/UTC".to_owned()),
        admin_user: spec.cluster.admin_user.value.clone(),
        orchestrator: spec.cluster.orchestrator.value,
        dotfiles: text(&spec.cluster.dotfiles),
        network,
        versions: settings::versions(spec, findings),
        k3s: settings::k3s(spec, findings),
        docker: settings::docker(spec, findings),
        registries: settings::registries(spec, findings),
        mirrors: settings::mirrors(spec),
        artifacts: settings::artifacts(spec, findings),
        package_files: settings::package_files(spec, findings),
        images: settings::images(spec),
        nodes: nodes.iter().map(|(name, draft)| (name.clone(), draft.node.clone())).collect(),
        shares,
        services,
    };
    lint::run(
        &lint::Context { spec, nodes: &nodes, model: &model, doubtful_shares: &doubtful_shares },
        findings,
    );
    model
}

fn roles<'a>(
    spec: &'a ClusterSpec,
    role_files: &'a [(usize, &'a Source, RoleFile)],
    findings: &mut Findings,
) -> Roles<'a> {
    let mut all = BTreeMap::new();
    for (file, source, role) in role_files {
        let name = Place::new(*file, &role.schema_version.span);
        all.insert(source.stem(), Role { file: *file, name, spec: &role.role });
    }
    for (name, spec) in &spec.roles {
        let role = Role { file: 0, name: Place::of(name), spec };
        if let Some(shared) = all.insert(name.value.as_str(), role) {
            let message = format!("the role `{}` is also a shared one", name.value);
            findings
                .at(&rule::DUPLICATE_ROLE, Place::of(name), message)
                .related(shared.name, "the shared one is this file");
        }
    }
    let roles = Roles(all);
    // Roles that no node has are judged too.
    for role in roles.0.values() {
        roles.merge(role.file, &role.spec.preset(), findings);
    }
    roles
}

fn cluster_name(folder: &str, name: &At<String>, findings: &mut Findings) -> ClusterName {
    let place = Place::of(name);
    match name.value.parse::<ClusterName>() {
        Ok(parsed) => {
            if parsed.as_str() != folder {
                let message = format!("the cluster is called `{parsed}` and its folder `{folder}`");
                findings.at(&rule::CLUSTER_NAME, place, message);
            }
            parsed
        }
        Err(invalid) => {
            let climbs = name.value.contains(['/', '\\']) || name.value.contains("..");
            let rule = if climbs { &crate::finding::rules::file::CLIMBING_NAME } else { &rule::CLUSTER_NAME };
            findings.at(rule, place, invalid.to_string());
            placeholder_cluster()
        }
    }
}

/// Stands in until a finding has stopped the model.
fn placeholder_cluster() -> ClusterName {
    "placeholder".parse().expect("a plain word is a legal cluster name")
}

/// Stands in until the caller has put the real name.
fn placeholder_name() -> NodeName {
    "placeholder".parse().expect("a plain word is a legal node name")
}

#[cfg(test)]
mod tests;
