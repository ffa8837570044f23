//! What a node's card needs besides the node itself: who logs in, over which network, on what base.

use schemars::JsonSchema;
use serde::Deserialize;

use super::At;

/// What a card is made with, for the whole cluster, a role, a group or one node; a narrower one wins key by key, and keys
/// for ssh add up.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CardSpec {
    /// The vendor image, by its name in `images/bases/`.
    #[serde(default)]
    pub base: Option<At<String>>,
    /// The account made at first boot; the cluster's `admin-user` if left out.
    #[serde(default)]
    pub user: Option<At<String>>,
    /// Public keys that may log in: each the line of a `.pub` file, or a reference to one (`env:NAME`, `file:/path.pub`).
    #[serde(default)]
    pub ssh_keys: Vec<At<String>>,
    /// The account's password as crypt(3) writes it, by reference; without one only keys log in.
    #[serde(default)]
    pub password_hash: Option<At<String>>,
    /// Language and character set (`en_GB.UTF-8`); `C.UTF-8` if left out.
    #[serde(default)]
    pub locale: Option<At<String>>,
    /// The keyboard's layout (`de`); `us` if left out.
    #[serde(default)]
    pub keyboard: Option<At<String>>,
    /// How the node gets its address; by DHCP if left out.
    #[serde(default)]
    pub addressing: Option<At<Addressing>>,
    /// A wireless network, where there is no cable.
    #[serde(default)]
    pub wifi: Option<WifiSpec>,
}

/// How a node gets its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Addressing {
    /// The router gives it; the router must know the node's `address`.
    Dhcp,
    /// The node takes its `address` itself, with gateway and name servers of the LAN.
    Static,
}

/// A wireless network.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct WifiSpec {
    /// Its name.
    pub ssid: At<String>,
    /// Its key, by reference: 8 to 63 characters, or 64 hexadecimal digits; left out for an open network.
    #[serde(default)]
    pub psk: Option<At<String>>,
    /// Where the node stands, by ISO 3166 (`DE`): without it the radio stays off (FIELD P10).
    #[serde(default)]
    pub country: Option<At<String>>,
    /// The network does not tell its name.
    #[serde(default)]
    pub hidden: bool,
}
