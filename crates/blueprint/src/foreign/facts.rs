//! What the files of a cluster say together: networks, folders, and manifests that refer to one another.
//!
//! In: the model and every file. Out: answers to the questions that one file alone can't answer.

use ipnet::Ipv4Net;

use super::yaml_tree::Node;
use super::{Content, File};
use crate::lint::service::within;
use crate::model::Model;

/// A cluster and its files.
pub(crate) struct Facts<'a> {
    pub(crate) model: &'a Model,
    pub(crate) files: &'a [File<'a>],
}

impl<'a> Facts<'a> {
    /// Every Kubernetes document with its file.
    pub(crate) fn manifests(&self) -> impl Iterator<Item = (&'a File<'a>, &'a Node)> {
        self.files.iter().flat_map(|file| match &file.content {
            Content::Manifests(documents) => documents.iter().map(|node| (file, node)).collect(),
            _ => Vec::new(),
        })
    }

    /// Flux's own objects.
    pub(crate) fn kustomizations(&self) -> impl Iterator<Item = (&'a File<'a>, &'a Node)> {
        self.manifests().filter(|(_, node)| is_kind(node, "kustomize.toolkit.fluxcd.io/", "Kustomization"))
    }

    /// Whether the nodes or another Compose file make a network of that name.
    pub(crate) fn creates(&self, network: &str) -> bool {
        let named = |file: &File<'_>| match &file.content {
            Content::Compose(document) => document.get("networks").is_some_and(|networks| {
                networks.entries().iter().any(|entry| {
                    entry.value.get("external").is_none() && entry.value.text_at("name") == Some(network)
                })
            }),
            // A person may make it by a script of the service.
            Content::Script(commands) => commands.iter().any(|command| {
                command.has(network)
                    && ["docker", "podman"].iter().any(|tool| command.is(&[tool, "network", "create"]))
            }),
            _ => false,
        };
        self.model.docker.networks.contains_key(network) || self.files.iter().any(named)
    }

    /// Whether a path in a repository is one of the service's folders, seen from its own root or from a folder above it.
    pub(crate) fn has_folder(&self, service: &str, path: &str) -> bool {
        let path = path.trim_start_matches("./").trim_matches('/');
        self.files.iter().filter(|file| file.service() == service).any(|file| {
            let folder = file.source.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let below = file.below().rsplit_once('/').map_or("", |(folder, _)| folder);
            let root = folder.strip_suffix(below).unwrap_or(folder).trim_end_matches('/');
            let tail = path.split_once(root).map_or(path, |(_, tail)| tail.trim_matches('/'));
            path.is_empty() || within(below, tail) || tail.is_empty()
        })
    }

    /// Whether a container makes file systems appear at a host's path.
    pub(crate) fn propagates(&self, path: &str) -> bool {
        self.manifests().any(|(_, node)| {
            let Some(pod) = super::kubernetes::pod(node) else { return false };
            super::kubernetes::bidirectional(pod).any(|(_, mount)| {
                let name = mount.text_at("name");
                let volume = pod.get("volumes").map(Node::items).unwrap_or_default();
                let volume = volume.iter().find(|volume| volume.text_at("name") == name);
                let host = volume.and_then(|volume| volume.at(&["hostPath", "path"])?.text());
                host.is_some_and(|host| within(path, host.trim_end_matches('/')))
            })
        })
    }

    /// The networks that nodes have addresses in.
    pub(crate) fn networks(&self) -> impl Iterator<Item = Ipv4Net> {
        let network = &self.model.network;
        [network.lan].into_iter().chain(network.mesh.as_ref().map(|mesh| mesh.cidr))
    }
}

/// Whether a document is of that kind, in an API group that begins so.
pub(crate) fn is_kind(node: &Node, group: &str, kind: &str) -> bool {
    node.text_at("kind") == Some(kind)
        && node.text_at("apiVersion").is_some_and(|version| version.starts_with(group))
}
