//! What cards are made with: cluster, roles and node laid over one another, typed.

use desired::SecretReference;

use super::place::{FileIndex, Findings, Place, Placed};
use super::preset::{Preset, extend, placed, take};
use crate::finding::rules::{card as rule, trust};
use crate::model::{Addressing, Card, PublicKey, SshKey, Wifi};
use crate::spec::{At, CardSpec, WifiSpec};

/// What the cluster says for all cards.
pub(crate) struct ClusterCard<'a> {
    pub(crate) card: &'a CardSpec,
    pub(crate) admin_user: &'a str,
}

/// What roles, node and cluster said of the card; every value keeps the place it was written at.
#[derive(Debug, Clone, Default)]
pub(crate) struct CardPreset {
    pub(crate) base: Option<Placed<String>>,
    pub(crate) user: Option<Placed<String>>,
    pub(crate) ssh_keys: Vec<Placed<String>>,
    pub(crate) password_hash: Option<Placed<String>>,
    pub(crate) locale: Option<Placed<String>>,
    pub(crate) keyboard: Option<Placed<String>>,
    pub(crate) addressing: Option<Placed<Addressing>>,
    /// A network is taken as a whole: its key only means something with its name.
    pub(crate) wifi: Option<Placed<WifiSpec>>,
}

impl CardPreset {
    /// Lays what a role or a node says over what is there.
    pub(super) fn lay_over(&mut self, file: FileIndex, card: &CardSpec) {
        take(&mut self.base, file, card.base.as_ref());
        take(&mut self.user, file, card.user.as_ref());
        extend(&mut self.ssh_keys, file, &card.ssh_keys);
        take(&mut self.password_hash, file, card.password_hash.as_ref());
        take(&mut self.locale, file, card.locale.as_ref());
        take(&mut self.keyboard, file, card.keyboard.as_ref());
        take(&mut self.addressing, file, card.addressing.as_ref());
        if let Some(wifi) = &card.wifi {
            self.wifi = Some(Placed::new(wifi.clone(), Place::new(file, &wifi.ssid.span)));
        }
    }

    /// Fills what nobody said with what the cluster says for all.
    pub(super) fn lay_under(&mut self, cluster: &CardSpec) {
        let mut under = Self::default();
        under.lay_over(0, cluster);
        let over = std::mem::replace(self, under);
        let keys =
            over.ssh_keys.into_iter().filter(|key| !self.ssh_keys.iter().any(|one| one.value == key.value));
        let keys: Vec<Placed<String>> = keys.collect();
        self.ssh_keys.extend(keys);
        self.base = over.base.or(self.base.take());
        self.user = over.user.or(self.user.take());
        self.password_hash = over.password_hash.or(self.password_hash.take());
        self.locale = over.locale.or(self.locale.take());
        self.keyboard = over.keyboard.or(self.keyboard.take());
        self.addressing = over.addressing.or(self.addressing.take());
        self.wifi = over.wifi.or(self.wifi.take());
    }

    /// Somewhere anything was said of cards.
    pub(crate) fn is_said(&self) -> bool {
        let texts = [&self.base, &self.user, &self.password_hash, &self.locale, &self.keyboard];
        texts.iter().any(|text| text.is_some())
            || !self.ssh_keys.is_empty()
            || self.addressing.is_some()
            || self.wifi.is_some()
    }
}

/// The card of a node with a board; what was said is judged for every node.
pub(super) fn card(preset: &Preset, admin_user: &str, findings: &mut Findings) -> Option<Card> {
    let said = &preset.card;
    let told = |text: &Option<Placed<String>>, usual: &str| {
        text.as_ref().map_or_else(|| usual.to_owned(), |placed| placed.value.clone())
    };
    words(said, findings);
    let made = Card {
        base: said.base.as_ref().map(|base| base.value.clone()),
        user: told(&said.user, admin_user),
        ssh_keys: said.ssh_keys.iter().filter_map(|key| ssh_key(key, findings)).collect(),
        password_hash: said.password_hash.as_ref().and_then(|hash| reference(hash, findings)),
        locale: told(&said.locale, "C.UTF-8"),
        keyboard: told(&said.keyboard, "us"),
        addressing: said.addressing.as_ref().map_or(Addressing::Dhcp, |placed| placed.value),
        wifi: said.wifi.as_ref().and_then(|wifi| self::wifi(wifi, findings)),
    };
    preset.board.as_ref().map(|_| made)
}

fn reference(placed: &Placed<String>, findings: &mut Findings) -> Option<SecretReference> {
    placed
        .value
        .parse()
        .map_err(|invalid: desired::Invalid| {
            let message = "a secret stands here as a plain value, or its reference is broken";
            findings.at(&trust::PLAIN_SECRET, placed.place, message).help(invalid.why);
        })
        .ok()
}

/// An account, a language and a layout have their forms.
fn words(said: &CardPreset, findings: &mut Findings) {
    let small = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if let Some(user) = &said.user {
        let text = &user.value;
        let fits = text.len() <= 32
            && text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && text.bytes().all(|byte| small(byte) || b"_-".contains(&byte));
        if !fits || text == "root" {
            findings.at(&rule::CARD_USER, user.place, format!("`{text}` is not a person's account"));
        }
    }
    if let Some(locale) = &said.locale {
        let text = &locale.value;
        let fits = text.strip_suffix(".UTF-8").is_some_and(|language| {
            language == "C"
                || language.split('_').all(|part| {
                    (2..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphabetic())
                })
        });
        if !fits {
            let message = format!("`{text}` is not a locale of UTF-8");
            findings.at(&rule::CARD_LOCALE, locale.place, message);
        }
    }
    if let Some(keyboard) = &said.keyboard {
        let text = &keyboard.value;
        if !(2..=12).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_lowercase()) {
            findings.at(&rule::CARD_LOCALE, keyboard.place, format!("`{text}` is not a keyboard's layout"));
        }
    }
}

fn ssh_key(placed: &Placed<String>, findings: &mut Findings) -> Option<SshKey> {
    if let Ok(reference) = placed.value.parse::<SecretReference>() {
        return Some(SshKey::Reference(reference));
    }
    match placed.value.parse::<PublicKey>() {
        Ok(key) => Some(SshKey::Literal(key)),
        Err(invalid) => {
            let message = "this is no public key of OpenSSH, and no reference to one";
            findings.at(&rule::SSH_KEY, placed.place, message).help(invalid.why);
            None
        }
    }
}

fn wifi(placed: &Placed<WifiSpec>, findings: &mut Findings) -> Option<Wifi> {
    let (wifi, file) = (&placed.value, placed.place.file);
    let at = |at: &At<String>| self::placed(file, at);
    let ssid = &wifi.ssid.value;
    if ssid.is_empty() || ssid.len() > 32 || ssid.chars().any(char::is_control) {
        let message = format!("a network's name has 1 to 32 bytes, this one {}", ssid.len());
        findings.at(&rule::WIFI_NAME, placed.place, message);
    }
    let psk = match &wifi.psk {
        Some(psk) => Some(reference(&at(psk), findings)?),
        None => None,
    };
    let Some(country) = &wifi.country else {
        findings
            .at(&rule::WIFI_COUNTRY, placed.place, "nothing says in which country this network is")
            .help("add `country = \"DE\"`, the one the node stands in");
        return None;
    };
    if country.value.len() != 2 || !country.value.bytes().all(|byte| byte.is_ascii_uppercase()) {
        let message = format!("`{}` is not a country by ISO 3166", country.value);
        findings.at(&rule::WIFI_COUNTRY, at(country).place, message);
    }
    Some(Wifi { ssid: ssid.clone(), psk, country: country.value.clone(), hidden: wifi.hidden })
}
