//! The HTTP client: TLS by rustls, the system's certificates, no redirect followed without being looked at.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::blocking::{Client, Response};
use reqwest::header::{HeaderMap, LOCATION};
use url::Url;

use super::{FailureKind, SourceFailure};

/// GitHub needs two hops, npm one; who needs more is lost.
const MOST_REDIRECTS: usize = 8;

/// A client that gives up on silence. Proxies from the environment are honoured.
///
/// # Errors
/// If the system's certificates can't be read.
pub fn client(connect_timeout: Duration, stall_timeout: Duration) -> Result<Client, reqwest::Error> {
    // The provider is process-wide; a second installation only says that there is one.
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::builder()
        .user_agent(concat!("rootstock/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(connect_timeout)
        .timeout(stall_timeout)
        .build()
}

/// Sends a GET and walks its redirects; the answer may have any status that isn't one.
pub(super) fn get(
    client: &Client,
    start: &str,
    headers: &HeaderMap,
    allow_http: bool,
) -> Result<Response, SourceFailure> {
    let absent = |url: &str, why: String| SourceFailure::new(url, FailureKind::Absent, why);
    let mut url =
        Url::parse(start).map_err(|error| absent(start, format!("this is no web address ({error})")))?;
    if url.scheme() != "https" && !allow_http {
        return Err(absent(
            start,
            "plain http is not allowed here; set `allow-http = true` under [cluster] in cluster.toml"
                .to_owned(),
        ));
    }
    for _ in 0..=MOST_REDIRECTS {
        let answer = client.get(url.clone()).headers(headers.clone()).send();
        let answer =
            answer.map_err(|error| SourceFailure::new(start, FailureKind::Unreachable, reason(&error)))?;
        if !is_redirect(answer.status()) {
            return Ok(answer);
        }
        let target = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let target = target.and_then(|target| url.join(target).ok());
        let target = target
            .ok_or_else(|| absent(start, format!("answered {} without a usable address", answer.status())))?;
        check_redirect(&url, &target).map_err(|why| absent(start, why))?;
        url = target;
    }
    Err(absent(start, format!("redirected more than {MOST_REDIRECTS} times")))
}

/// A redirect may not weaken the connection: never to plain http, but on the very server that already speaks it.
fn check_redirect(from: &Url, to: &Url) -> Result<(), String> {
    let server = |url: &Url| (url.host_str().map(str::to_owned), url.port_or_known_default());
    match to.scheme() {
        "https" => Ok(()),
        "http" if from.scheme() == "http" && server(from) == server(to) => Ok(()),
        _ => Err(format!("redirects to {to}, which is not https; that is refused")),
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// An error of the client in words, innermost cause last.
pub(super) fn reason(error: &reqwest::Error) -> String {
    let sort = if error.is_timeout() {
        "nothing came within the time limit"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    };
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause.and_then(std::error::Error::source) {
        cause = Some(deeper);
    }
    cause.map_or_else(|| sort.to_owned(), |cause| format!("{sort} ({cause})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_never_weaken_the_connection() {
        for (from, to, good) in [
            ("https://a/x", "https://b/y", true),
            ("https://a/x", "http://a/x", false),
            ("http://a/x", "https://b/x", true),
            ("http://a/x", "http://a/y", true),
            ("http://a/x", "http://a:81/y", false),
            ("http://a/x", "http://b/x", false),
            ("https://a/x", "file:///etc/passwd", false),
        ] {
            let verdict = check_redirect(&from.parse().unwrap(), &to.parse().unwrap());
            assert_eq!(verdict.is_ok(), good, "{from} -> {to}: {verdict:?}");
        }
    }
}
