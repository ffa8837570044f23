//! Which secrets a node is handed over for its join.
//!
//! In: the node's resources, its part in k3s, the server. Out: values by reference, for the standard input of `bootstrap`
//! and nothing else (docs/decisions/0044). Agents get a token that was just minted, never the servers'; further servers
//! get the first one's; everything else is what the desk itself has of it. What nobody here has, the node may have.

use super::outcome::Trouble;
use super::server::Server;
use blueprint::model::{K3s, K3sRole};
use desired::SecretReference;
use desired::resource::{Resource, SecretPart, Want};
use host::secret::{self, Secret};
use std::collections::{BTreeMap, BTreeSet};

/// The references a node's files are made from.
pub fn references(resources: &[Resource]) -> BTreeSet<SecretReference> {
    let parts = resources.iter().flat_map(|resource| match &resource.want {
        Want::SecretFile { parts, .. } => parts.as_slice(),
        _ => &[],
    });
    parts
        .filter_map(|part| match part {
            SecretPart::Secret(reference) => Some(reference.clone()),
            SecretPart::Text(_) => None,
        })
        .collect()
}

/// The reference of the token a node of this part joins with.
pub const fn token_reference(k3s: &K3s, part: K3sRole) -> &SecretReference {
    if part.is_server() { &k3s.server_token } else { &k3s.agent_token }
}

/// What the desk itself has of `references`.
pub fn at_desk(references: &BTreeSet<SecretReference>) -> BTreeMap<SecretReference, Secret> {
    let found = references.iter().filter_map(|one| Some((one.clone(), secret::at_the_desk(one).ok()?)));
    found.collect()
}

/// The token for a node of this part; nothing where the desk has none and the node itself may.
pub fn token(k3s: &K3s, part: K3sRole, server: Option<&Server>) -> Result<Option<Secret>, Trouble> {
    let reference = token_reference(k3s, part);
    match (part, server) {
        (K3sRole::Agent, Some(server)) => server.mint().map(Some),
        (K3sRole::Server, Some(server)) => server.own_token().map(Some),
        (K3sRole::FirstServer, _) => match (secret::at_the_desk(reference), reference) {
            (Ok(secret), _) => Ok(Some(secret)),
            (Err(_), SecretReference::File(_)) => Ok(None),
            (Err(why), _) => Err(Trouble::new(
                format!("the servers' secret is {reference}, {why}"),
                "give it to this desk for the time of the join: a long random text that is kept safe",
            )),
        },
        (_, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use desired::Mode;
    use desired::resource::Owner;

    #[test]
    fn references_are_those_of_secret_files_each_once() {
        let file = |path: &str, reference: &str| {
            Resource::new(Want::SecretFile {
                path: path.parse().unwrap(),
                mode: Mode::PRIVATE,
                owner: Owner::root(),
                parts: vec![SecretPart::Text("a".to_owned()), SecretPart::Secret(reference.parse().unwrap())],
            })
        };
        let resources = [file("/a", "env:TOKEN"), file("/b", "env:TOKEN"), file("/c", "file:/root/x")];
        let found: Vec<String> = references(&resources).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["env:TOKEN", "file:/root/x"]);
    }
}
