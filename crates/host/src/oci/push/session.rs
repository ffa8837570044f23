//! Requests to one repository: authorised when the registry asks, checked, never redirected.

use std::fs::File;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::blocking::{Body, Client, RequestBuilder, Response};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use serde::Deserialize;
use url::Url;

use super::error::{PushError, Refusal};
use super::reference::Reference;
use crate::oci::credentials::Login;
use crate::oci::spec::Descriptor;
use crate::secret::Secret;

/// How long a connection and a small request may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The slowest upload that still counts as one, bytes a second.
const SLOWEST: u64 = 32 * 1024;

/// A conversation with a repository.
pub(super) struct Session<'a> {
    reference: &'a Reference,
    client: Client,
    login: Option<Login>,
    access: Access,
}

/// What goes into the `Authorization` header.
enum Access {
    None,
    Basic { user: String, password: Secret },
    Bearer(Secret),
}

/// What a registry wants to see, from `WWW-Authenticate`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String> },
}

#[derive(Deserialize)]
struct Token {
    #[serde(alias = "access_token")]
    token: Option<String>,
}

impl<'a> Session<'a> {
    pub(super) fn new(reference: &'a Reference, login: Option<Login>) -> Result<Self, PushError> {
        // The provider is process-wide; a second installation only says that there is one.
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut builder = Client::builder()
            .user_agent(concat!("rootstock/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(PATIENCE)
            .timeout(PATIENCE);
        if is_loopback(&reference.registry) {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| {
            let refusal = Refusal::Connection { why: format!("no client: {error}"), hint: "" };
            PushError::registry(reference, "anything", refusal)
        })?;
        Ok(Self { reference, client, login, access: Access::None })
    }

    /// Whether the registry has `blob`.
    pub(super) fn has_blob(&mut self, blob: &Descriptor) -> Result<bool, PushError> {
        let what = format!("blob {}", blob.digest);
        let url = self.reference.url(&format!("blobs/{}", blob.digest));
        let answer = self.send(&what, |client| client.head(&url))?;
        match answer.status().as_u16() {
            404 => Ok(false),
            // Some registries point to their storage instead.
            307 => Ok(true),
            200 => {
                let length = answer.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
                match length.and_then(|text| text.parse::<u64>().ok()) {
                    Some(found) if found != blob.size => Err(self.contradiction(
                        &what,
                        format!("it has {found} bytes under this digest, which has {}", blob.size),
                    )),
                    _ => Ok(true),
                }
            }
            _ => Err(self.refused(&what, answer)),
        }
    }

    /// Sends `blob` in one request.
    pub(super) fn send_blob(&mut self, blob: &Descriptor, file: File) -> Result<(), PushError> {
        let what = format!("blob {}", blob.digest);
        let start = self.reference.url("blobs/uploads/");
        let answer = self.send(&what, |client| client.post(&start).header(CONTENT_LENGTH, 0))?;
        if answer.status() != 202 {
            return Err(self.refused(&what, answer));
        }
        let place = self.upload_place(&what, &start, &answer)?;
        let same_server = place.origin() == Url::parse(&start).map_or(place.origin(), |url| url.origin());
        let mut request = self
            .client
            .put(place)
            .header(CONTENT_TYPE, "application/octet-stream")
            .timeout(PATIENCE + Duration::from_secs(blob.size / SLOWEST))
            .body(Body::sized(file, blob.size));
        // A login is for the registry, not for a store it points to.
        if same_server {
            request = self.authorised(request);
        }
        let answer = request.send().map_err(|error| self.unreachable(&what, &error))?;
        if answer.status() != 201 {
            return Err(self.refused(&what, answer));
        }
        self.check_digest(&what, blob, &answer)
    }

    /// Sends a manifest or index under `name`, a digest or tag.
    pub(super) fn send_manifest(
        &mut self,
        descriptor: &Descriptor,
        name: &str,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<(), PushError> {
        let what = format!("manifest {}", descriptor.digest);
        let url = self.reference.url(&format!("manifests/{name}"));
        let answer = self
            .send(&what, |client| client.put(&url).header(CONTENT_TYPE, media_type).body(bytes.to_vec()))?;
        if answer.status() != 201 {
            return Err(self.refused(&what, answer));
        }
        self.check_digest(&what, descriptor, &answer)
    }

    /// Sends a request; answers a 401 once with what the registry asks for.
    fn send(
        &mut self,
        what: &str,
        request: impl Fn(&Client) -> RequestBuilder,
    ) -> Result<Response, PushError> {
        let answer = self.authorised(request(&self.client)).send();
        let answer = answer.map_err(|error| self.unreachable(what, &error))?;
        if answer.status() != 401 {
            return Ok(answer);
        }
        let header = answer.headers().get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
        match header.and_then(challenge) {
            Some(Challenge::Basic) => match &self.login {
                Some(Login::Password { user, password }) => {
                    self.access = Access::Basic { user: user.clone(), password: password.clone() };
                }
                _ => return Err(self.refused(what, answer)),
            },
            Some(Challenge::Bearer { realm, service }) => {
                self.access = Access::Bearer(self.token(what, &realm, service.as_deref())?);
            }
            None => return Err(self.refused(what, answer)),
        }
        let again = self.authorised(request(&self.client)).send();
        let again = again.map_err(|error| self.unreachable(what, &error))?;
        if again.status() == 401 { Err(self.refused(what, again)) } else { Ok(again) }
    }

    fn authorised(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.access {
            Access::None => request,
            Access::Basic { user, password } => request.basic_auth(user, Some(password.expose())),
            Access::Bearer(token) => request.bearer_auth(token.expose()),
        }
    }

    /// Gets an access token from where the registry says.
    fn token(&self, what: &str, realm: &str, service: Option<&str>) -> Result<Secret, PushError> {
        let Ok(mut url) = Url::parse(realm) else {
            return Err(self.contradiction(what, "its token service has no usable address".to_owned()));
        };
        if url.scheme() != "https" && !self.reference.plain_http {
            let why = format!("it wants the login sent to {realm} in plain text");
            return Err(self.contradiction(what, why));
        }
        let scope = format!("repository:{}:pull,push", self.reference.repository);
        let mut fields = vec![("scope", scope.as_str())];
        fields.extend(service.map(|service| ("service", service)));
        let request = if let Some(Login::Identity(token)) = &self.login {
            fields.extend([
                ("grant_type", "refresh_token"),
                ("client_id", "rootstock"),
                ("refresh_token", token.expose()),
            ]);
            let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            self.client.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form)
        } else {
            url.query_pairs_mut().extend_pairs(fields);
            let request = self.client.get(url);
            match &self.login {
                Some(Login::Password { user, password }) => request.basic_auth(user, Some(password.expose())),
                _ => request,
            }
        };
        let answer = request.send().map_err(|error| self.unreachable(what, &error))?;
        if answer.status() != 200 {
            return Err(self.refused(what, answer));
        }
        let token = answer.bytes().ok().and_then(|bytes| serde_json::from_slice::<Token>(&bytes).ok());
        match token.and_then(|token| token.token) {
            Some(token) => Ok(Secret::new(token)),
            None => Err(self.contradiction(what, "its token service gave no token".to_owned())),
        }
    }

    /// Where an upload goes, with the digest that completes it.
    fn upload_place(&self, what: &str, start: &str, answer: &Response) -> Result<Url, PushError> {
        let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let start = Url::parse(start).ok();
        let place = start.zip(location).and_then(|(start, location)| start.join(location).ok());
        let Some(mut place) = place else {
            return Err(self.contradiction(what, "it accepts an upload but says not where".to_owned()));
        };
        if place.scheme() != "https" && !self.reference.plain_http {
            return Err(self.contradiction(what, "it wants the upload in plain text".to_owned()));
        }
        let digest = what.strip_prefix("blob ").unwrap_or_default();
        place.query_pairs_mut().append_pair("digest", digest);
        Ok(place)
    }

    fn check_digest(&self, what: &str, sent: &Descriptor, answer: &Response) -> Result<(), PushError> {
        let header = answer.headers().get("Docker-Content-Digest").and_then(|value| value.to_str().ok());
        match header {
            Some(found) if found != sent.digest.to_string() => {
                let found: String = found.chars().take(80).collect();
                Err(self.contradiction(what, format!("it stored it as {}", found.escape_debug())))
            }
            _ => Ok(()),
        }
    }

    fn refused(&self, what: &str, answer: Response) -> PushError {
        let status = answer.status().as_u16();
        let codes = codes(answer);
        let refusal = match status {
            401 | 403 => Refusal::Login { status, codes, registry: self.reference.registry.clone() },
            404 => Refusal::NotFound { codes },
            500..=599 => Refusal::Server { status, codes },
            _ => Refusal::Unexpected { status, codes },
        };
        PushError::registry(self.reference, what, refusal)
    }

    fn contradiction(&self, what: &str, why: String) -> PushError {
        PushError::registry(self.reference, what, Refusal::Contradiction { why })
    }

    /// The client's error by its innermost cause; its own text would repeat the address with its query.
    fn unreachable(&self, what: &str, error: &reqwest::Error) -> PushError {
        let mut cause: &dyn std::error::Error = error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        let sort = if error.is_timeout() {
            "nothing came within the time limit"
        } else if error.is_connect() {
            "no connection"
        } else {
            "the connection broke"
        };
        // FIELD B6: plain HTTP behind an https address answers with something TLS can't read.
        let hint = if error.is_connect() && !self.reference.plain_http {
            " (a registry without TLS must be declared as plain http in the spec)"
        } else {
            ""
        };
        let why = if cause.source().is_none() && std::ptr::addr_eq(cause, error) {
            sort.to_owned()
        } else {
            format!("{sort} ({cause})")
        };
        PushError::registry(self.reference, what, Refusal::Connection { why, hint })
    }
}

/// `Bearer realm="…",service="…"` or `Basic …`; RFC 9110 11.6.1, as far as registries use it.
pub(super) fn challenge(header: &str) -> Option<Challenge> {
    let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let value = |key: &str| {
        let start = rest.find(&format!("{key}=\""))? + key.len() + 2;
        rest[start..].split_once('"').map(|(value, _)| value.to_owned())
    };
    Some(Challenge::Bearer { realm: value("realm")?, service: value("service") })
}

/// The codes of a registry's error document (`DENIED`), and nothing else of it: its texts may repeat anything.
fn codes(answer: Response) -> String {
    #[derive(Deserialize)]
    struct Document {
        errors: Vec<Code>,
    }
    #[derive(Deserialize)]
    struct Code {
        code: String,
    }
    if answer.content_length().is_none_or(|length| length > 64 * 1024) {
        return String::new();
    }
    let document = answer.bytes().ok().and_then(|bytes| serde_json::from_slice::<Document>(&bytes).ok());
    let known = |code: &String| {
        code.len() <= 40 && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
    };
    let codes: Vec<String> = document
        .into_iter()
        .flat_map(|document| document.errors)
        .map(|code| code.code)
        .filter(known)
        .take(3)
        .collect();
    if codes.is_empty() { String::new() } else { format!(" {}", codes.join(" ")) }
}

/// Whether `registry` is this machine, which no proxy stands in front of.
fn is_loopback(registry: &str) -> bool {
    let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
