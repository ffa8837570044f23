//! Host identity: the name, who else is in the cluster, time, kernel modules and settings, packages.
//!
//! In: a node and its cluster. Out: resources; nothing on Windows and macOS, whose tools bring their own ways.
//! The kernel's command line is one line that others write too: words of ours are put among theirs (FIELD K1-K4).

use std::collections::BTreeSet;
use std::fmt::Write as _;

use desired::resource::{KernelFact, Owner, Resource, Want};
use desired::{AbsPath, Mode, NodeName};

use super::RenderError;
use super::packages::{self, Need};
use crate::escape::{Inexpressible, sh};
use crate::model::{Board, Model, Node, OsFamily, PageSize, Pins, ShareServer};

/// Clusters up to this many nodes have all of them in `/etc/hosts`. A larger one has name servers; there only servers
/// are listed, or a thousand nodes would each carry a thousand lines.
const WHOLE_CLUSTER_LIMIT: usize = 64;

/// Seconds a node waits for the network's time before it goes on with its own (FIELD K19).
const TIME_SYNC_TIMEOUT_SECS: u32 = 180;

/// What every Linux node is given.
///
/// # Errors
/// If the time zone or a name cannot be written, or a package file is not pinned.
pub fn resources(model: &Model, node: &Node, pins: &Pins) -> Result<Vec<Resource>, RenderError> {
    if !node.os.family.is_linux() {
        return Ok(Vec::new());
    }
    let mut all = vec![Resource::new(Want::Hostname { name: node.name.clone() }), hosts(model, node)?];
    let needs = [Need::Certificates, Need::Curl, Need::TimeSync, Need::TimeZones];
    all.extend(packages::resource(node, &needs));
    all.extend(packages::of_names(node, node.packages.clone()));
    all.extend(packages::files(model, node, pins)?);
    all.push(timezone(&model.timezone)?);
    all.extend(
        node.kernel_modules.iter().map(|name| Resource::new(Want::KernelModule { name: name.clone() })),
    );
    all.extend(
        node.sysctl
            .iter()
            .map(|(key, value)| Resource::new(Want::Sysctl { key: key.clone(), value: value.clone() })),
    );
    if node.k3s.is_some() {
        all.extend(time_sync()?);
    }
    all.extend(page_size(node)?);
    all.extend(memory_cgroup(node)?);
    Ok(all)
}

/// The cluster's block in `/etc/hosts`: names answer before any name server does.
fn hosts(model: &Model, node: &Node) -> Result<Resource, RenderError> {
    let mut content = String::new();
    if model.nodes.len() <= WHOLE_CLUSTER_LIMIT {
        model.nodes.values().for_each(|other| push_hosts(&mut content, model, other));
    } else {
        let mut named = servers(model);
        named.insert(&node.name);
        named
            .into_iter()
            .filter_map(|name| model.nodes.get(name))
            .for_each(|other| push_hosts(&mut content, model, other));
    }
    Ok(Resource::new(Want::ManagedBlock {
        path: path("/etc/hosts")?,
        name: "cluster".to_owned(),
        comment: "#".to_owned(),
        content,
    }))
}

/// The lines of one node. A name with the internal domain is its mesh address where there is a mesh, so that it means
/// the same inside and outside the LAN.
fn push_hosts(content: &mut String, model: &Model, node: &Node) {
    let full = model.internal_domain.as_ref().map(|domain| format!("{}.{domain}", node.name));
    // Writing to a String cannot fail.
    let _ = match (node.mesh_address, full) {
        (Some(mesh), Some(full)) => writeln!(content, "{} {}\n{mesh} {full}", node.address, node.name),
        (None, Some(full)) => writeln!(content, "{} {full} {}", node.address, node.name),
        (_, None) => writeln!(content, "{} {}", node.address, node.name),
    };
}

/// Nodes that others call by name: k3s servers, servers of shares, the mesh's coordinator.
fn servers(model: &Model) -> BTreeSet<&NodeName> {
    let k3s = model.nodes.values().filter(|node| node.k3s.is_some_and(|role| role.is_server()));
    let shares = model.shares.values().filter_map(|share| match &share.server {
        ShareServer::Node(name) => Some(name),
        ShareServer::External(_) => None,
    });
    let mesh = model.network.mesh.iter().filter_map(|mesh| mesh.server.as_ref());
    k3s.map(|node| &node.name).chain(shares).chain(mesh).collect()
}

/// The time zone, by systemd's own command, since `/etc/localtime` is a link.
fn timezone(zone: &str) -> Result<Resource, RenderError> {
    let what = || RenderError::inexpressible("the time zone");
    let zone_file = sh::plain(zone).map_err(what())?;
    if zone_file.starts_with('/') || zone_file.split('/').any(|part| part.is_empty() || part == "..") {
        return Err(what()(Inexpressible::new(
            "a time zone",
            zone,
            "it is no path below /usr/share/zoneinfo",
        )));
    }
    Ok(Resource::new(Want::Run {
        name: "timezone".to_owned(),
        command: vec!["timedatectl".to_owned(), "set-timezone".to_owned(), zone.to_owned()],
        unless: vec![
            "cmp".to_owned(),
            "-s".to_owned(),
            "/etc/localtime".to_owned(),
            format!("/usr/share/zoneinfo/{zone_file}"),
        ],
    }))
}

/// k3s makes certificates at its first start, which a board without a clock of its own would date in 1970: the unit
/// that waits for the network's time is on, and gives up after a while where there is none (FIELD K19).
fn time_sync() -> Result<[Resource; 2], RenderError> {
    let drop_in = Resource::new(Want::File {
        path: path("/etc/systemd/system/systemd-time-wait-sync.service.d/10-rootstock.conf")?,
        mode: Mode::PUBLIC,
        owner: Owner::root(),
        content: format!(
            "# A site without a time server shall still come up (FIELD K19).\n[Service]\nTimeoutStartSec={TIME_SYNC_TIMEOUT_SECS}\n"
        ),
    });
    let unit = Resource::new(Want::Unit {
        name: "systemd-time-wait-sync.service".parse().map_err(RenderError::invalid("the time unit"))?,
        enabled: true,
        // It ends when the clock is right and is not waited for again.
        active: false,
        waits: false,
        restart_on: BTreeSet::new(),
    });
    Ok([drop_in, unit])
}

/// The 4 KiB kernel of a Raspberry Pi 5, which many arm64 images need (FIELD K5); takes a reboot.
fn page_size(node: &Node) -> Result<Option<Resource>, RenderError> {
    if node.board != Some(Board::Rpi5) || node.page_size != Some(PageSize::FourKib) {
        return Ok(None);
    }
    Ok(Some(Resource::new(Want::ManagedBlock {
        path: path(&format!("{}/config.txt", boot_folder(node)))?,
        name: "page-size".to_owned(),
        comment: "#".to_owned(),
        // The block may stand anywhere: it opens its own section and closes it again.
        content: "[pi5]\nkernel=kernel8.img\n[all]\n".to_owned(),
    })))
}

/// Where the boot partition is mounted: up to Bullseye at /boot itself (FIELD K3).
fn boot_folder(node: &Node) -> &'static str {
    let is_old = node.os.family != OsFamily::Ubuntu && packages::major(&node.os) < 12;
    if is_old { "/boot" } else { "/boot/firmware" }
}

/// The memory cgroup, which a Raspberry Pi's firmware turns off and k3s needs; takes a reboot. Both words, since older
/// kernels know the first alone (FIELD K1).
///
/// # Errors
/// Never: its paths are legal.
pub(super) fn memory_cgroup(node: &Node) -> Result<Option<Resource>, RenderError> {
    if !matches!(node.board, Some(Board::Rpi4 | Board::Rpi5)) || node.k3s.is_none() {
        return Ok(None);
    }
    // Ubuntu's boot partition has two sets of files since 25.10, and starts from this one (FIELD K3).
    let has_sets = node.os.family == OsFamily::Ubuntu && packages::major(&node.os) >= 26;
    let set = if has_sets { "/current" } else { "" };
    Ok(Some(Resource::new(Want::ManagedLine {
        path: path(&format!("{}{set}/cmdline.txt", boot_folder(node)))?,
        words: ["cgroup_memory=1", "cgroup_enable=memory"].map(str::to_owned).into(),
        unless: Some(KernelFact::MemoryCgroup),
    })))
}

fn path(text: &str) -> Result<AbsPath, RenderError> {
    text.parse().map_err(RenderError::invalid("a path of the host family"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::testing;

    fn of(model: &Model, name: &str) -> Vec<Resource> {
        resources(model, &model.nodes[name], &Pins::default()).unwrap()
    }

    fn content<'a>(all: &'a [Resource], id: &str) -> Option<&'a str> {
        all.iter().find(|resource| resource.id.as_str() == id).map(|resource| match &resource.want {
            Want::ManagedBlock { content, .. } | Want::File { content, .. } => content.as_str(),
            other => panic!("{other:?} has no content"),
        })
    }

    #[test]
    fn hosts_names_the_whole_of_a_small_cluster_and_the_servers_of_a_large_one() {
        let mut model = testing::model();
        model.internal_domain = Some("home.arpa".to_owned());
        let all = of(&model, "pi-1");
        let hosts = content(&all, "managed-block:/etc/hosts#cluster").unwrap();
        assert!(hosts.contains("192.168.1.10 server-1.home.arpa server-1\n"), "{hosts}");
        assert!(hosts.contains("192.168.1.21 pi-2.home.arpa pi-2\n"), "{hosts}");
        let template = model.nodes["pi-1"].clone();
        for number in 0..WHOLE_CLUSTER_LIMIT {
            let name: NodeName = format!("extra-{number}").parse().unwrap();
            model.nodes.insert(name.clone(), Node { name, ..template.clone() });
        }
        let all = of(&model, "pi-1");
        let hosts = content(&all, "managed-block:/etc/hosts#cluster").unwrap();
        assert!(hosts.contains("server-1") && hosts.contains("pi-1") && !hosts.contains("pi-2"), "{hosts}");
    }

    #[test]
    fn mesh_names_are_the_mesh_addresses() {
        let mut model = testing::model();
        model.internal_domain = Some("colab".to_owned());
        let node = model.nodes.get_mut("pi-1").unwrap();
        node.mesh_address = Some("100.64.0.7".parse().unwrap());
        let all = of(&model, "pi-1");
        let hosts = content(&all, "managed-block:/etc/hosts#cluster").unwrap();
        assert!(hosts.contains("192.168.1.20 pi-1\n100.64.0.7 pi-1.colab\n"), "{hosts}");
    }

    #[test]
    fn the_page_size_is_chosen_inside_its_own_section() {
        let mut model = testing::model();
        assert_eq!(content(&of(&model, "pi-1"), "managed-block:/boot/firmware/config.txt#page-size"), None);
        model.nodes.get_mut("pi-1").unwrap().page_size = Some(PageSize::FourKib);
        assert_eq!(
            content(&of(&model, "pi-1"), "managed-block:/boot/firmware/config.txt#page-size"),
            Some("[pi5]\nkernel=kernel8.img\n[all]\n")
        );
    }

    /// FIELD K1, K3: where firmware turns the memory cgroup off and something needs it, and nowhere else.
    #[test]
    fn a_raspberry_pi_in_k3s_is_given_its_memory_cgroup() {
        let mut model = testing::model();
        let line = |model: &Model| {
            let all = of(model, "pi-1");
            all.into_iter().find(|resource| matches!(resource.want, Want::ManagedLine { .. }))
        };
        assert_eq!(line(&model).unwrap().id.as_str(), "managed-line:/boot/firmware/cmdline.txt");
        model.nodes.get_mut("pi-1").unwrap().os.release = "11".to_owned();
        assert_eq!(line(&model).unwrap().id.as_str(), "managed-line:/boot/cmdline.txt");
        model.nodes.get_mut("pi-1").unwrap().k3s = None;
        assert_eq!(line(&model), None);
    }

    #[test]
    fn a_time_zone_stays_below_zoneinfo() {
        for bad in ["../../etc/shadow", "/etc/shadow", "Europe/Berlin; reboot", ""] {
            assert!(timezone(bad).is_err(), "{bad}");
        }
        assert!(timezone("Europe/Berlin").is_ok());
    }

    #[test]
    fn windows_is_given_nothing() {
        let mut model = testing::model();
        model.nodes.get_mut("pi-1").unwrap().os.family = OsFamily::Windows;
        assert!(of(&model, "pi-1").is_empty());
    }
}
