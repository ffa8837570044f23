//! Facts about routes, addresses, ports and the server.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use desired::observed::Answer;
use desired::preflight::facts::Listener;
use desired::preflight::needs::host_and_port;

use super::{NOT_LIVE, asked, kernel_text, mapped};
use crate::process::Invocation;
use crate::root::Root;

/// Ports that somebody may need; others are not looked at.
const PORTS: [u16; 5] = [2379, 2380, 6443, 8472, 10250];
/// How long one address of the server is tried.
const PATIENCE: Duration = Duration::from_secs(4);

/// Interfaces in the tables of routes whose destination and mask are all zeroes, proc_pid_net(5).
pub(super) fn default_routes(root: &Root) -> Answer<BTreeSet<String>> {
    mapped(kernel_text(root, "/proc/net/route"), |table| {
        let mut found = BTreeSet::new();
        for line in table.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if let [name, "00000000", _, flags, _, _, _, "00000000", ..] = fields[..]
                && is_up(flags)
            {
                found.insert(name.to_owned());
            }
        }
        let six = root.read_text("/proc/net/ipv6_route").ok().flatten().unwrap_or_default();
        for line in six.lines() {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // The kernel keeps a route that rejects everything on lo.
            if let [destination, "00", .., flags, name] = fields[..]
                && destination.bytes().all(|byte| byte == b'0')
                && name != "lo"
                && is_up(flags)
            {
                found.insert(name.to_owned());
            }
        }
        Answer::Known(found)
    })
}

/// The flag RTF_UP.
fn is_up(flags: &str) -> bool {
    u32::from_str_radix(flags, 16).is_ok_and(|flags| flags & 1 == 1)
}

pub(super) fn addresses(root: &Root) -> Answer<BTreeMap<String, BTreeSet<String>>> {
    if !root.is_live() {
        return Answer::later(NOT_LIVE);
    }
    match asked(&Invocation::new("ip").args(["-oneline", "address", "show", "scope", "global"])) {
        Ok(output) => Answer::Known(by_interface(&output.text())),
        Err(why) => Answer::unknown(why),
    }
}

/// `2: eth0    inet 192.168.1.5/24 …` → the address, by the interface.
pub(super) fn by_interface(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines() {
        let mut fields = line.split_whitespace().skip(1);
        if let (Some(name), Some("inet" | "inet6"), Some(address)) =
            (fields.next(), fields.next(), fields.next())
        {
            let name = name.split('@').next().unwrap_or(name).to_owned();
            let address = address.split('/').next().unwrap_or(address).to_owned();
            found.entry(name).or_default().insert(address);
        }
    }
    found
}

/// Whether a connection to the server comes about from here.
pub(super) fn server(root: &Root, server: &str) -> Answer<Result<(), String>> {
    if !root.is_live() {
        return Answer::later(NOT_LIVE);
    }
    let Some((host, port)) = host_and_port(server) else {
        return Answer::Known(Err("it is no https address with a port".to_owned()));
    };
    Answer::Known(connect(&host, port))
}

pub(super) fn connect(host: &str, port: u16) -> Result<(), String> {
    let addresses = (host, port).to_socket_addrs().map_err(|_| format!("{host} has no address here"))?;
    let mut last = format!("{host} has no address here");
    for address in addresses {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(_) => return Ok(()),
            Err(error) => {
                last = match error.kind() {
                    ErrorKind::ConnectionRefused => "connection refused, nothing listens there".to_owned(),
                    ErrorKind::TimedOut => format!("no answer within {} s", PATIENCE.as_secs()),
                    _ => error.to_string(),
                };
            }
        }
    }
    Err(last)
}

/// Who listens on the ports that are asked about.
pub(super) fn listeners(root: &Root) -> Answer<Vec<Listener>> {
    mapped(kernel_text(root, "/proc/net/tcp"), |tcp| {
        let read = |path: &str| root.read_text(path).ok().flatten().unwrap_or_default();
        let mut sockets = sockets("tcp", &tcp, "0A");
        sockets.extend(self::sockets("tcp", &read("/proc/net/tcp6"), "0A"));
        sockets.extend(self::sockets("udp", &read("/proc/net/udp"), "07"));
        sockets.extend(self::sockets("udp", &read("/proc/net/udp6"), "07"));
        sockets.sort();
        sockets.dedup_by_key(|(protocol, port, _)| (*protocol, *port));
        let wanted: BTreeSet<&str> = sockets.iter().map(|(_, _, inode)| inode.as_str()).collect();
        let holders = if wanted.is_empty() { BTreeMap::new() } else { holders(root, &wanted) };
        let sees_all = root.is_live() && root.is_writable_by_caller();
        let listeners = sockets.iter().map(|(protocol, port, inode)| Listener {
            protocol,
            port: *port,
            holder: holder(inode, &holders, sees_all),
        });
        Answer::Known(listeners.collect())
    })
}

/// Who has the socket. The kernel's own, vxlan's say, are held by no process: some have no inode, others one that whoever
/// sees all processes finds nowhere.
pub(super) fn holder(inode: &str, holders: &BTreeMap<String, String>, sees_all: bool) -> Option<String> {
    match holders.get(inode) {
        Some(name) => Some(name.clone()),
        None if inode == "0" || sees_all => Some("kernel".to_owned()),
        None => None,
    }
}

/// Protocol, port and inode of the sockets in `state`, proc_pid_net(5).
fn sockets(protocol: &'static str, table: &str, state: &str) -> Vec<(&'static str, u16, String)> {
    let parse = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (_, port) = fields.get(1)?.rsplit_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        let is_meant = fields.get(3) == Some(&state) && PORTS.contains(&port);
        is_meant.then(|| Some((protocol, port, (*fields.get(9)?).to_owned()))).flatten()
    };
    table.lines().skip(1).filter_map(parse).collect()
}

/// The programs that hold these inodes, as far as the caller may see them.
fn holders(root: &Root, wanted: &BTreeSet<&str>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let processes =
        root.list("/proc").into_iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    for process in processes {
        let folder = format!("/proc/{process}/fd");
        for file in root.list(&folder) {
            let target = root.see(&format!("{folder}/{file}")).ok().flatten().and_then(|seen| seen.target());
            let Some(target) = target else { continue };
            let inode = target.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
            if let Some(inode) = inode.filter(|inode| wanted.contains(inode)) {
                let name =
                    root.read_text(&format!("/proc/{process}/comm")).ok().flatten().unwrap_or_default();
                found.insert(inode.to_owned(), name.trim().to_owned());
            }
        }
    }
    found
}
