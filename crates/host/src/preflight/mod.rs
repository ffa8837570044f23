//! Facts for the checks before the first change, one file a group.
//!
//! In: a [`Root`], what the node's resources need, what the journal tells. Out: [`Facts`] for the judgement in
//! `desired::preflight`. Nothing is changed. What lies in files (`/proc` and `/sys` too) is read below the root, so a node
//! that runs below a folder of a container is seen; programs, the clock and the network are asked on the running system
//! alone.

mod disk;
mod k3s;
mod machine;
mod network;
mod token;

use desired::Digest;
use desired::observed::Answer;
use desired::preflight::token::TokenFact;
use desired::preflight::{Facts, Needs};

use crate::journal::History;
use crate::process::{Invocation, Output};
use crate::root::Root;

pub use machine::{clock, wait_for_clock};

/// Why programs, clock and network aren't asked.
const NOT_LIVE: &str = "it can be seen on the running node alone";

/// Looks at everything a node with these needs is judged by.
#[must_use]
pub fn collect(root: &Root, needs: &Needs, history: &History) -> Facts {
    let k3s = needs.k3s.as_ref();
    let not_asked = || "it is not asked".to_owned();
    let server = match k3s.and_then(|k3s| k3s.server.as_deref()) {
        Some(server) => network::server(root, server),
        None => Answer::later(not_asked()),
    };
    let secret = k3s.map_or_else(|| Answer::later(not_asked()), |k3s| token::read(root, k3s));
    let token = mapped(secret.clone(), |secret| Answer::Known(TokenFact::of(secret.expose())));
    let certificates = token::certificates(k3s, &server, &token);
    let data_directory = k3s.map(|k3s| k3s.data_directory.as_str());
    Facts {
        userland: machine::userland(root),
        cgroup: machine::cgroup(root),
        page_size: machine::page_size(root),
        clock: machine::clock(root),
        hostname: Answer::Known(crate::observe::hostname(root)),
        default_routes: network::default_routes(root),
        addresses: network::addresses(root),
        server_certificates: mapped(certificates.clone(), |shown| Answer::Known(Digest::sha256_of(&shown))),
        token_accepted: token::is_accepted(root, k3s, &secret, &certificates),
        server,
        token,
        listeners: network::listeners(root),
        iptables: k3s::iptables(root),
        vxlan: k3s::vxlan(root),
        k3s_version: k3s.map_or_else(|| Answer::later(not_asked()), |_| k3s::version(root)),
        kubernetes: k3s::kubernetes(root, history, data_directory),
        swap: disk::swap(root),
        space: disk::space(root, needs),
        data_device: data_directory
            .map_or_else(|| Answer::later(not_asked()), |folder| disk::device(root, folder)),
    }
}

/// The text of a file below `/proc` or `/sys`; unknown with the reason if there is none.
fn kernel_text(root: &Root, path: &str) -> Answer<String> {
    match root.read_text(path) {
        Ok(Some(text)) => Answer::Known(text),
        Ok(None) if root.is_live() => Answer::unknown(format!("there is no {path}")),
        Ok(None) => Answer::later(NOT_LIVE),
        Err(error) => Answer::unknown(format!("{path} can't be read: {error}")),
    }
}

/// What became of a call.
fn asked(call: &Invocation) -> Result<Output, String> {
    call.run().map_err(|error| error.to_string().lines().next().unwrap_or_default().to_owned())
}

/// The value turned into another.
fn mapped<T, U>(answer: Answer<T>, with: impl FnOnce(T) -> Answer<U>) -> Answer<U> {
    match answer {
        Answer::Known(value) => with(value),
        Answer::Unknown { why } => Answer::Unknown { why },
        Answer::Later { why } => Answer::Later { why },
    }
}

#[cfg(test)]
mod tests;
