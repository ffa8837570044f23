//! `join-k3s.sh`: the k3s part of a join as a script a person can read, for machines without our binary.
//!
//! In: a node with a part in k3s, and the pin of k3s. Out: POSIX sh that checks the machine (FIELD K1, K7, K17, K19, K21,
//! K30), verifies what it fetches, takes the token from a file, and changes nothing the second time.

use desired::resource::Want;
use desired::types::DigestAlgorithm;
use desired::{Arch, FileSet, Mode};
use serde::Serialize;

use super::{PROGRAM, TOKEN, unit};
use crate::model::{K3sRole, Model, Node, Pins};
use crate::render::{RenderError, pin, template};

const SCRIPT: &str = "join-k3s.sh";

/// A file the script puts in its place.
#[derive(Debug, Serialize)]
struct File {
    path: String,
    mode: String,
}

/// What the template is told.
#[derive(Debug, Serialize)]
struct Context<'a> {
    node: &'a str,
    cluster: &'a str,
    part: &'static str,
    is_first: bool,
    token_words: &'static str,
    address: String,
    arch: &'static str,
    server: String,
    unit: String,
    version: &'a str,
    program: &'static str,
    artifact: String,
    digest: &'a str,
    digest_tool: &'static str,
    url: String,
    token: &'static str,
    token_folder: &'static str,
    files: Vec<File>,
    by_hand: Vec<String>,
}

/// The script, where the node has a part in k3s.
///
/// # Errors
/// As the family's resources.
pub fn extras(model: &Model, node: &Node, pins: &Pins) -> Result<FileSet, RenderError> {
    let mut set = FileSet::new();
    let Some(role) = node.k3s.filter(|_| model.k3s.is_some()) else {
        return Ok(set);
    };
    let pin = pin(pins, "k3s", node)?;
    let digest = pin.pinned.file_digest().ok_or_else(|| RenderError::PinnedByDownload {
        what: SCRIPT,
        artifact: "k3s",
        node: node.name.clone(),
    })?;
    let (files, by_hand) = files(model, node, pins)?;
    let first = model.first_server().map(|first| first.address.to_string()).unwrap_or_default();
    let context = Context {
        node: node.name.as_str(),
        cluster: model.name.as_str(),
        part: if role.is_server() { "server" } else { "agent" },
        is_first: role == K3sRole::FirstServer,
        token_words: match role {
            K3sRole::FirstServer => "the short secret the cluster begins with",
            K3sRole::Server => "the full token of the servers, beginning with K10",
            K3sRole::Agent => "a join token of short life, beginning with K10",
        },
        address: node.address.to_string(),
        arch: node.arch.as_str(),
        server: format!("https://{first}:6443"),
        unit: unit::name(role)?.to_string(),
        version: &pin.version,
        program: PROGRAM,
        artifact: format!("k3s/{}", pin.file),
        digest: digest.hex(),
        digest_tool: match digest.algorithm() {
            DigestAlgorithm::Sha256 => "sha256sum",
            DigestAlgorithm::Sha512 => "sha512sum",
        },
        url: vendor_url(&pin.version, node.arch),
        token: TOKEN,
        token_folder: "/etc/rancher/k3s",
        files,
        by_hand,
    };
    let script = template::render("k3s/join.sh", &context)?;
    set.insert(SCRIPT, Mode::EXECUTABLE, script).map_err(RenderError::invalid(SCRIPT))?;
    Ok(set)
}

/// The files the script places, and those it leaves to a person because a password belongs in them.
fn files(model: &Model, node: &Node, pins: &Pins) -> Result<(Vec<File>, Vec<String>), RenderError> {
    let (mut files, mut by_hand) = (Vec::new(), Vec::new());
    for resource in super::resources(model, node, pins)? {
        match resource.want {
            Want::File { path, mode, .. } => {
                files.push(File { path: path.to_string(), mode: format!("{:o}", mode.bits()) });
            }
            Want::SecretFile { path, .. } if path.as_str() != TOKEN => by_hand.push(path.to_string()),
            _ => {}
        }
    }
    Ok((files, by_hand))
}

/// The vendor's own address of the program; `+` is written `%2B` there (FIELD K24, K25).
fn vendor_url(version: &str, arch: Arch) -> String {
    let asset = match arch {
        Arch::Amd64 => "k3s",
        Arch::Arm64 => "k3s-arm64",
    };
    format!("https://github.com/k3s-io/k3s/releases/download/{}/{asset}", version.replace('+', "%2B"))
}
