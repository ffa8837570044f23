//! Which node a machine is.
//!
//! In: what the bundle says of its nodes, and what was seen of the machine. Out: the one node that every trace agrees on,
//! and why; or why nobody can tell. Two traces that lead to two nodes are a contradiction and never a majority: a card
//! in the wrong slot must not become another node.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::change::clean;
use crate::types::{MacAddress, NodeName, SerialNumber};

/// By what a machine is recognised as its node, besides its host name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The hardware address of its interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacAddress>,
    /// The serial number its firmware tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<SerialNumber>,
}

impl Identity {
    /// Whether it says nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.mac.is_none() && self.serial.is_none()
    }
}

/// What was seen of a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traces {
    /// Its static host name.
    pub hostname: Option<String>,
    /// The hardware addresses of its interfaces; none where they can't be seen.
    pub macs: BTreeSet<MacAddress>,
    /// The serial numbers its firmware tells; none where they can't be seen.
    pub serials: BTreeSet<SerialNumber>,
}

/// Why nobody can tell which node a machine is; each a clause that can stand after a colon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unrecognised {
    /// No trace leads to a node.
    #[error("which node this is can't be told: {0}")]
    Nothing(String),
    /// Two traces lead to two nodes.
    #[error("two answers to which node this is: {one_trace} says {one}, {other_trace} says {other}")]
    Two {
        /// The first node.
        one: NodeName,
        /// What leads to it.
        one_trace: String,
        /// The second.
        other: NodeName,
        /// What leads there.
        other_trace: String,
    },
    /// A trace leads to a node whose other marks this machine does not have.
    #[error("{trace} says this is {node}, but {node} is the machine with the {mark}, which is not here")]
    Denied {
        /// The node.
        node: NodeName,
        /// What leads to it.
        trace: String,
        /// The mark that is missing.
        mark: String,
    },
}

/// The node among `nodes` that this machine is, and what says so.
///
/// # Errors
/// [`Unrecognised`].
pub fn recognise<'a>(
    nodes: impl IntoIterator<Item = &'a NodeName>,
    identities: &BTreeMap<NodeName, Identity>,
    traces: &Traces,
) -> Result<(NodeName, String), Unrecognised> {
    let mut answers: Vec<(&NodeName, String)> = Vec::new();
    let nodes: Vec<&NodeName> = nodes.into_iter().collect();
    let label = traces.hostname.as_deref().map(|name| name.split('.').next().unwrap_or_default());
    let of_name =
        nodes.iter().find(|node| label.is_some_and(|label| node.as_str().eq_ignore_ascii_case(label)));
    answers.extend(of_name.map(|node| (*node, "its host name".to_owned())));
    for node in &nodes {
        let Some(Identity { mac, serial }) = identities.get(node.as_str()) else { continue };
        let mac = mac.as_ref().filter(|mac| traces.macs.contains(mac.as_str()));
        answers.extend(mac.map(|mac| (*node, mac_mark(mac, "its"))));
        let serial = serial.as_ref().filter(|serial| traces.serials.contains(serial.as_str()));
        answers.extend(serial.map(|serial| (*node, serial_mark(serial, "its"))));
    }
    let Some((node, trace)) = answers.first().cloned() else {
        return Err(Unrecognised::Nothing(seen(traces)));
    };
    if let Some((other, other_trace)) = answers.iter().find(|(other, _)| *other != node) {
        let (one, other, other_trace) = (node.clone(), (*other).clone(), other_trace.clone());
        return Err(Unrecognised::Two { one, one_trace: trace, other, other_trace });
    }
    if let Some(mark) = identities.get(node.as_str()).and_then(|identity| missing(identity, traces)) {
        return Err(Unrecognised::Denied { node: node.clone(), trace, mark });
    }
    let traces: Vec<String> = answers.into_iter().map(|(_, trace)| trace).collect();
    Ok((node.clone(), traces.join(" and ")))
}

/// The mark of a node that this machine does not have although such marks can be seen on it.
fn missing(identity: &Identity, traces: &Traces) -> Option<String> {
    let serial = identity.serial.as_ref();
    let serial =
        serial.filter(|serial| !traces.serials.is_empty() && !traces.serials.contains(serial.as_str()));
    let mac = identity.mac.as_ref();
    let mac = mac.filter(|mac| !traces.macs.is_empty() && !traces.macs.contains(mac.as_str()));
    serial.map(|serial| serial_mark(serial, "")).or_else(|| mac.map(|mac| mac_mark(mac, "")))
}

fn mac_mark(mac: &MacAddress, whose: &str) -> String {
    format!("{whose} hardware address {mac}").trim_start().to_owned()
}

fn serial_mark(serial: &SerialNumber, whose: &str) -> String {
    format!("{whose} serial number {serial}").trim_start().to_owned()
}

/// What there is on a machine that no node has.
fn seen(traces: &Traces) -> String {
    let name = match &traces.hostname {
        Some(name) => format!("its host name is `{}`", clean(name)),
        None => "it has no host name".to_owned(),
    };
    let list = |texts: Vec<&str>, what: &str| match texts.len() {
        0 => String::new(),
        _ => format!(", {what} {}", texts.join(" ")),
    };
    let macs = list(traces.macs.iter().map(MacAddress::as_str).collect(), "it has the hardware addresses");
    let serials = list(traces.serials.iter().map(SerialNumber::as_str).collect(), "its serial number is");
    format!("{name}{macs}{serials}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: &str = "d8:3a:dd:00:11:22";
    const OTHER: &str = "d8:3a:dd:00:11:33";

    fn identity(mac: &str, serial: &str) -> Identity {
        Identity { mac: mac.parse().ok(), serial: serial.parse().ok() }
    }
    fn traces(hostname: &str, macs: &[&str], serials: &[&str]) -> Traces {
        Traces {
            hostname: (!hostname.is_empty()).then(|| hostname.to_owned()),
            macs: macs.iter().map(|mac| mac.parse().unwrap()).collect(),
            serials: serials.iter().map(|serial| serial.parse().unwrap()).collect(),
        }
    }
    fn told(traces: &Traces) -> String {
        let names: Vec<NodeName> = ["rpi-01", "rpi-02", "rpi-03"].map(|name| name.parse().unwrap()).into();
        let identities =
            [(names[0].clone(), identity(MAC, "10000000aaaa0001")), (names[1].clone(), identity(OTHER, ""))];
        match recognise(&names, &identities.into(), traces) {
            Ok((node, why)) => format!("{node}: {why}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn every_trace_alone_is_enough() {
        assert_eq!(told(&traces("RPI-03.local", &[], &[])), "rpi-03: its host name");
        assert_eq!(
            told(&traces("raspberrypi", &[MAC], &[])),
            "rpi-01: its hardware address d8:3a:dd:00:11:22"
        );
        assert_eq!(
            told(&traces("", &[], &["10000000aaaa0001"])),
            "rpi-01: its serial number 10000000aaaa0001"
        );
        let all = told(&traces("rpi-01", &[MAC, "02:42:00:00:00:01"], &["10000000aaaa0001"]));
        assert!(all.starts_with("rpi-01: its host name and its hardware address"), "{all}");
    }

    /// FIELD K8: two machines under one name is how a join fails for reasons nobody sees.
    #[test]
    fn nobody_guesses() {
        let nothing = told(&traces("raspberrypi", &["02:42:00:00:00:01"], &["deadbeef"]));
        let wanted = "which node this is can't be told: its host name is `raspberrypi`, it has the hardware addresses 02:42:00:00:00:01, its serial number is deadbeef";
        assert_eq!(nothing, wanted);
        let two = told(&traces("rpi-01", &[OTHER], &[]));
        let wanted = "two answers to which node this is: its host name says rpi-01, its hardware address d8:3a:dd:00:11:33 says rpi-02";
        assert_eq!(two, wanted);
        let denied = told(&traces("rpi-01", &["02:42:00:00:00:01"], &[]));
        let wanted = "its host name says this is rpi-01, but rpi-01 is the machine with the hardware address d8:3a:dd:00:11:22, which is not here";
        assert_eq!(denied, wanted);
        assert!(
            told(&traces("", &[MAC], &["deadbeef"]))
                .contains("serial number 10000000aaaa0001, which is not here")
        );
    }
}
