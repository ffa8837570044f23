//! Boards, systems, disks, names and what a machine is asked to do.

use std::collections::BTreeMap;

use super::Context;
use crate::finding::rules::node as rule;
use crate::model::{Board, Capability, OsFamily};
use crate::resolve::node::DraftNode;
use crate::resolve::place::{Findings, Place};
use desired::{Arch, MacAddress, NodeName, SerialNumber};

pub(crate) fn lint(context: &Context<'_>, findings: &mut Findings) {
    if context.spec.nodes.is_empty() && context.spec.groups.is_empty() {
        let place = Place::of(&context.spec.cluster.name);
        findings.at(&rule::NO_NODES, place, format!("`{}` has no nodes", context.spec.cluster.name.value));
    }
    for draft in context.nodes.values() {
        board(draft, findings);
        capabilities(draft, findings);
        kernel(draft, findings);
        interface(draft, findings);
    }
    marks(context, findings);
    disks(context, findings);
    header(context, findings);
}

fn board(draft: &DraftNode, findings: &mut Findings) {
    let (node, preset) = (&draft.node, &draft.origin.preset);
    // Of one that was written wrongly, and told so, nothing follows.
    if preset.board.as_ref().is_some_and(|board| board.place.is_placeholder()) {
        return;
    }
    let pi = matches!(node.board, Some(Board::Rpi4 | Board::Rpi5));
    if let (Some(board), Some(arch)) = (&preset.board, &preset.arch)
        && pi
        && node.arch == Arch::Amd64
    {
        findings
            .at(
                &rule::BOARD_ARCH,
                arch.place,
                format!("`{}` is a Raspberry Pi and cannot be amd64", node.name),
            )
            .related(board.place, "the board");
    }
    if let Some(size) = &preset.page_size
        && node.board != Some(Board::Rpi5)
    {
        let message = format!("`{}` is not a Raspberry Pi 5 and has one page size", node.name);
        findings.at(&rule::PAGE_SIZE, size.place, message);
    }
    let Some(os) = &preset.os else { return };
    let Some(family) = draft.family() else { return };
    if family == OsFamily::RaspberryPiOs && !pi {
        let message = format!("`{}` is not described as a Raspberry Pi", node.name);
        findings
            .at(&rule::BOARD_OS, os.family.place, message)
            .help("write `board = \"rpi-5\"` or `\"rpi-4\"`, or another family");
    }
    if let Some(wsl) = &os.wsl
        && family != OsFamily::Windows
    {
        let message = format!("WSL does not exist on {}", family.as_str());
        findings.at(&rule::WSL_FAMILY, wsl.place, message);
    }
}

fn capabilities(draft: &DraftNode, findings: &mut Findings) {
    let (node, preset) = (&draft.node, &draft.origin.preset);
    for placed in &preset.capabilities {
        let Ok(capability) = placed.value.parse::<Capability>() else { continue };
        if let (Some(os), Some(family)) = (&preset.os, draft.family())
            && !capability.runs_on(family)
        {
            let message = format!("{} cannot do `{capability}`", family.as_str());
            findings
                .at(&rule::CAPABILITY_OS, placed.place, message)
                .related(os.family.place, format!("the system of `{}`", node.name));
        }
        for other in capability.excludes() {
            let Some(pair) = preset.capabilities.iter().find(|placed| placed.value == other.as_str()) else {
                continue;
            };
            // Both sides exclude each other; told once, at the later name.
            if capability < *other {
                let message = format!("`{other}` and `{capability}` exclude one another on `{}`", node.name);
                findings
                    .at(&rule::CAPABILITY_EXCLUSIVE, pair.place, message)
                    .related(placed.place, format!("`{capability}`"));
            }
        }
    }
}

fn kernel(draft: &DraftNode, findings: &mut Findings) {
    let preset = &draft.origin.preset;
    let word = |text: &str, extra: &str| {
        !text.is_empty()
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.+".contains(c) || extra.contains(c))
    };
    for module in &preset.kernel_modules {
        if !word(&module.value, "") {
            let message = format!("`{}` is not one kernel module", module.value);
            findings.at(&rule::KERNEL_SETTING, module.place, message);
        }
    }
    for package in &preset.packages {
        if !word(&package.value, ":~") {
            let message = format!("`{}` is not one package", package.value);
            findings.at(&rule::KERNEL_SETTING, package.place, message);
        }
    }
    for (key, (place, value)) in &preset.sysctl {
        if !word(key, "/*") {
            findings.at(&rule::KERNEL_SETTING, *place, format!("`{key}` is not a kernel setting"));
        }
        if value.value.chars().any(char::is_control) {
            findings.at(
                &rule::KERNEL_SETTING,
                value.place,
                format!("the value of `{key}` has several lines"),
            );
        }
    }
}

fn interface(draft: &DraftNode, findings: &mut Findings) {
    if let (Some(place), Some(name)) = (draft.origin.interface, &draft.node.interface) {
        let fits = (1..=15).contains(&name.len())
            && !name.chars().any(|c| c == '/' || c == ':' || c.is_whitespace() || c.is_control());
        if !fits {
            findings.at(&rule::INTERFACE, place, format!("`{name}` is not an interface"));
        }
    }
}

/// No two machines carry one mark; who is recognised by it would be two nodes.
fn marks(context: &Context<'_>, findings: &mut Findings) {
    let mut first: BTreeMap<&str, (Place, &NodeName)> = BTreeMap::new();
    for draft in context.nodes.values() {
        let DraftNode { node, origin } = draft;
        let mac = node.identity.mac.as_ref().map(MacAddress::as_str).zip(origin.mac);
        let serial = node.identity.serial.as_ref().map(SerialNumber::as_str).zip(origin.serial);
        for (mark, place) in mac.into_iter().chain(serial) {
            if let Some((other_place, other)) = first.insert(mark, (place, &node.name)) {
                let message = format!("`{mark}` is the mark of two machines");
                findings
                    .at(&rule::MACHINE_MARK, place, message)
                    .related(other_place, format!("also of `{other}`"));
            }
        }
    }
}

/// Targets and protected disks of the whole cluster: a disk protected on one node is protected from all.
fn disks(context: &Context<'_>, findings: &mut Findings) {
    let mut protected: BTreeMap<&str, Place> = BTreeMap::new();
    for draft in context.nodes.values() {
        for disk in draft.origin.protected_disks.iter() {
            disk_id(&disk.value, disk.place, findings);
            protected.entry(disk.value.as_str()).or_insert(disk.place);
        }
    }
    for draft in context.nodes.values() {
        let Some(target) = &draft.origin.flash_target else { continue };
        disk_id(&target.value, target.place, findings);
        if let Some(place) = protected.get(target.value.as_str()) {
            findings
                .at(&rule::PROTECTED_TARGET, target.place, format!("`{}` is a protected disk", target.value))
                .related(*place, "protected here");
        }
    }
}

fn disk_id(id: &str, place: Place, findings: &mut Findings) {
    let moving =
        ["sd", "hd", "vd"].iter().any(|prefix| {
            id.strip_prefix(prefix).is_some_and(|rest| {
                (1..=3).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
            })
        }) || id.strip_prefix("mmcblk").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    if id.is_empty() || id.contains('/') || id.chars().any(char::is_whitespace) || moving {
        findings
            .at(&rule::DISK_ID, place, format!("`{id}` is not a name under /dev/disk/by-id/"))
            .help("`ls -l /dev/disk/by-id` shows the names");
    }
}

fn header(context: &Context<'_>, findings: &mut Findings) {
    let header = &context.spec.cluster;
    if let Some(zone) = &header.timezone {
        let parts: Vec<&str> = zone.value.split('/').collect();
        let fits = parts.len() >= 2
            && parts.iter().all(|part| {
                part.starts_with(|c: char| c.is_ascii_uppercase())
                    && part.chars().all(|c| c.is_ascii_alphanumeric() || "_-+".contains(c))
            });
        if !fits {
            let message = format!("`{}` is not an IANA time zone", zone.value);
            findings.at(&rule::TIMEZONE, Place::of(zone), message);
        }
    }
    let user = &header.admin_user;
    let fits = user.value.len() <= 32
        && user.value.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && user
            .value
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte));
    if user.value == "root" || !fits {
        let message = format!("`{}` is not a person's account", user.value);
        findings.at(&rule::ADMIN_USER, Place::of(user), message);
    }
}
