//! Shares, typed, with their clients and where each mounts.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use desired::{AbsPath, NodeName};
use ipnet::Ipv4Net;

use super::network::{cidr, secret};
use super::node::{DraftNode, DraftNodes, address};
use super::place::{Findings, Place};
use super::selection::Selection;
use crate::finding::rules::{node as node_rule, share as rule};
use crate::model::{OsFamily, Share, ShareServer};
use crate::spec::{At, ClusterSpec, ShareKind, ShareSpec, Via};

/// Seconds a mount may take unless a share says otherwise (FIELD M3).
const MOUNT_TIMEOUT_SECS: u32 = 30;

/// Shares by name, and the names of those that were not understood as a whole: where they are mounted, nobody can say.
pub(crate) fn shares(
    spec: &ClusterSpec,
    selection: &Selection,
    nodes: &DraftNodes,
    lan: Ipv4Net,
    findings: &mut Findings,
) -> (BTreeMap<String, Share>, BTreeSet<String>) {
    let resolver = Resolver { selection, nodes, lan };
    let (mut shares, mut doubtful) = (BTreeMap::new(), BTreeSet::new());
    for (name, share) in &spec.shares {
        let told = findings.told();
        shares.insert(name.value.clone(), resolver.share(name, share, findings));
        if findings.told() > told || share.clients.is_empty() {
            doubtful.insert(name.value.clone());
        }
    }
    (shares, doubtful)
}

struct Resolver<'a> {
    selection: &'a Selection,
    nodes: &'a DraftNodes,
    lan: Ipv4Net,
}

impl Resolver<'_> {
    fn share(&self, name: &At<String>, spec: &ShareSpec, findings: &mut Findings) -> Share {
        let text = |at: &Option<At<String>>| at.as_ref().map(|at| at.value.clone());
        let server = self.server(name, spec, findings);
        let via = spec.via.as_ref().map_or(Via::Lan, |at| at.value);
        let default_export = self.lan;
        Share {
            name: name.value.clone(),
            kind: spec.kind.value,
            path: path(&spec.path, findings).unwrap_or_else(root),
            export_name: text(&spec.export_name).unwrap_or_else(|| name.value.clone()),
            via,
            clients: self.clients(name, spec, &server, findings),
            server,
            protocol_version: text(&spec.protocol_version)
                .unwrap_or_else(|| default_protocol(spec.kind.value).to_owned()),
            read_only: spec.read_only.as_ref().is_some_and(|at| at.value),
            soft: spec.soft,
            user: text(&spec.user),
            password: spec.password.as_ref().and_then(|at| secret(at, findings)),
            workgroup: text(&spec.workgroup),
            device: spec.device.as_ref().and_then(|at| path(at, findings)),
            filesystem: text(&spec.filesystem),
            directories: spec.directories.iter().map(|at| at.value.clone()).collect(),
            export_to: spec.export_to.as_ref().and_then(|at| cidr(at, findings)).unwrap_or(default_export),
            fsid: spec.fsid.as_ref().map(|at| at.value),
            squash_to: spec.squash_to.as_ref().map(|at| at.value),
            options: spec.options.iter().map(|at| at.value.clone()).collect(),
            gates: spec.gates.iter().filter_map(|at| gate(at, findings)).collect(),
            mount_timeout_secs: spec.mount_timeout_secs.as_ref().map_or(MOUNT_TIMEOUT_SECS, |at| at.value),
            idle_timeout_secs: spec.idle_timeout_secs.as_ref().map(|at| at.value),
        }
    }

    fn server(&self, name: &At<String>, spec: &ShareSpec, findings: &mut Findings) -> ShareServer {
        let nobody = ShareServer::External(Ipv4Addr::UNSPECIFIED);
        match (&spec.server, &spec.server_address) {
            (Some(at), None) => match self.nodes.get(at.value.as_str()) {
                Some(draft) => ShareServer::Node(draft.node.name.clone()),
                None => {
                    let message = format!("there is no node `{}`", at.value);
                    let finding = findings.at(&node_rule::UNKNOWN_NODE, Place::of(at), message);
                    if let Some(near) =
                        crate::finding::nearest(&at.value, self.nodes.keys().map(NodeName::as_str))
                    {
                        finding.help(format!("did you mean `{near}`?"));
                    }
                    nobody
                }
            },
            (None, Some(at)) => ShareServer::External(address(&at.value, Place::of(at), findings)),
            (Some(server), Some(at)) => {
                findings
                    .at(
                        &rule::SHARE_SERVER,
                        Place::of(at),
                        format!("the share `{}` has two servers", name.value),
                    )
                    .related(Place::of(server), "the other one");
                nobody
            }
            (None, None) => {
                let message = format!("the share `{}` has no server", name.value);
                findings
                    .at(&rule::SHARE_SERVER, Place::of(name), message)
                    .help("write `server = \"NODE\"`, or `server-address` for a machine outside the cluster");
                nobody
            }
        }
    }

    /// A server that a group or role brings along is passed over: it has the folder itself.
    fn clients(
        &self,
        name: &At<String>,
        spec: &ShareSpec,
        server: &ShareServer,
        findings: &mut Findings,
    ) -> BTreeMap<NodeName, String> {
        let mut points: BTreeMap<&NodeName, &At<String>> = BTreeMap::new();
        let told = findings.told();
        for (who, point) in &spec.mount_points {
            let chosen = self.selection.one(who, findings);
            points.extend(chosen.iter().map(|node| (node, point)));
        }
        // A misspelt name leaves some client on the common mount point; that was not meant.
        let points_are_known = findings.told() == told;
        let mut clients = BTreeMap::new();
        let told = findings.told();
        let chosen = self.selection.of(&spec.clients, findings);
        let clients_are_known = findings.told() == told && !spec.clients.is_empty();
        for node in chosen {
            if *server == ShareServer::Node(node.clone()) {
                continue;
            }
            let own = points.get(&node).copied();
            if own.is_none() && !points_are_known {
                continue;
            }
            let point = own.or(spec.mount_point.as_ref());
            let Some(point) = point else {
                let message = format!("`{node}` mounts `{}`, but nothing says where", name.value);
                findings.at(&rule::NO_MOUNT_POINT, Place::of(name), message);
                continue;
            };
            let family = self.nodes.get(&node).and_then(DraftNode::family);
            if family.is_none_or(|family| mount_point(point, family, findings)) {
                clients.insert(node, point.value.clone());
            }
        }
        for who in spec.mount_points.keys() {
            let stray = self.selection.one(who, findings);
            if clients_are_known
                && !stray.is_empty()
                && !stray.iter().any(|node| self.is_client(spec, node, findings))
            {
                let message = format!("`{}` is not a client of `{}`", who.value, name.value);
                findings.at(&rule::STRAY_MOUNT_POINT, Place::of(who), message);
            }
        }
        clients
    }

    fn is_client(&self, spec: &ShareSpec, node: &NodeName, findings: &mut Findings) -> bool {
        spec.clients.iter().any(|at| self.selection.one(at, findings).contains(node))
    }
}

const fn default_protocol(kind: ShareKind) -> &'static str {
    match kind {
        ShareKind::Smb => "3.1.1",
        ShareKind::Nfs => "4.2",
    }
}

fn root() -> AbsPath {
    "/".parse().expect("the root is an absolute path")
}

/// Whether `at` is a place that a system of `family` can mount on; says so if not.
fn mount_point(at: &At<String>, family: OsFamily, findings: &mut Findings) -> bool {
    if family == OsFamily::Windows {
        let drive = matches!(at.value.as_bytes(), [letter, b':'] if letter.is_ascii_uppercase());
        if !drive {
            let message = format!("`{}` is not a drive of Windows", at.value);
            findings.at(&rule::MOUNT_PATH, Place::of(at), message).help("write a letter and a colon, `Z:`");
        }
        return drive;
    }
    path(at, findings).is_some()
}

/// An absolute, clean path, or a finding.
pub(crate) fn path(at: &At<String>, findings: &mut Findings) -> Option<AbsPath> {
    at.value
        .parse()
        .map_err(|invalid: desired::Invalid| {
            findings.at(&rule::MOUNT_PATH, Place::of(at), invalid.to_string().escape_debug().to_string());
        })
        .ok()
}

fn gate(at: &At<String>, findings: &mut Findings) -> Option<desired::UnitName> {
    at.value
        .parse()
        .map_err(|invalid: desired::Invalid| {
            findings
                .at(&rule::GATE, Place::of(at), invalid.to_string())
                .help(format!("did you mean `{}.service`?", at.value));
        })
        .ok()
}
