//! From the model to what the lock must hold.

use std::collections::BTreeSet;

use desired::Arch;

use super::{Source, SourceUrl, Wanted};
use crate::model::{Capability, Model, Node, PackageSource};

/// Every artifact with a version in the model that some node of the cluster uses, for the architectures of those nodes.
/// A version that no node has a use for is a fact of the profile, not an artifact.
#[must_use]
pub fn wanted(model: &Model) -> Vec<Wanted> {
    let versions = model.versions.iter().map(|(name, version)| {
        let choice = model.artifacts.get(name).cloned().unwrap_or_default();
        let users = model.linux_nodes().filter(|node| uses(node, name.as_str()));
        let arches: BTreeSet<Arch> = users.map(|node| node.arch).collect();
        Wanted {
            name: name.clone(),
            version: version.clone(),
            arches: arches.into_iter().collect(),
            local: choice.local,
            sources: Vec::new(),
            optional: choice.optional,
            is_package: false,
        }
    });
    versions.chain(packages(model)).filter(|wanted| !wanted.arches.is_empty()).collect()
}

/// Package files, for the architectures of the nodes that install from them.
fn packages(model: &Model) -> impl Iterator<Item = Wanted> {
    model.package_files.iter().map(|(name, file)| {
        let users = model.linux_nodes().filter(|node| file.is_for(node));
        let arches: BTreeSet<Arch> = users.map(|node| node.arch).collect();
        let (local, sources) = match &file.source {
            PackageSource::Local(path) => (Some(path.clone()), Vec::new()),
            PackageSource::Web(url) => {
                let url = SourceUrl::Https(url.clone());
                (None, vec![Source { url, digest: None, member: None }])
            }
        };
        Wanted {
            name: name.clone(),
            version: file.version.clone(),
            arches: arches.into_iter().collect(),
            local,
            sources,
            optional: false,
            is_package: true,
        }
    })
}

/// Whether `node` installs `artifact`.
fn uses(node: &Node, artifact: &str) -> bool {
    match artifact {
        "k3s" | "k3s-airgap-images" | "k3s-install-script" => node.k3s.is_some(),
        // Podman hands `podman compose` to the same plugin (document 000).
        "docker-compose" => {
            [Capability::Docker, Capability::Swarm, Capability::RootlessDocker, Capability::Podman]
                .into_iter()
                .any(|capability| node.can(capability))
        }
        "mise" => node.can(Capability::Mise),
        "chezmoi" => node.can(Capability::Chezmoi),
        "headscale" => node.can(Capability::MeshServer),
        "tailscale" | "tailscaled" => node.can(Capability::Mesh),
        "infisical" => node.can(Capability::Infisical),
        _ => false,
    }
}
