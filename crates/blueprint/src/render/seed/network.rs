//! The node's first network: for cloud-init as netplan's version 2, for the older way as NetworkManager's own files.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::Serialize;

use super::{Psk, SeedError, Supplies};
use crate::escape::{Inexpressible, yaml};
use crate::model::{Addressing, Board, Card, Network, Node, Wifi};

/// The document of `network-config` (cloud-init, network config version 2).
#[derive(Debug, Serialize)]
struct Document {
    version: u32,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    ethernets: BTreeMap<String, Link>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    wifis: BTreeMap<String, Link>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Link {
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    by: Option<BTreeMap<&'static str, String>>,
    dhcp4: bool,
    /// Whether the boot goes on without it (FIELD P16).
    optional: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    addresses: Vec<Ipv4Net>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    routes: Vec<BTreeMap<&'static str, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nameservers: Option<BTreeMap<&'static str, Vec<Ipv4Addr>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    regulatory_domain: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_points: Option<BTreeMap<String, AccessPoint>>,
}

#[derive(Debug, Serialize)]
struct AccessPoint {
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    hidden: bool,
}

/// A node's way into its LAN.
struct Way<'a> {
    node: &'a Node,
    card: &'a Card,
    network: &'a Network,
}

impl Way<'_> {
    /// Whether the address is the wireless network's.
    fn is_wireless(&self) -> bool {
        self.card.wifi.is_some()
            && self.node.interface.as_ref().is_none_or(|interface| interface.starts_with("wl"))
    }

    fn cable(&self) -> (String, Link) {
        let mut link = Link { dhcp4: true, optional: self.is_wireless(), ..Link::default() };
        let named = self.node.interface.as_ref().filter(|name| !name.starts_with("wl"));
        let name = match (named, &self.node.identity.mac, self.node.board) {
            (Some(name), _, _) => name.clone(),
            (None, Some(mac), _) if !self.is_wireless() => {
                link.by = Some([("macaddress", mac.to_string())].into());
                "lan".to_owned()
            }
            // Raspberry Pi's images name the one socket so.
            (None, _, Some(Board::Rpi4 | Board::Rpi5)) => "eth0".to_owned(),
            _ => {
                link.by = Some([("name", "e*".to_owned())].into());
                "lan".to_owned()
            }
        };
        if !self.is_wireless() {
            self.address(&mut link);
        }
        (name, link)
    }

    fn wireless(&self, wifi: &Wifi, psk: Option<&Psk>) -> (String, Link) {
        let named = self.node.interface.as_ref().filter(|name| name.starts_with("wl"));
        let point = AccessPoint { password: psk.map(|psk| psk.expose().to_owned()), hidden: wifi.hidden };
        let mut link = Link {
            dhcp4: true,
            optional: !self.is_wireless(),
            regulatory_domain: Some(wifi.country.clone()),
            access_points: Some([(wifi.ssid.clone(), point)].into()),
            ..Link::default()
        };
        if self.is_wireless() {
            self.address(&mut link);
        }
        (named.cloned().unwrap_or_else(|| "wlan0".to_owned()), link)
    }

    fn address(&self, link: &mut Link) {
        if self.card.addressing == Addressing::Dhcp {
            return;
        }
        link.dhcp4 = false;
        link.addresses = Ipv4Net::new(self.node.address, self.network.lan.prefix_len()).into_iter().collect();
        // Older renderers don't know the word `default`.
        let route = |gateway: Ipv4Addr| [("to", "0.0.0.0/0".to_owned()), ("via", gateway.to_string())].into();
        link.routes = self.network.gateway.map(route).into_iter().collect();
        link.nameservers = Some([("addresses", self.network.dns.clone())].into());
    }
}

/// `network-config`.
pub(super) fn config(
    node: &Node,
    card: &Card,
    network: &Network,
    supplies: &Supplies,
) -> Result<String, SeedError> {
    let way = Way { node, card, network };
    let wifis = card.wifi.iter().map(|wifi| way.wireless(wifi, supplies.psk.as_ref())).collect();
    let document = Document { version: 2, ethernets: [way.cable()].into(), wifis };
    yaml::document(&document).map_err(SeedError::inexpressible("network-config"))
}

/// What stays of it on the card once it was applied: that there is a network, and nothing of it.
pub(super) fn config_after() -> Result<String, SeedError> {
    let document = Document { version: 2, ethernets: BTreeMap::new(), wifis: BTreeMap::new() };
    yaml::document(&document).map_err(SeedError::inexpressible("network-config"))
}

/// NetworkManager's files, by name: none where it finds its way by itself.
pub(super) fn connections(
    node: &Node,
    card: &Card,
    network: &Network,
    supplies: &Supplies,
) -> Result<Vec<(&'static str, String)>, SeedError> {
    let way = Way { node, card, network };
    let mut files = Vec::new();
    let address = match card.addressing {
        Addressing::Dhcp => "[ipv4]\nmethod=auto\n".to_owned(),
        Addressing::Static => {
            let dns: String = network.dns.iter().map(|server| format!("{server};")).collect();
            let gateway = network.gateway.map_or_else(String::new, |gateway| format!(",{gateway}"));
            let prefix = network.lan.prefix_len();
            format!("[ipv4]\nmethod=manual\naddress1={}/{prefix}{gateway}\ndns={dns}\n", node.address)
        }
    };
    if let Some(wifi) = &card.wifi {
        let at = |key: &str| format!("{key} of the wireless network");
        // A list of bytes says every name; a text would not.
        let ssid: String = wifi.ssid.bytes().map(|byte| format!("{byte};")).collect();
        let hidden = if wifi.hidden { "hidden=true\n" } else { "" };
        let mut text = format!(
            "[connection]\nid=rootstock-wifi\ntype=wifi\nautoconnect=true\n\n[wifi]\nmode=infrastructure\nssid={ssid}\n{hidden}"
        );
        if let Some(psk) = &supplies.psk {
            let psk = keyfile(psk.expose()).map_err(SeedError::inexpressible(at("the key")))?;
            text += &format!("\n[wifi-security]\nkey-mgmt=wpa-psk\npsk={psk}\n");
        }
        text += if way.is_wireless() { "\n" } else { "\n[ipv4]\nmethod=auto\n" };
        text += if way.is_wireless() { &address } else { "" };
        files.push(("wifi", text));
    }
    if card.addressing == Addressing::Static && !way.is_wireless() {
        let (name, _) = way.cable();
        let interface = if name == "lan" { String::new() } else { format!("interface-name={name}\n") };
        files.push((
            "lan",
            format!(
                "[connection]\nid=rootstock-lan\ntype=ethernet\nautoconnect=true\n{interface}\n{address}"
            ),
        ));
    }
    Ok(files)
}

/// A value of a key file (GLib's, as NetworkManager reads it): a backslash is doubled, a blank at an end is `\s`.
fn keyfile(value: &str) -> Result<String, Inexpressible> {
    if value.chars().any(char::is_control) {
        return Err(Inexpressible::new("a key file", "…", "it holds a control character"));
    }
    let doubled = value.replace('\\', "\\\\");
    let inner = doubled.trim_matches(' ');
    let (before, behind) = if inner.is_empty() {
        (doubled.len(), 0)
    } else {
        (
            doubled.len() - doubled.trim_start_matches(' ').len(),
            doubled.len() - doubled.trim_end_matches(' ').len(),
        )
    };
    Ok(format!("{}{inner}{}", "\\s".repeat(before), "\\s".repeat(behind)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_key_files() {
        for (value, written) in
            [("abc", "abc"), (" a b ", "\\sa b\\s"), ("a\\nb", "a\\\\nb"), ("  ", "\\s\\s"), ("a;#=", "a;#=")]
        {
            assert_eq!(keyfile(value).unwrap(), written);
        }
        assert!(keyfile("a\nb").is_err());
    }
}
