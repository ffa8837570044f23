//! Shares: servers, mounts, options, exports.

use std::collections::BTreeMap;

use super::Context;
use crate::finding::rules::{share as rule, trust};
use crate::model::{Capability, Share, ShareServer, Via};
use crate::resolve::place::{Findings, Place};
use crate::spec::{At, ShareKind, ShareSpec};

pub(crate) fn lint(context: &Context<'_>, findings: &mut Findings) {
    for (name, spec) in &context.spec.shares {
        if spec.kind.span.is_empty() {
            continue;
        }
        let Some(share) = context.model.shares.get(&name.value) else { continue };
        server(context, spec, share, findings);
        mesh(context, spec, share, findings);
        protocol(name, spec, findings);
        options(spec, findings);
        export(context, spec, share, findings);
        points(spec, findings);
        if spec.clients.is_empty() {
            findings.at(&rule::SHARE_CLIENTS, Place::of(name), format!("nobody mounts `{}`", name.value));
        }
        if spec.kind.value == ShareKind::Smb && context.is_k3s() {
            findings.at(
                &rule::SMB_IN_CLUSTER,
                Place::of(&spec.kind),
                "a Kubernetes cluster with an SMB share",
            );
        }
    }
    conflicts(context, findings);
}

fn server(context: &Context<'_>, spec: &ShareSpec, share: &Share, findings: &mut Findings) {
    let (Some(at), ShareServer::Node(name)) = (&spec.server, &share.server) else { return };
    let Some(draft) = context.nodes.get(name) else { return };
    let needed = match share.kind {
        ShareKind::Smb => Capability::SmbServer,
        ShareKind::Nfs => Capability::NfsServer,
    };
    if draft.lacks(needed) {
        findings
            .at(&rule::SERVER_CAPABILITY, Place::of(at), format!("`{name}` lacks the capability `{needed}`"))
            .related(draft.origin.name, "this node");
    }
    if let Some(own) = spec.clients.iter().find(|client| client.value == name.as_str()) {
        findings.at(&rule::OWN_CLIENT, Place::of(own), format!("`{name}` serves this share itself"));
    }
}

fn mesh(context: &Context<'_>, spec: &ShareSpec, share: &Share, findings: &mut Findings) {
    let Some(via) = &spec.via else { return };
    if via.value != Via::Mesh {
        return;
    }
    // One that is half in the mesh, with an address or the capability alone, was told so itself.
    let lacking = |name| {
        context.nodes.get(name).is_some_and(|draft| {
            draft.node.mesh_address.is_none()
                && draft.lacks(Capability::Mesh)
                && draft.lacks(Capability::MeshServer)
        })
    };
    if context.spec.network.mesh.is_none() {
        findings.at(&rule::SHARE_MESH, Place::of(via), "the cluster has no mesh");
    } else if let ShareServer::Node(name) = &share.server
        && lacking(name)
    {
        findings.at(&rule::SHARE_MESH, Place::of(via), format!("the server `{name}` is not in the mesh"));
    } else if let Some(client) = share.clients.keys().find(|client| lacking(client)) {
        findings.at(&rule::SHARE_MESH, Place::of(via), format!("the client `{client}` is not in the mesh"));
    }
}

fn protocol(name: &At<String>, spec: &ShareSpec, findings: &mut Findings) {
    let smb = spec.kind.value == ShareKind::Smb;
    let versions: &[&str] = if smb { &["2.1", "3.0", "3.0.2", "3.1.1"] } else { &["3", "4.0", "4.1", "4.2"] };
    if let Some(at) = &spec.protocol_version
        && !versions.contains(&at.value.as_str())
    {
        findings
            .at(
                &rule::PROTOCOL_VERSION,
                Place::of(at),
                format!("`{}` is not a version of this protocol", at.value),
            )
            .help(format!("write one of {}", versions.join(", ")));
    }
    let foreign = if smb {
        vec![
            ("export-to", spec.export_to.as_ref().map(Place::of)),
            ("fsid", spec.fsid.as_ref().map(Place::of)),
            ("squash-to", spec.squash_to.as_ref().map(Place::of)),
        ]
    } else {
        vec![
            ("user", spec.user.as_ref().map(Place::of)),
            ("password", spec.password.as_ref().map(Place::of)),
            ("workgroup", spec.workgroup.as_ref().map(Place::of)),
            ("export-name", spec.export_name.as_ref().map(Place::of)),
        ]
    };
    for (key, place) in foreign {
        if let Some(place) = place {
            findings.at(&rule::OTHER_PROTOCOL, place, format!("`{key}` means nothing for this protocol"));
        }
    }
    if smb && (spec.user.is_none() || spec.password.is_none()) {
        let message = format!("`{}` has no user or no password", name.value);
        findings.at(&rule::SMB_CREDENTIALS, Place::of(name), message);
    }
    let writable = spec.read_only.as_ref().is_none_or(|at| !at.value && !at.span.is_empty());
    if spec.soft && writable {
        findings.at(&rule::SOFT_WRITE, Place::of(name), format!("`{}` is soft and writable", name.value));
    }
}

fn options(spec: &ShareSpec, findings: &mut Findings) {
    const OWN: [&str; 13] = [
        "rw",
        "ro",
        "soft",
        "hard",
        "vers",
        "nfsvers",
        "credentials",
        "user",
        "username",
        "nofail",
        "_netdev",
        "noauto",
        "auto",
    ];
    for at in &spec.options {
        let word = at.value.split('=').next().unwrap_or_default();
        let place = Place::of(at);
        if matches!(word, "password" | "pass" | "password2") {
            findings.at(&trust::SECRET_OPTION, place, "a password stands in a mount option");
        } else if word == "bg" {
            findings.at(&rule::BACKGROUND_OPTION, place, "`bg` reports success before the share is there");
        } else if at.value.is_empty()
            || at.value.contains([',', '#'])
            || at.value.contains(char::is_whitespace)
        {
            findings.at(
                &rule::MOUNT_OPTION,
                place,
                format!("`{}` is not one option", at.value.escape_debug()),
            );
        } else if OWN.contains(&word) {
            findings.at(&rule::MOUNT_OPTION, place, format!("`{word}` is made by the share's own keys"));
        }
    }
}

fn export(context: &Context<'_>, spec: &ShareSpec, share: &Share, findings: &mut Findings) {
    let fuse = spec.filesystem.as_ref().filter(|at| at.value.starts_with("fuse"));
    if let Some(at) = fuse
        && share.kind == ShareKind::Nfs
        && spec.fsid.is_none()
    {
        findings.at(&rule::FUSE_EXPORT, Place::of(at), format!("`{}` is exported without an fsid", at.value));
    }
    if let Some(at) = spec.squash_to.as_ref().filter(|at| at.value == 0) {
        findings.at(&rule::SQUASH_TO_ROOT, Place::of(at), "every client would write as root of the server");
    }
    if let Some(at) = &spec.device
        && share.device.is_some()
        && !at.value.starts_with("/dev/disk/by-")
        && !at.value.starts_with("/dev/md/")
        && !at.value.starts_with("/dev/mapper/")
    {
        findings.at(
            &rule::DEVICE_NAME,
            Place::of(at),
            format!("`{}` can be another device tomorrow", at.value),
        );
    }
    let Some(at) = &spec.export_to else { return };
    let (net, lan) = (share.export_to, context.model.network.lan);
    if net.prefix_len() == 0 && at.value != "0.0.0.0/0" {
        return;
    }
    let outside = share.clients.keys().find_map(|client| {
        let address = match share.via {
            Via::Lan => context.model.nodes.get(client)?.address,
            Via::Mesh => context.model.nodes.get(client)?.mesh_address?,
        };
        (!address.is_unspecified() && !net.contains(&address)).then_some((client, address))
    });
    if let Some((client, address)) = outside {
        let message = format!("the client `{client}` has {address}, which is not in {net}");
        findings.at(&rule::EXPORT_NETWORK, Place::of(at), message);
    } else if net.prefix_len() < lan.prefix_len() && net.contains(&lan) {
        findings.at(&rule::WIDE_EXPORT, Place::of(at), format!("{net} is wider than the LAN {lan}"));
    }
}

fn points(spec: &ShareSpec, findings: &mut Findings) {
    const TAKEN: [&str; 14] = [
        "/",
        "/bin",
        "/boot",
        "/boot/firmware",
        "/dev",
        "/etc",
        "/home",
        "/proc",
        "/root",
        "/run",
        "/sys",
        "/tmp",
        "/usr",
        "/var",
    ];
    for at in spec.mount_point.iter().chain(spec.mount_points.values()) {
        let below = ["/etc/", "/usr/", "/proc/", "/sys/", "/dev/", "/boot/"];
        if TAKEN.contains(&at.value.as_str()) || below.iter().any(|folder| at.value.starts_with(folder)) {
            findings.at(
                &rule::MOUNT_POINT_TAKEN,
                Place::of(at),
                format!("the system needs `{}` itself", at.value),
            );
        }
    }
}

fn conflicts(context: &Context<'_>, findings: &mut Findings) {
    let mut taken: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for (name, spec) in &context.spec.shares {
        let Some(share) = context.model.shares.get(&name.value) else { continue };
        for (client, point) in &share.clients {
            let key = (client.as_str(), point.as_str());
            if let Some(other) = taken.insert(key, &share.name) {
                let place = spec.mount_point.as_ref().map_or_else(|| Place::of(name), Place::of);
                let message = format!("`{client}` mounts `{other}` and `{}` on `{point}`", share.name);
                findings.at(&rule::MOUNT_CONFLICT, place, message);
            }
        }
    }
}
