//! From pins to verified files.
//!
//! In: [`Want`]s (digest, size, ordered sources), [`Options`] and a report. Out: for each want a verified file of the
//! cache, or the reason why it is left to the node ([`Fetched::Deferred`]), or errors that name artifact, place and what
//! to do. Sources are tried in order; nothing is ever handed out whose digest was not compared.

mod client;
mod download;
mod error;
mod failed;
mod learn;
mod member;
mod npm;
mod source;

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use desired::Digest;

pub use client::client;
pub use error::{FailureKind, FetchError, FetchErrors, SourceFailure};
pub use learn::{Learned, VendorList, Voucher};

use crate::cache::{Cache, CachedFile};
use crate::report::Report;
use crate::verified::Verified;

/// A file that is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// The artifact's name, as `cargo xtask lock --update` takes it.
    pub artifact: String,
    /// Name, version and architecture for people.
    pub label: String,
    /// The SHA-256 of the file, if it is pinned itself.
    pub digest: Option<Digest>,
    /// Its size in bytes, if known.
    pub size: Option<u64>,
    /// Where to get it, best first.
    pub sources: Vec<Source>,
}

/// One place to get a file from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where.
    pub origin: Origin,
    /// The digest of the download, when it isn't the file's own.
    pub digest: Option<Digest>,
    /// The file's path inside the download when that is a `.tar.gz`.
    pub member: Option<String>,
}

/// A place, by how it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// An `https:` or `http:` URL.
    Web(String),
    /// A local file; relative to [`Options::base`].
    File(PathBuf),
    /// A package of the npm registry.
    Npm {
        /// Its name with scope.
        package: String,
        /// Its exact version.
        version: String,
    },
}

impl std::fmt::Display for Origin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Web(url) => formatter.write_str(url),
            Self::File(path) => write!(formatter, "file:{}", path.display()),
            Self::Npm { package, version } => write!(formatter, "npm:{package}@{version}"),
        }
    }
}

/// How to fetch.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where files are kept.
    pub cache: Cache,
    /// Use the cache alone.
    pub offline: bool,
    /// A file that can't be reached is an error, not deferred.
    pub air_gap: bool,
    /// Accept plain `http:` sources; a redirect may still not lead to plain http on another server.
    pub allow_http: bool,
    /// Prefix rewrites of web addresses: what the first matching one gives is asked before the address itself.
    pub mirrors: Vec<(String, String)>,
    /// The folder that relative `file:` sources start at.
    pub base: PathBuf,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long a server may say nothing.
    pub stall_timeout: Duration,
    /// How often one source is asked again after a busy server or a cut.
    pub retries: u32,
    /// The wait before the first repetition; doubled for each further one.
    pub backoff: Duration,
    /// How many files are fetched side by side.
    pub parallel: usize,
    /// Whether an installed `npm` is asked for packages, which honours the person's own registry settings.
    pub use_npm: bool,
    /// The registry for machines without `npm`.
    pub npm_registry: String,
}

impl Options {
    /// The ordinary way, with relative files below `base`.
    #[must_use]
    pub fn new(cache: Cache, base: impl Into<PathBuf>) -> Self {
        Self {
            cache,
            offline: false,
            air_gap: false,
            allow_http: false,
            mirrors: Vec::new(),
            base: base.into(),
            connect_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(30),
            retries: 3,
            backoff: Duration::from_millis(500),
            parallel: 4,
            use_npm: true,
            npm_registry: "https://registry.npmjs.org".to_owned(),
        }
    }
}

/// What became of a want.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// It is here.
    Ready(Verified<CachedFile>),
    /// It is pinned, but no source could be reached: the node fetches and verifies it.
    Deferred {
        /// Why, in words for the closing table.
        why: String,
    },
}

/// Fetches; holds the connections of one run.
#[derive(Debug)]
pub struct Fetcher {
    options: Options,
    client: reqwest::blocking::Client,
    report: Report,
}

impl Fetcher {
    /// A fetcher for one run.
    ///
    /// # Errors
    /// If the system's certificates or resolver can't be used.
    pub fn new(options: Options, report: Report) -> Result<Self, FetchError> {
        let client = client(options.connect_timeout, options.stall_timeout).map_err(FetchError::Client)?;
        Ok(Self { options, client, report })
    }
    /// Gets every want, several at a time; the answers are in the order of `wants`.
    ///
    /// # Errors
    /// With every want that failed: a source that gave wrong bytes or doesn't have the file, or one that can't be reached
    /// where deferring isn't possible. The others are in the cache for the next run.
    pub fn fetch_all(&self, wants: &[Want]) -> Result<Vec<Fetched>, FetchErrors> {
        self.each(wants, |want| self.fetch(want))
    }
    /// Gets one want.
    ///
    /// # Errors
    /// As [`Self::fetch_all`].
    pub fn fetch(&self, want: &Want) -> Result<Fetched, FetchError> {
        if let Some(file) = self.cached(want)? {
            return Ok(Fetched::Ready(file));
        }
        let _lock = self.options.cache.lock(&key_of(want), || {
            self.report.say(format!("waiting for another run that fetches {}", want.label));
        })?;
        if let Some(file) = self.cached(want)? {
            return Ok(Fetched::Ready(file));
        }
        let mut failures = Vec::new();
        for source in &want.sources {
            match self.try_source(want, source, None) {
                Ok(file) => {
                    self.warn_of_wrong(want, &failures);
                    return Ok(Fetched::Ready(file.file));
                }
                Err(failed::Failed::Source(failure)) => failures.push(failure),
                Err(failed::Failed::Cache(error)) => return Err(error.into()),
            }
        }
        let can_wait = failures.iter().all(|failure| failure.kind != FailureKind::Wrong)
            && failures.iter().any(|failure| failure.kind == FailureKind::Unreachable);
        if can_wait && !self.options.air_gap && self.node_can_fetch(want) {
            let why = failures.iter().find(|failure| failure.kind == FailureKind::Unreachable);
            return Ok(Fetched::Deferred { why: why.map_or_else(String::new, ToString::to_string) });
        }
        Err(FetchError::NoSource {
            artifact: want.artifact.clone(),
            label: want.label.clone(),
            failures,
            air_gap: self.options.air_gap,
        })
    }

    /// Runs `work` for each item on a few threads.
    fn each<I: Sync, T: Send>(
        &self,
        items: &[I],
        work: impl Fn(&I) -> Result<T, FetchError> + Sync,
    ) -> Result<Vec<T>, FetchErrors> {
        let next = AtomicUsize::new(0);
        let done = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..self.options.parallel.clamp(1, items.len().max(1)) {
                scope.spawn(|| {
                    while let Some((index, item)) = Some(next.fetch_add(1, Ordering::Relaxed))
                        .and_then(|index| Some((index, items.get(index)?)))
                    {
                        let outcome = work(item);
                        done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((index, outcome));
                    }
                });
            }
        });
        let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        done.sort_by_key(|(index, _)| *index);
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        for (_, outcome) in done {
            match outcome {
                Ok(value) => good.push(value),
                Err(error) => bad.push(error),
            }
        }
        if bad.is_empty() { Ok(good) } else { Err(FetchErrors(bad)) }
    }
    fn cached(&self, want: &Want) -> Result<Option<Verified<CachedFile>>, FetchError> {
        if let Some(digest) = &want.digest {
            return Ok(self.options.cache.get(digest)?);
        }
        for source in &want.sources {
            let Some(download) = &source.digest else { continue };
            let file = match &source.member {
                Some(member) => self.options.cache.get_member(download, member)?,
                None => self.options.cache.get(download)?,
            };
            if file.is_some() {
                return Ok(file);
            }
        }
        Ok(None)
    }
    /// A source that lied is told even when another one helped.
    fn warn_of_wrong(&self, want: &Want, failures: &[SourceFailure]) {
        for failure in failures.iter().filter(|failure| failure.kind == FailureKind::Wrong) {
            self.report.say(format!("warning: {}: {failure}; another source had the right file", want.label));
        }
    }
    /// Whether a node without npm and without this machine's files has a source it can verify.
    fn node_can_fetch(&self, want: &Want) -> bool {
        want.sources.iter().any(|source| {
            let web = matches!(&source.origin, Origin::Web(url) if self.options.allow_http || url.starts_with("https:"));
            let verifiable = source.digest.is_some() || (want.digest.is_some() && source.member.is_none());
            web && verifiable
        })
    }
}

/// What two runs that want the same file agree on.
fn key_of(want: &Want) -> String {
    let pinned =
        want.digest.as_ref().or_else(|| want.sources.iter().find_map(|source| source.digest.as_ref()));
    match pinned {
        Some(digest) => digest.hex()[..64].to_owned(),
        None => format!("unpinned-{}", Digest::sha256_of(want.label.as_bytes()).hex()),
    }
}

#[cfg(test)]
mod lying_server;
#[cfg(test)]
mod tests;
