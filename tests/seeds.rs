//! The seeds of three nodes, one for each kind of first boot, made as cards are but with stand-ins for what a desk reads.
//!
//! In: the profile `tests/fixtures/seeds`. Out: a seed a node; its secrets are canaries that trials look for.

use anyhow::{Context as _, ensure};
use blueprint::model::{Model, Node, SshKey};
use blueprint::parse::Source;
use blueprint::render::seed::{BundlePlace, Request, Seed, Supplies, first_boot, seed};
use blueprint::resolve::{Profile, resolve};
use desired::{Digest, NodeName};
use std::collections::BTreeMap;

/// The wireless network's key: every character that a language gives a meaning.
pub const PSK: &str = "canary: #'\"$\\ {end}";
/// The account's password.
pub const HASH: &str = "$6$canarysalt$canaryhash./";
/// Below the repository.
const FOLDER: &str = "tests/fixtures/seeds/profiles/yard/cluster.toml";

/// The cluster.
///
/// # Errors
/// If it has a finding.
pub fn model() -> anyhow::Result<Model> {
    let text =
        std::fs::read_to_string(crate::repository().join(FOLDER)).context("read the profile of the seeds")?;
    let source = Source::new("yard/cluster.toml", text);
    let found = resolve(&Profile { folder: "yard", cluster: &source, roles: &[], files: &[] });
    ensure!(found.findings.is_empty(), "{:?}", found.findings);
    found.model.context("a profile without findings has a model")
}

/// The seed of every node.
///
/// # Errors
/// If one can't be rendered.
pub fn all() -> anyhow::Result<BTreeMap<NodeName, Seed>> {
    let model = model()?;
    let made = model.nodes.values().map(|node| {
        let file = format!("bundle-{}.tar.gz", node.arch);
        // One of them fetches its bundle.
        let address = (node.name.as_str() == "barn").then(|| format!("http://192.168.7.2:8742/yard/{file}"));
        let bundle = BundlePlace { digest: Digest::sha256_of(file.as_bytes()), file, address };
        Ok((node.name.clone(), of(&model, node, &bundle)?))
    });
    made.collect()
}

/// The seed of a node that joins from that bundle.
///
/// # Errors
/// If it can't be rendered.
pub fn of(model: &Model, node: &Node, bundle: &BundlePlace) -> anyhow::Result<Seed> {
    let card = node.card.as_ref().context("every node has a board")?;
    let literal = |key: &SshKey| match key {
        SshKey::Literal(key) => Some(key.clone()),
        SshKey::Reference(_) => None,
    };
    let supplies = Supplies {
        ssh_keys: card.ssh_keys.iter().filter_map(literal).collect(),
        password_hash: Some(HASH.parse()?),
        psk: card.wifi.as_ref().map(|_| PSK.parse()).transpose()?,
    };
    let pins = crate::clusters::stand_in_pins(model)?;
    let resources = blueprint::render::node(model, node, &pins)?.resources;
    let (method, supplies, public_key) = (first_boot(node), &supplies, None);
    Ok(seed(&Request { model, node, resources: &resources, method, supplies, bundle, public_key })?)
}
