//! Judgements about names, routes, addresses and ports.

use super::facts::Facts;
use super::needs::K3sNeeds;
use super::{Check, Mark, Needs, Verdict, known};
use crate::types::NodeName;

/// A name matters to whoever registers with it: without k3s a bad one deserves a word, no more.
pub(super) fn hostname(needs: &Needs, facts: &Facts) -> Result<Verdict, Verdict> {
    const CHECK: Check = Check::Hostname;
    let bad = |evidence: &str, reason: &str| {
        let mark = if needs.k3s.is_some() { Mark::Refuse } else { Mark::Warning };
        let fix = "give the node a name of its own in the profile, or: hostnamectl set-hostname NAME";
        Ok(Verdict::new(CHECK, "K8", mark, evidence).because(reason, fix))
    };
    let name = match &needs.hostname {
        Some(name) => name.to_string(),
        None => match known(&facts.hostname, CHECK, "K8")? {
            Some(name) => name.clone(),
            None => return bad("none is set", "the node would call itself localhost"),
        },
    };
    let evidence = format!("`{name}`");
    if matches!(name.as_str(), "raspberrypi" | "localhost" | "debian" | "ubuntu") {
        return bad(&evidence, "every fresh system has that name, and the second of a name is rejected");
    }
    match name.parse::<NodeName>() {
        Ok(_) => Ok(Verdict::ok(CHECK, "K8", evidence)),
        Err(invalid) => bad(&evidence, &invalid.why),
    }
}

pub(super) fn default_route(facts: &Facts) -> Result<Verdict, Verdict> {
    let routes = known(&facts.default_routes, Check::DefaultRoute, "K21")?;
    if routes.is_empty() {
        return Ok(Verdict::refuse(Check::DefaultRoute, "K21", "there is none").because(
            "k3s finds no address for the node without one",
            "connect the network; without a router a dummy route will do: ip link add dummy0 type dummy; \
             ip link set dummy0 up; ip address add 203.0.113.254/31 dev dummy0; \
             ip route add default via 203.0.113.255 dev dummy0 metric 1000",
        ));
    }
    let over: Vec<&str> = routes.iter().map(String::as_str).collect();
    Ok(Verdict::ok(Check::DefaultRoute, "K21", format!("over {}", over.join(", "))))
}

/// Whether an interface is made by software that pods or other networks run on, and so no choice for the node.
fn is_made(interface: &str) -> bool {
    const MADE: [&str; 10] =
        ["docker", "br-", "veth", "cni", "flannel", "tailscale", "wg", "virbr", "dummy", "podman"];
    MADE.iter().any(|prefix| interface.starts_with(prefix))
}

pub(super) fn interface(k3s: &K3sNeeds, facts: &Facts) -> Result<Verdict, Verdict> {
    const CHECK: Check = Check::Interface;
    let addresses = known(&facts.addresses, CHECK, "K17")?;
    let seen: Vec<String> = addresses
        .iter()
        .map(|(name, of)| format!("{name} {}", of.iter().cloned().collect::<Vec<_>>().join(" ")))
        .collect();
    let evidence = if seen.is_empty() { "no address".to_owned() } else { seen.join(", ") };
    let refuse =
        |reason: String, fix: String| Ok(Verdict::refuse(CHECK, "K17", &evidence).because(reason, fix));
    if let Some(wanted) = &k3s.interface
        && !addresses.contains_key(wanted)
    {
        return refuse(
            format!("the profile wants pods to talk over {wanted}, which has no address here"),
            "connect it, or correct `interface` of the node in the profile".to_owned(),
        );
    }
    if let Some(wanted) = &k3s.address {
        let of = |name: &String| addresses.get(name).is_some_and(|of| of.contains(wanted));
        let is_there = match &k3s.interface {
            Some(interface) => of(interface),
            None => addresses.values().any(|of| of.contains(wanted)),
        };
        if !is_there {
            let on = k3s.interface.as_ref().map_or_else(String::new, |name| format!(" on {name}"));
            return refuse(
                format!("the profile gives this node {wanted}, which is not there{on}"),
                "give the machine that address (a reservation in the router), or correct the profile"
                    .to_owned(),
            );
        }
        return Ok(Verdict::ok(CHECK, "K17", evidence));
    }
    let choices: Vec<&String> = addresses.keys().filter(|name| !is_made(name)).collect();
    if k3s.interface.is_none() && choices.len() > 1 {
        return Ok(Verdict::warning(CHECK, "K17", evidence).because(
            "there are several, and k3s takes the one with the default route",
            "name the right one as `interface` of the node in the profile",
        ));
    }
    Ok(Verdict::ok(CHECK, "K17", evidence))
}

pub(super) fn server(server: &str, facts: &Facts) -> Result<Verdict, Verdict> {
    match known(&facts.server, Check::Server, "K20")? {
        Ok(()) => Ok(Verdict::ok(Check::Server, "K20", format!("{server} answers"))),
        Err(why) => Ok(Verdict::refuse(Check::Server, "K20", format!("{server}: {why}")).because(
            "the node can't register there",
            "start the server first, and let 6443/tcp through its firewall",
        )),
    }
}

pub(super) fn ports(k3s: &K3sNeeds, facts: &Facts) -> Result<Verdict, Verdict> {
    const CHECK: Check = Check::Ports;
    let mut wanted = vec![("tcp", 10250), ("udp", 8472)];
    if k3s.role.is_server() {
        wanted.push(("tcp", 6443));
    }
    if k3s.etcd {
        wanted.extend([("tcp", 2379), ("tcp", 2380)]);
    }
    wanted.sort_unstable();
    let listeners = known(&facts.listeners, CHECK, "K20")?;
    let is_ours = |holder: &str| holder.starts_with("k3s") || holder == "kernel";
    let taken: Vec<String> = listeners
        .iter()
        .filter(|listener| wanted.contains(&(listener.protocol, listener.port)))
        .filter(|listener| !listener.holder.as_deref().is_some_and(is_ours))
        .map(|listener| {
            let holder = listener.holder.as_deref().unwrap_or("a program that can't be seen");
            format!("{}/{} by {holder}", listener.port, listener.protocol)
        })
        .collect();
    if taken.is_empty() {
        let names: Vec<String> = wanted.iter().map(|(protocol, port)| format!("{port}/{protocol}")).collect();
        return Ok(Verdict::ok(CHECK, "K20", format!("free or k3s's own: {}", names.join(" "))));
    }
    Ok(Verdict::refuse(CHECK, "K20", format!("taken: {}", taken.join(", ")))
        .because("k3s needs them", "stop that program, or give it another port"))
}
