//! What can go wrong between a pin and its file, and what a person can do about it.

use crate::cache::CacheError;

/// The sorts of failure of one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// Nobody answers, or not to the end: it may work later or elsewhere.
    Unreachable,
    /// The source answers that it has no such file, or may not be used.
    Absent,
    /// The source gives something other than what is pinned.
    Wrong,
}

/// Why one source gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFailure {
    /// The place that was asked, after mirrors.
    pub url: String,
    /// Its sort.
    pub kind: FailureKind,
    /// What happened, as a clause.
    pub why: String,
}

impl SourceFailure {
    pub(super) fn new(url: impl Into<String>, kind: FailureKind, why: impl Into<String>) -> Self {
        Self { url: url.into(), kind, why: why.into() }
    }
    /// A mirror's failure and then the vendor's own, as one; the graver sort counts.
    pub(super) fn and(self, second: &Self) -> Self {
        let Self { url, kind, why } = self;
        let either = |sort| kind == sort || second.kind == sort;
        let kind = if either(FailureKind::Wrong) {
            FailureKind::Wrong
        } else if either(FailureKind::Unreachable) {
            FailureKind::Unreachable
        } else {
            FailureKind::Absent
        };
        Self { url, kind, why: format!("{why}; and without the mirror, {second}") }
    }
}

impl std::fmt::Display for SourceFailure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.url, self.why)
    }
}

/// Why a file could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Every source failed.
    #[error("can't get {label}{}{}", listed(failures), help(artifact, failures, *air_gap))]
    NoSource {
        /// The artifact's name.
        artifact: String,
        /// Name, version and architecture.
        label: String,
        /// What each source did, in their order.
        failures: Vec<SourceFailure>,
        /// Whether deferring was forbidden.
        air_gap: bool,
    },
    /// The cache can't be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The HTTP client can't be made.
    #[error("can't prepare for https")]
    Client(#[source] reqwest::Error),
}

impl FetchError {
    /// Whether bytes were wrong, as opposed to missing.
    #[must_use]
    pub fn is_verification_failure(&self) -> bool {
        matches!(self, Self::NoSource { failures, .. } if failures.iter().any(|failure| failure.kind == FailureKind::Wrong))
    }
    /// The exit code: 6 for wrong bytes, 5 for what is missing.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if self.is_verification_failure() { 6 } else { 5 }
    }
}

/// Every file that could not be had.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct FetchErrors(pub Vec<FetchError>);

impl FetchErrors {
    /// The exit code of the worst: 6 for wrong bytes, 5 for what is missing.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.0.iter().map(FetchError::exit_code).max().unwrap_or(5)
    }
}

fn listed(failures: &[SourceFailure]) -> String {
    match failures {
        [] => ": it has no source".to_owned(),
        [one] => format!(": {one}"),
        many => many.iter().map(|failure| format!("\n  {failure}")).collect(),
    }
}

fn help(artifact: &str, failures: &[SourceFailure], air_gap: bool) -> String {
    let any = |kind| failures.iter().any(|failure| failure.kind == kind);
    let text = if any(FailureKind::Wrong) {
        format!(
            "nothing of it was kept; if the vendor or you really replaced the file, `cargo xtask lock --update {artifact}` \
             pins the new one, otherwise don't trust that source"
        )
    } else if any(FailureKind::Unreachable) {
        let gap = if air_gap { "--air-gap leaves nothing to the node: " } else { "" };
        format!(
            "{gap}run again when the source can be reached (what was downloaded is kept), add a mirror, or name a local \
             `file:` source for {artifact} in cluster.toml"
        )
    } else {
        format!("correct the version of {artifact} in cluster.toml, or name another source for it there")
    };
    format!("\n  help: {text}")
}
