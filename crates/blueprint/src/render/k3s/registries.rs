//! `registries.yaml`: mirrors and credentials, the same on every node, servers included (FIELD K28).
//!
//! In: the cluster's registries. Out: a file for root alone; with a password in it a secret file whose holes are filled
//! on the node. k3s reads it at its start only.

use std::collections::BTreeMap;

use desired::Mode;
use desired::SecretReference;
use desired::resource::{Owner, Resource, SecretPart, Want};
use serde_json::{Map, Value, json};

use super::{REGISTRIES, private};
use crate::escape::yaml;
use crate::model::{Model, Registry};
use crate::render::RenderError;

/// The file, where there is something to say.
///
/// # Errors
/// If a value has no form in YAML.
pub fn resource(model: &Model) -> Result<Option<Resource>, RenderError> {
    let mut passwords = Vec::new();
    let mut document: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for (host, registry) in &model.registries {
        let endpoints = endpoints(host, registry);
        if !endpoints.is_empty() {
            document.entry("mirrors").or_default().insert(host.clone(), json!({ "endpoint": endpoints }));
        }
        if let Some(password) = &registry.password {
            let auth = json!({ "username": registry.user, "password": hole(passwords.len()) });
            document.entry("configs").or_default().insert(host.clone(), json!({ "auth": auth }));
            passwords.push(password);
        }
    }
    if document.is_empty() {
        return Ok(None);
    }
    let text = yaml::document(&document).map_err(RenderError::inexpressible(REGISTRIES))?;
    if passwords.is_empty() {
        return private(REGISTRIES, text).map(Some);
    }
    Ok(Some(Resource::new(Want::SecretFile {
        path: REGISTRIES.parse().map_err(RenderError::invalid(REGISTRIES))?,
        mode: Mode::PRIVATE,
        owner: Owner::root(),
        parts: parts(&text, &passwords),
    })))
}

/// Where the registry is asked for: its mirrors, or itself where it speaks plain HTTP, which has to be said.
fn endpoints(host: &str, registry: &Registry) -> Vec<String> {
    if registry.mirrors.is_empty() && registry.http {
        vec![format!("http://{host}")]
    } else {
        registry.mirrors.clone()
    }
}

/// What stands for the password of that number until the text is cut there.
fn hole(number: usize) -> String {
    format!("password-{number}-of-rootstock")
}

/// Cuts the text at its holes. Each becomes a literal block with its indentation given, the one form of YAML that takes
/// any line of text as it stands: no quote, hash or backslash in a password can end it.
fn parts(text: &str, passwords: &[&SecretReference]) -> Vec<SecretPart> {
    let mut parts = Vec::new();
    let mut piece = String::new();
    for line in text.split_inclusive('\n') {
        let indentation = &line[..line.len() - line.trim_start().len()];
        let password = line
            .trim()
            .strip_prefix("password: ")
            .and_then(|value| passwords.iter().enumerate().find(|(number, _)| hole(*number) == value));
        let Some((_, password)) = password else {
            piece.push_str(line);
            continue;
        };
        piece.push_str(&format!("{indentation}password: |2-\n{indentation}  "));
        parts.push(SecretPart::Text(std::mem::take(&mut piece)));
        parts.push(SecretPart::Secret((*password).clone()));
        piece.push('\n');
    }
    parts.push(SecretPart::Text(piece));
    parts
}
