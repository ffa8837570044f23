//! Seeds: what a card's boot partition holds so that its first boot makes the one node of it.
//!
//! In: a node, its resources, what the base's first boot obeys, and what the desk read for it. Out: files, and changes to
//! files the base brought. Each value goes through the serializer or the escape of its file; secrets are in files that say
//! so ([`Lasts::UntilJoined`]) and in no script.

mod cloud;
mod edits;
mod network;
mod supplies;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use desired::Digest;
use desired::card::{FirstBoot, Lasts};
use desired::resource::Resource;
pub use edits::{EditError, Edits};
use serde::Serialize;
pub use supplies::{PasswordHash, Psk, Supplies};

use super::{RenderError, template};
use crate::escape::Inexpressible;
use crate::model::{Board, Card, Model, Node, OsFamily};

/// The unit that joins.
pub const UNIT: &str = "rootstock-first-boot.service";
/// The values the join is handed, by reference; written when the card is made.
pub const SECRETS: &str = "rootstock/secrets.json";

const UNIT_TEXT: &str = include_str!("../../../templates/seed/rootstock-first-boot.service");

/// What the system that the profile describes obeys: Raspberry Pi OS before 13 has no cloud-init (FIELD P1).
#[must_use]
pub fn first_boot(node: &Node) -> FirstBoot {
    let is_old = node.os.family == OsFamily::RaspberryPiOs && super::packages::major(&node.os) < 13;
    if is_old { FirstBoot::FirstRun } else { FirstBoot::CloudInit }
}

/// Where the node's bundle is.
#[derive(Debug, Clone)]
pub struct BundlePlace {
    /// Its file name.
    pub file: String,
    /// Its digest, by sha256.
    pub digest: Digest,
    /// Where it is fetched from; none where it lies on the card.
    pub address: Option<String>,
}

/// What a seed is made of.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The cluster.
    pub model: &'a Model,
    /// The node.
    pub node: &'a Node,
    /// What it shall be.
    pub resources: &'a [Resource],
    /// What the base's first boot obeys.
    pub method: FirstBoot,
    /// What the desk read for it.
    pub supplies: &'a Supplies,
    /// Its bundle.
    pub bundle: &'a BundlePlace,
    /// The key that must have signed its bundle, in minisign's form.
    pub public_key: Option<&'a str>,
}

/// A file of a seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedFile {
    /// Its bytes.
    pub content: Vec<u8>,
    /// How long it stays.
    pub lasts: Lasts,
}

/// What is put on a boot partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    /// Files by path.
    pub files: BTreeMap<String, SeedFile>,
    /// Changes to files of the base.
    pub edits: Edits,
    /// The name the volume is given; cloud-init looks for its seed under it where the image names no other place.
    pub label: Option<&'static str>,
}

/// Why a node gets no seed.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// It has no board.
    #[error("{0} boots from no card: it has no `board`")]
    NoBoard(desired::NodeName),
    /// Its first boot obeys something that its board does not have.
    #[error("{method} starts no {board}: only a Raspberry Pi's image obeys it")]
    Method {
        /// What the base obeys.
        method: FirstBoot,
        /// The board's kind.
        board: &'static str,
    },
    /// The digest of a bundle is compared by `sha256sum`.
    #[error("the bundle's digest {0} is not by sha256")]
    Digest(Digest),
    /// A value has no form in its file.
    #[error("the seed's {what} can't be written")]
    Inexpressible {
        /// The file, or the part of it.
        what: String,
        /// Why.
        source: Inexpressible,
    },
    /// A script can't be rendered.
    #[error(transparent)]
    Render(#[from] RenderError),
}

impl SeedError {
    fn inexpressible(what: impl Into<String>) -> impl FnOnce(Inexpressible) -> Self {
        move |source| Self::Inexpressible { what: what.into(), source }
    }
}

/// The seed of a node.
///
/// # Errors
/// [`SeedError`].
pub fn seed(request: &Request<'_>) -> Result<Seed, SeedError> {
    let Request { model, node, method, .. } = request;
    let (Some(card), Some(board)) = (&node.card, node.board) else {
        return Err(SeedError::NoBoard(node.name.clone()));
    };
    let is_pi = matches!(board, Board::Rpi4 | Board::Rpi5);
    if *method == FirstBoot::FirstRun && !is_pi {
        return Err(SeedError::Method { method: *method, board: "machine with UEFI" });
    }
    let script = script(request)?;
    let edits = Edits::of(node, card, request.resources, *method == FirstBoot::FirstRun);
    let mut files = BTreeMap::new();
    let mut put = |path: &str, content: String, lasts: Lasts| {
        files.insert(path.to_owned(), SeedFile { content: content.into_bytes(), lasts });
    };
    match method {
        FirstBoot::CloudInit => {
            for (path, content, lasts) in cloud::files(request, card, &script, &edits)? {
                put(path, content, lasts);
            }
        }
        FirstBoot::FirstRun => {
            put("firstrun.sh", first_run(model, node, card)?, Lasts::UntilJoined);
            put("rootstock/first-boot.sh", script, Lasts::Always);
            put("rootstock/rootstock-first-boot.service", UNIT_TEXT.to_owned(), Lasts::Always);
            let keys: String =
                request.supplies.ssh_keys.iter().map(|key| format!("{}\n", key.as_str())).collect();
            if !keys.is_empty() {
                put("rootstock/authorized_keys", keys, Lasts::Always);
            }
            if let Some(hash) = &request.supplies.password_hash {
                put("userconf.txt", format!("{}:{}\n", card.user, hash.expose()), Lasts::UntilJoined);
            }
            if let Some(key) = request.public_key {
                put("rootstock/key.pub", key.to_owned(), Lasts::Always);
            }
            for (name, text) in network::connections(node, card, &model.network, request.supplies)? {
                let lasts = if name == "wifi" { Lasts::UntilJoined } else { Lasts::Always };
                put(&format!("rootstock/{name}.nmconnection"), text, lasts);
            }
        }
    }
    let label = (!is_pi).then_some("CIDATA");
    Ok(Seed { files, edits, label })
}

#[derive(Serialize)]
struct Script<'a> {
    cluster: &'a str,
    node: &'a str,
    bundle: &'a str,
    digest: &'a str,
    address: &'a str,
}

/// The script of the unit.
fn script(request: &Request<'_>) -> Result<String, SeedError> {
    let bundle = request.bundle;
    let text = bundle.digest.to_string();
    let digest = text.strip_prefix("sha256:").ok_or_else(|| SeedError::Digest(bundle.digest.clone()))?;
    let context = Script {
        cluster: request.model.name.as_str(),
        node: request.node.name.as_str(),
        bundle: &bundle.file,
        digest,
        address: bundle.address.as_deref().unwrap_or_default(),
    };
    Ok(template::render("seed/first-boot.sh", &context)?)
}

#[derive(Serialize)]
struct FirstRun<'a> {
    cluster: &'a str,
    node: &'a str,
    user: &'a str,
    timezone: &'a str,
    locale: &'a str,
    keyboard: &'a str,
}

fn first_run(model: &Model, node: &Node, card: &Card) -> Result<String, SeedError> {
    let context = FirstRun {
        cluster: model.name.as_str(),
        node: node.name.as_str(),
        user: &card.user,
        timezone: &model.timezone,
        locale: &card.locale,
        keyboard: &card.keyboard,
    };
    Ok(template::render("seed/firstrun.sh", &context)?)
}
