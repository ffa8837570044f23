//! Making a pin: what is this file's digest, and who says so?
//!
//! In: a want without pin and where its vendor publishes digests. Out: [`Learned`], from the first source that can be
//! reached. A vendor's list is enough for a file that is the download itself; what is taken out of an archive is fetched,
//! compared and kept in the cache, so building needs no second download.

use std::io::Read as _;

use desired::Digest;
use reqwest::header::HeaderMap;

use super::failed::Failed;
use super::source::Trust;
use super::{
    FailureKind, FetchError, FetchErrors, Fetcher, Origin, Source, SourceFailure, Want, client, npm,
};

/// Checksum lists are some KiB; a server that says more is not one.
const LARGEST_LIST: u64 = 1 << 20;

/// Where a vendor publishes the digest of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VendorList {
    /// The list.
    pub url: String,
    /// The name to look up in it; `None` when the list is one bare digest.
    pub file: Option<String>,
}

/// Who says that a digest is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Voucher {
    /// The vendor's list at this address.
    List(String),
    /// The npm registry's integrity field.
    Npm,
    /// The person, who named the file.
    LocalFile,
    /// Nobody but the server's certificate.
    Nobody,
}

/// A pin as it was learned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learned {
    /// The SHA-256 of the file.
    pub digest: Digest,
    /// Its size in bytes, if the source told.
    pub size: Option<u64>,
    /// Who vouches for it.
    pub voucher: Voucher,
    /// Which source it came from, by position.
    pub source: usize,
    /// The digest of that source's download, when the file was taken out of it.
    pub download: Option<Digest>,
}

/// A want without pin, with one entry for each of its sources.
pub type Unpinned = (Want, Vec<Option<VendorList>>);

impl Fetcher {
    /// Learns several at a time; the answers are in the order asked. Each stands alone, because some may be optional.
    ///
    /// # Errors
    /// Never as a whole; each answer is a result of its own.
    pub fn learn_all(&self, wants: &[Unpinned]) -> Result<Vec<Result<Learned, FetchError>>, FetchErrors> {
        self.each(wants, |want| Ok(self.learn(want)))
    }
    /// Learns one pin.
    ///
    /// # Errors
    /// If no source can be reached, or one contradicts what its vendor vouches for.
    pub fn learn(&self, (want, lists): &Unpinned) -> Result<Learned, FetchError> {
        let mut failures = Vec::new();
        let _lock = self.options.cache.lock(&super::key_of(want), || {
            self.report.say(format!("waiting for another run that pins {}", want.label));
        })?;
        for (index, source) in want.sources.iter().enumerate() {
            match self.learn_from(want, source, lists.get(index).and_then(Option::as_ref)) {
                Ok(learned) => return Ok(Learned { source: index, ..learned }),
                Err(Failed::Source(failure)) => failures.push(failure),
                Err(Failed::Cache(error)) => return Err(error.into()),
            }
        }
        let (artifact, label) = (want.artifact.clone(), want.label.clone());
        Err(FetchError::NoSource { artifact, label, failures, air_gap: false })
    }

    fn learn_from(&self, want: &Want, source: &Source, list: Option<&VendorList>) -> Result<Learned, Failed> {
        if self.options.offline && !matches!(source.origin, Origin::File(_)) {
            let why = "not asked because of --offline";
            return Err(SourceFailure::new(source.origin.to_string(), FailureKind::Unreachable, why).into());
        }
        let (trust, voucher) = match (&source.origin, list) {
            (Origin::File(_), _) => (Trust::Place, Voucher::LocalFile),
            (Origin::Npm { package, version }, _) => {
                (Trust::Vouched(npm::integrity(self, package, version)?), Voucher::Npm)
            }
            (Origin::Web(_), Some(list)) => {
                let look_up = |address: &str| Ok(self.look_up(address, list.file.as_deref())?);
                (Trust::Vouched(self.at_each(&list.url, look_up)?), Voucher::List(list.url.clone()))
            }
            (Origin::Web(url), None) if !url.starts_with("https:") => {
                let why = "a first download over plain http proves nothing; give the source a `digest`";
                return Err(SourceFailure::new(url, FailureKind::Absent, why).into());
            }
            (Origin::Web(_), None) => (Trust::Place, Voucher::Nobody),
        };
        if let (Trust::Vouched(digest), Origin::Web(url), None) = (&trust, &source.origin, &source.member)
            && digest.algorithm() == desired::types::DigestAlgorithm::Sha256
        {
            let size = self.at_each(url, |address| Ok(self.size_of(address)?))?;
            return Ok(Learned { digest: digest.clone(), size, voucher, source: 0, download: None });
        }
        let got = self.try_source(want, source, Some(&trust))?;
        let (digest, size) = (got.file.digest.clone(), Some(got.file.size));
        Ok(Learned { digest, size, voucher, source: 0, download: got.download })
    }

    /// The length a server gives for a file, which also proves that the file is there.
    fn size_of(&self, url: &str) -> Result<Option<u64>, SourceFailure> {
        let answer = client::get(&self.client, url, &HeaderMap::new(), self.options.allow_http)?;
        match answer.status() {
            status if status.is_success() => Ok(answer.content_length()),
            status => Err(SourceFailure::new(url, FailureKind::Absent, format!("answered {status}"))),
        }
    }

    fn look_up(&self, url: &str, file: Option<&str>) -> Result<Digest, SourceFailure> {
        let failed = |kind, why: String| SourceFailure::new(url, kind, why);
        let answer = client::get(&self.client, url, &HeaderMap::new(), self.options.allow_http)?;
        let status = answer.status();
        if !status.is_success() {
            let kind = if status.is_client_error() { FailureKind::Absent } else { FailureKind::Unreachable };
            return Err(failed(kind, format!("the vendor's checksum list answered {status}")));
        }
        let mut text = String::new();
        let read = answer.take(LARGEST_LIST).read_to_string(&mut text);
        read.map_err(|error| {
            failed(FailureKind::Unreachable, format!("the checksum list broke off ({error})"))
        })?;
        digest_in(&text, file).ok_or_else(|| {
            let file = file.unwrap_or("a digest");
            failed(FailureKind::Absent, format!("the vendor's checksum list doesn't name {file}"))
        })
    }
}

/// Looks a name up in the lines of `sha256sum`, GoReleaser and BSD's plain form: digest, blanks, an optional `*` or `./`,
/// name. Without a name the text is one digest.
fn digest_in(text: &str, file: Option<&str>) -> Option<Digest> {
    let parse = |hex: &str| {
        let hex = hex.to_ascii_lowercase();
        let algorithm = if hex.len() == 128 { "sha512" } else { "sha256" };
        format!("{algorithm}:{hex}").parse().ok()
    };
    let Some(file) = file else { return parse(text.split_whitespace().next()?) };
    text.lines().find_map(|line| {
        let (hex, name) = line.trim().split_once(char::is_whitespace)?;
        let name = name.trim_start().trim_start_matches('*').trim_start_matches("./");
        if name == file { parse(hex) } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_every_vendor_are_read() {
        let hex = "ab".repeat(32);
        let digest: Digest = format!("sha256:{hex}").parse().unwrap();
        for (text, file) in [
            (format!("{}  k3s-arm64-x\n{hex}  k3s-arm64\n", "cd".repeat(32)), Some("k3s-arm64")),
            (format!("{hex} *docker-compose-linux-aarch64\n"), Some("docker-compose-linux-aarch64")),
            (format!("{hex}  ./mise-v1-linux-arm64.tar.gz\r\n"), Some("mise-v1-linux-arm64.tar.gz")),
            (format!("{hex}\n"), None),
            (format!("{}  x\n", hex.to_uppercase()), Some("x")),
        ] {
            assert_eq!(digest_in(&text, file), Some(digest.clone()), "{text}");
        }
        for (text, file) in [("<html>", None), ("", Some("x")), ("zz  x", Some("x")), ("ab  x", Some("y"))] {
            assert_eq!(digest_in(text, file), None, "{text}");
        }
    }
}
