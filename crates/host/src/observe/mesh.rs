//! Membership of a mesh, as tailscale(1) tells it: `status --json` and the settings of `debug prefs`.

use std::collections::BTreeSet;
use std::net::IpAddr;

use desired::observed::{Answer, MeshState, Observed};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::process::{Invocation, find_program};
use crate::root::Root;

/// Where every new installation points; what stands there until somebody logs in to another is the empty text.
const VENDOR: &str = "https://controlplane.tailscale.com";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Status {
    backend_state: String,
    #[serde(rename = "TailscaleIPs")]
    addresses: Option<BTreeSet<IpAddr>>,
}

#[derive(Debug, Deserialize)]
struct Settings {
    #[serde(rename = "ControlURL")]
    login_url: String,
    #[serde(rename = "CorpDNS")]
    accepts_dns: bool,
}

/// Asks the daemon of this node.
pub(crate) fn observe(root: &Root) -> Observed {
    if !root.is_live() {
        return Observed::Mesh { state: Answer::later("the running node joins its mesh") };
    }
    if find_program("tailscale").is_none() {
        return Observed::Mesh { state: Answer::unknown("tailscale is not here yet") };
    }
    let state = state();
    Observed::Mesh { state: state.map_or_else(Answer::unknown, Answer::Known) }
}

/// What the daemon says; else why not, as a clause.
pub(crate) fn state() -> Result<MeshState, String> {
    let status: Status = ask(&["status", "--json", "--peers=false"])?;
    let settings: Settings = ask(&["debug", "prefs"])?;
    let login_url = settings.login_url.trim_end_matches('/').to_owned();
    Ok(MeshState {
        state: status.backend_state,
        addresses: status.addresses.unwrap_or_default(),
        login_url: Some(login_url).filter(|url| !url.is_empty() && url != VENDOR),
        accepts_dns: settings.accepts_dns,
    })
}

fn ask<T: DeserializeOwned>(words: &[&str]) -> Result<T, String> {
    let call = Invocation::new("tailscale").args(words.iter().copied());
    // A node that is out has an answer and a status of its own.
    let output = call.accept([0, 1]).run().map_err(|error| format!("tailscale gave no answer: {error}"))?;
    serde_json::from_slice(&output.stdout).map_err(|_| {
        let said = output.stderr_tail.lines().next().unwrap_or("it said nothing").trim().to_owned();
        format!("tailscaled gives no answer: {said}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_answers_are_read_whatever_else_they_say() {
        let status = r#"{"Version":"1.83.0","TUN":false,"BackendState":"NeedsLogin","TailscaleIPs":null,"Self":{"ID":""}}"#;
        let status: Status = serde_json::from_str(status).unwrap();
        assert_eq!((status.backend_state.as_str(), status.addresses), ("NeedsLogin", None));
        let status = r#"{"BackendState":"Running","TailscaleIPs":["100.64.0.1","fd7a::1"]}"#;
        assert_eq!(serde_json::from_str::<Status>(status).unwrap().addresses.unwrap().len(), 2);
        let settings: Settings =
            serde_json::from_str(r#"{"ControlURL":"http://a","CorpDNS":true,"Config":null}"#).unwrap();
        assert!(settings.accepts_dns && settings.login_url == "http://a");
    }
}
