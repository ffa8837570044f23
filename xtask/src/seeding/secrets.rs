//! What a card is given from the desk: keys that may log in, a network's key, the token the node joins with.
//!
//! In: references of the profile, and files the person names. Out: [`Found`]. A card carries what ends soon; what opens the
//! cluster for good is refused with code 7 (FIELD K13, K14, S1).

use super::Options;
use crate::exit::{Code, Failure};
use crate::fleet::secrets::{references, token_reference};
use anyhow::{Context as _, anyhow};
use blueprint::model::{Card, K3sRole, Model, Node, PublicKey, SshKey};
use blueprint::render::seed::{Seed, Supplies};
use desired::SecretReference;
use desired::resource::Resource;
use host::leak_scan::LeakScanner;
use host::secret::{Secret, at_the_desk};
use host::signature::Signer;
use std::collections::BTreeMap;
use std::path::Path;

/// What was found for one card.
#[derive(Debug)]
pub struct Found {
    /// For the seed.
    pub supplies: Supplies,
    /// For the join, by reference.
    pub handed: BTreeMap<SecretReference, Secret>,
    /// What must have signed the bundle.
    pub public_key: Option<String>,
    /// What signs the passport.
    pub signer: Option<Signer>,
    /// What the person should know.
    pub remarks: Vec<String>,
    /// Finds what must not be there.
    others: LeakScanner,
}

impl Found {
    /// Reads what `node` needs.
    pub(super) fn read(
        model: &Model,
        node: &Node,
        resources: &[Resource],
        options: &Options,
    ) -> Result<Self, Failure> {
        let card = node.card.as_ref().ok_or_else(|| {
            let why = format!("{} boots from no card: it has no `board`", node.name);
            Failure::new(Code::InvalidProfile, why)
        })?;
        let wanted = references(resources);
        let (mut handed, mut remarks) = (BTreeMap::new(), Vec::new());
        for reference in options.carry.iter().filter(|reference| wanted.contains(*reference)) {
            handed.insert(reference.clone(), value(reference)?);
        }
        match token(model, node, options)? {
            Some((reference, token)) => drop(handed.insert(reference, token)),
            None if node.k3s.is_some() => {
                let name = &node.name;
                remarks.push(format!(
                    "{name} carries no token: it waits until cargo xtask join {name} brings one"
                ));
            }
            None => {}
        }
        let own: Vec<&SecretReference> =
            card.password_hash.iter().chain(card.wifi.iter().filter_map(|wifi| wifi.psk.as_ref())).collect();
        let missing = wanted.iter().filter(|one| !handed.contains_key(*one) && !is_token(model, one));
        remarks.extend(missing.map(|one| {
            format!(
                "{} needs {one} besides, which the card does not carry: --carry {one}, or cargo xtask join",
                node.name
            )
        }));
        let others = model.secret_references().into_iter().filter(|one| !own.contains(&one));
        let read =
            |path: &Path| std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()));
        Ok(Self {
            supplies: supplies(card)?,
            handed,
            public_key: options
                .public_key
                .as_deref()
                .map(read)
                .transpose()
                .map_err(Failure::with(Code::Missing))?,
            signer: options
                .sign_key
                .as_deref()
                .map(|path| Signer::read(path, None))
                .transpose()
                .map_err(Failure::with(Code::Missing))?,
            remarks,
            others: LeakScanner::new(others),
        })
    }

    /// A seed's files hold no secret but the card's own.
    pub(super) fn refuse_leaks(&self, seed: &Seed) -> Result<(), Failure> {
        let leak = seed.files.iter().find(|(_, file)| !self.others.find(&file.content).is_empty());
        if let Some((path, _)) = leak {
            let why = format!("{path} of the seed would hold the value of a secret; nothing was made");
            return Err(Failure::new(Code::Refused, why));
        }
        Ok(())
    }
}

fn value(reference: &SecretReference) -> Result<Secret, Failure> {
    at_the_desk(reference)
        .map_err(|why| Failure::new(Code::Missing, format!("a card needs {reference}, {why}")))
}

fn is_token(model: &Model, reference: &SecretReference) -> bool {
    model.k3s.as_ref().is_some_and(|k3s| *reference == k3s.server_token || *reference == k3s.agent_token)
}

fn supplies(card: &Card) -> Result<Supplies, Failure> {
    let mut ssh_keys = Vec::new();
    for key in &card.ssh_keys {
        match key {
            SshKey::Literal(key) => ssh_keys.push(key.clone()),
            // A file of several keys gives all of them.
            SshKey::Reference(reference) => {
                for line in value(reference)?.expose().lines().filter(|line| !line.trim().is_empty()) {
                    ssh_keys.push(parsed::<PublicKey>(line, reference)?);
                }
            }
        }
    }
    let read = |reference: &Option<SecretReference>| {
        reference.as_ref().map(|one| Ok::<_, Failure>((value(one)?, one.clone()))).transpose()
    };
    let password_hash = read(&card.password_hash)?;
    let psk = read(&card.wifi.as_ref().and_then(|wifi| wifi.psk.clone()))?;
    Ok(Supplies {
        ssh_keys,
        password_hash: password_hash.map(|(text, one)| parsed(text.expose(), &one)).transpose()?,
        psk: psk.map(|(text, one)| parsed(text.expose(), &one)).transpose()?,
    })
}

fn parsed<T: std::str::FromStr<Err = desired::Invalid>>(
    text: &str,
    reference: &SecretReference,
) -> Result<T, Failure> {
    text.parse().map_err(|invalid: desired::Invalid| {
        Failure::new(Code::InvalidProfile, format!("{reference} is no {}: {}", invalid.what, invalid.why))
    })
}

/// The token a node joins with, from the file that was named.
fn token(
    model: &Model,
    node: &Node,
    options: &Options,
) -> Result<Option<(SecretReference, Secret)>, Failure> {
    let (Some(k3s), Some(part), Some(path)) = (&model.k3s, node.k3s, &options.token_file) else {
        return Ok(None);
    };
    let text = std::fs::read_to_string(path).with_context(|| format!("read the token {}", path.display()));
    let text = text.map_err(Failure::with(Code::Missing))?;
    let text = text.trim();
    if part.is_server() && !options.dangerously_carry_server_token {
        let why = format!(
            "{} is a server, and its secret opens the cluster to whoever finds the card; join it over ssh: cargo xtask join {}",
            node.name, node.name
        );
        return Err(Failure::new(Code::Refused, why));
    }
    let is_own = part == K3sRole::FirstServer;
    if !is_own && !options.dangerously_carry_server_token {
        bootstrap_token(text)
            .map_err(|why| Failure { code: Code::Refused, error: anyhow!("{} {why}", path.display()) })?;
    }
    Ok(Some((token_reference(k3s, part).clone(), Secret::new(text))))
}

/// A token that names its cluster's CA and ends by itself: `K10<64 digits>::<6>.<16>` (FIELD K10, K11, K14).
fn bootstrap_token(text: &str) -> Result<(), &'static str> {
    let Some((head, tail)) = text.strip_prefix("K10").and_then(|rest| rest.split_once("::")) else {
        return Err(
            "holds a token that does not name its cluster's CA, so a node would join whoever answers; make one: k3s token create --ttl 24h",
        );
    };
    let small = |part: &str, length| {
        part.len() == length && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let is_pinned = head.len() == 64 && head.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_bootstrap = tail.split_once('.').is_some_and(|(id, secret)| small(id, 6) && small(secret, 16));
    match (is_pinned, is_bootstrap) {
        (true, true) => Ok(()),
        (false, _) => Err("holds a token whose CA digest has not 64 digits; it is cut off"),
        (true, false) => Err(
            "holds a token that never ends, and no card carries such; make one that does: k3s token create --ttl 24h",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tokens_that_end_are_carried() {
        let ca = "a".repeat(64);
        assert_eq!(bootstrap_token(&format!("K10{ca}::abcdef.0123456789abcdef")), Ok(()));
        for (token, why) in [
            (format!("K10{ca}::server:hunter2"), "never ends"),
            (format!("K10{ca}::node:hunter2"), "never ends"),
            ("abcdef.0123456789abcdef".to_owned(), "does not name its cluster"),
            ("K10abc::abcdef.0123456789abcdef".to_owned(), "cut off"),
        ] {
            let error = bootstrap_token(&token).unwrap_err();
            assert!(error.contains(why) && !error.contains("hunter2"), "{error}");
        }
    }
}
