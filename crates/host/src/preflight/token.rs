//! Facts about a token of k3s: its kind, whose certificates it belongs to, and whether the server takes it.
//!
//! In: the token as the resources name it, and the server's address. Out: [`TokenFact`], the certificates that the server
//! shows, and its answer. The token goes to nobody whose certificates it does not name, and into no argument of a program.

use std::io::Write as _;
use std::os::fd::AsRawFd as _;

use desired::Digest;
use desired::observed::Answer;
use desired::preflight::needs::{K3sNeeds, TOKEN};
use desired::preflight::token::{TokenFact, TokenKind};
use desired::resource::SecretPart;
use rustix::fs::{MemfdFlags, memfd_create};

use super::asked;
use crate::process::Invocation;
use crate::root::Root;
use crate::secret::{self, Secret};

/// What an agent asks for first, and every release of k3s serves to whoever may join.
const ASKED_FOR: &str = "/v1-k3s/client-ca.crt";
/// The agent's own certificate, below its data; with one k3s needs no token any more.
const CERTIFICATE: &str = "agent/client-kubelet.crt";

/// The token that will lie here, or the one that does where the new one can't be read again.
pub(super) fn read(root: &Root, k3s: &K3sNeeds) -> Answer<Secret> {
    let Some(parts) = &k3s.token else { return Answer::unknown("the resources have no token") };
    let mut text = String::new();
    for part in parts {
        match part {
            SecretPart::Text(part) => text.push_str(part),
            SecretPart::Secret(reference) => match secret::read(root, reference) {
                Ok(secret) => text.push_str(secret.expose()),
                Err(why) => return present(root, format!("it comes from {reference}, {why}")),
            },
        }
    }
    Answer::Known(Secret::new(text))
}

fn present(root: &Root, why: String) -> Answer<Secret> {
    match root.read_text(TOKEN) {
        Ok(Some(text)) => Answer::Known(Secret::new(text)),
        _ => Answer::unknown(why),
    }
}

/// What the server shows at `/cacerts`; asked with the node's own curl, which has TLS. Nothing is believed yet at that
/// point, so nothing is verified: the digest of the answer is what is held against the token.
pub(super) fn certificates(
    k3s: Option<&K3sNeeds>,
    server: &Answer<Result<(), String>>,
    token: &Answer<TokenFact>,
) -> Answer<Vec<u8>> {
    let Some(address) = k3s.and_then(|k3s| k3s.server.as_deref()) else {
        return Answer::later("it is not asked");
    };
    match server {
        Answer::Known(Ok(())) => {}
        Answer::Known(Err(_)) => return Answer::unknown("the server does not answer"),
        Answer::Unknown { why } | Answer::Later { why } => return Answer::unknown(why.clone()),
    }
    if !matches!(token, Answer::Known(TokenFact { authority: Some(_), .. })) {
        return Answer::unknown("there is no hash to hold it against");
    }
    match asked(&curl().args(["--insecure", "--fail", "--"]).arg(at(address, "/cacerts"))) {
        Ok(output) if output.stdout.is_empty() => Answer::unknown("the server shows no certificates"),
        Ok(output) => Answer::Known(output.stdout),
        Err(why) => Answer::unknown(why),
    }
}

/// Whether the server lets somebody with this token join; asked as k3s asks it (its package `clientaccess`), of a server
/// with the certificates that the token names and no other.
pub(super) fn is_accepted(
    root: &Root,
    k3s: Option<&K3sNeeds>,
    token: &Answer<Secret>,
    certificates: &Answer<Vec<u8>>,
) -> Answer<bool> {
    let (Some(k3s), Answer::Known(token), Answer::Known(certificates)) = (k3s, token, certificates) else {
        return Answer::later("it is not asked");
    };
    let Some(address) = &k3s.server else { return Answer::later("it is not asked") };
    let fact = TokenFact::of(token.expose());
    if fact.authority.as_deref() != Some(Digest::sha256_of(certificates).hex()) {
        return Answer::later("the certificates are not those of the token");
    }
    if matches!(root.see(&format!("{}/{CERTIFICATE}", k3s.data_directory)), Ok(Some(_))) {
        return Answer::later("the node has a certificate of its own");
    }
    let Some(own) = credentials(token.expose(), fact.kind) else { return Answer::later("it is not asked") };
    match ask(&at(address, ASKED_FOR), certificates, &own) {
        Ok(code) => match code.as_str() {
            "200" => Answer::Known(true),
            "401" | "403" => Answer::Known(false),
            other => Answer::unknown(format!("the server answers {other}")),
        },
        Err(why) => Answer::unknown(why),
    }
}

/// The line of curl's settings that says who asks.
fn credentials(token: &str, kind: TokenKind) -> Option<String> {
    let (_, own) = token.trim().split_once("::")?;
    let quoted = own.replace('\\', "\\\\").replace('"', "\\\"");
    let is_one_line = !own.chars().any(char::is_control);
    is_one_line.then(|| match kind {
        TokenKind::Bootstrap => format!("header = \"Authorization: Bearer {quoted}\"\n"),
        _ => format!("user = \"{quoted}\"\n"),
    })
}

/// The status of the server's answer.
fn ask(address: &str, certificates: &[u8], own: &str) -> Result<String, String> {
    let text = |error: std::io::Error| error.to_string();
    let file = memfd_create("certificates", MemfdFlags::CLOEXEC).map_err(|error| error.to_string())?;
    let mut file = std::fs::File::from(file);
    file.write_all(certificates).map_err(text)?;
    // curl takes no certificates from a pipe; this file lies in memory, and under our number it has a name.
    let place = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
    let call = curl().args(["--cacert", &place, "--config", "-", "--output", "/dev/null"]);
    let call = call.args(["--write-out", "%{http_code}", "--", address]).stdin(own);
    asked(&call).map(|output| output.text())
}

fn curl() -> Invocation {
    Invocation::new("curl").args(["--silent", "--show-error", "--noproxy", "*", "--max-time", "10"])
}

fn at(server: &str, path: &str) -> String {
    format!("{}{path}", server.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_is_said_as_k3s_says_it_and_in_one_line() {
        let of = |token: &str| credentials(token, TokenFact::of(token).kind);
        let hash = "a".repeat(64);
        assert_eq!(
            of(&format!("K10{hash}::abcdef.0123456789abcdef")).as_deref(),
            Some("header = \"Authorization: Bearer abcdef.0123456789abcdef\"\n")
        );
        assert_eq!(
            of(&format!("K10{hash}::node:a\"b\\c\n")).as_deref(),
            Some("user = \"node:a\\\"b\\\\c\"\n")
        );
        assert_eq!(of(&format!("K10{hash}::node:a\nurl = file:///etc/shadow")), None);
        assert_eq!(of("abcdef.0123456789abcdef"), None);
    }
}
