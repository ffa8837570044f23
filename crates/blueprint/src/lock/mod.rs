//! The lock: which exact bytes a cluster's third-party files are.
//!
//! In: what the model wants ([`Wanted`]) and the text of `profiles/<cluster>/lock.toml`. Out: entries with version,
//! size, digest and ordered sources; what is missing or stale; the text to write back. Pins known by evidence are
//! compiled in ([`pins`]); where vendors put their files is a table ([`catalogue`]). Nothing here fetches: host
//! does, and hands what it learned to [`Reconciled::learn`]. Only [`Reconciled::lock`] makes a [`Locked`].

pub mod catalogue;
mod parse;
pub mod pins;
mod print;
mod reconcile;
mod wanted;

use std::collections::BTreeSet;

use desired::{Arch, ArtifactName, ByteSize, Digest, Mode, Pinned};

use crate::model::{Pin, Pins};

pub use parse::{Fault, Faults, Rules, parse};
pub use print::print;
pub use reconcile::{Learned, Locked, Missing, Reconciled, Unfetchable, Update, Wanted, reconcile};
pub use wanted::wanted;

/// A lock as read or about to be written; it may have holes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    /// Sorted by name, then architecture; one for each pair.
    pub entries: Vec<Entry>,
}

impl Lock {
    /// What render needs of it; an entry without pin is left out, so whoever needs it says so.
    #[must_use]
    pub fn pins(&self) -> Pins {
        let of = |entry: &Entry| {
            let pin = Pin {
                version: entry.version.clone(),
                file: entry.file.clone(),
                mode: entry.mode,
                pinned: entry.pinned()?,
            };
            let arches = Arch::ALL.into_iter().filter(|arch| entry.is_for(*arch));
            Some(arches.map(|arch| ((entry.name.clone(), arch), pin.clone())).collect::<Vec<_>>())
        };
        Pins::new(self.entries.iter().filter_map(of).flatten().collect())
    }
}

/// One file a bundle holds or a node fetches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The artifact.
    pub name: ArtifactName,
    /// The version, as the vendor writes it.
    pub version: String,
    /// The architecture it runs on; `None` when it is the same for both.
    pub arch: Option<Arch>,
    /// Its name in a bundle, below `artifacts/<name>/`.
    pub file: String,
    /// Its permission bits there.
    pub mode: Mode,
    /// Its size in bytes, once known.
    pub size: Option<u64>,
    /// The SHA-256 of the file itself, once known.
    pub digest: Option<Digest>,
    /// Who vouches for the digests, once there is one.
    pub pinned_by: Option<PinnedBy>,
    /// Where to get it, best first.
    pub sources: Vec<Source>,
}

impl Entry {
    /// Name, version and architecture for people: `k3s v1.36.4+k3s1 (arm64)`.
    #[must_use]
    pub fn label(&self) -> String {
        match self.arch {
            Some(arch) => format!("{} {} ({arch})", self.name, self.version),
            None => format!("{} {}", self.name, self.version),
        }
    }
    /// Whether bytes can be verified: by the file's own digest, or by that of a download it is taken out of.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        self.digest.is_some() || self.sources.iter().any(|source| source.digest.is_some())
    }
    /// What a node holds the file against: its own digest, or those of the downloads it could take it out of.
    #[must_use]
    pub fn pinned(&self) -> Option<Pinned> {
        if let Some(digest) = self.digest.clone() {
            return Some(Pinned::File { digest, size: self.size.map(ByteSize) });
        }
        let downloads: BTreeSet<Digest> =
            self.sources_for_nodes().filter_map(|source| source.digest.clone()).collect();
        (!downloads.is_empty()).then_some(Pinned::Downloads(downloads))
    }
    /// The sources a node can ask with nothing but curl, and whose bytes it can verify.
    pub fn sources_for_nodes(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter().filter(|source| {
            let is_web = matches!(source.url, SourceUrl::Https(_) | SourceUrl::Http(_));
            is_web && (self.digest.is_some() || source.digest.is_some())
        })
    }
    /// Whether a bundle for `arch` holds it.
    #[must_use]
    pub fn is_for(&self, arch: Arch) -> bool {
        self.arch.is_none_or(|own| own == arch)
    }
}

/// One place to get a file from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where.
    pub url: SourceUrl,
    /// The digest of the download, when it isn't the file itself or the vendor gives another algorithm.
    pub digest: Option<Digest>,
    /// The file's path inside the download when that is a `.tar.gz`.
    pub member: Option<String>,
}

/// A place, by its scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceUrl {
    /// `https://…`
    Https(String),
    /// `http://…`, only where the spec allows it; the digest is all that protects it.
    Http(String),
    /// `file:` and a path, relative to the cluster's folder unless absolute.
    File(String),
    /// `npm:<package>@<version>` in the registry the person's npm is set to.
    Npm {
        /// The package with its scope.
        package: String,
        /// The exact version.
        version: String,
    },
}

impl std::fmt::Display for SourceUrl {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Https(url) | Self::Http(url) => formatter.write_str(url),
            Self::File(path) => write!(formatter, "file:{path}"),
            Self::Npm { package, version } => write!(formatter, "npm:{package}@{version}"),
        }
    }
}

impl std::str::FromStr for SourceUrl {
    /// What is wrong, as a sentence.
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text.chars().any(|c| c.is_control() || c == ' ') {
            return Err(format!("`{}` holds a space or control character", text.escape_debug()));
        }
        let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
        let url = || rest.strip_prefix("//").filter(|rest| !rest.is_empty() && !rest.starts_with('/'));
        match scheme {
            "https" if url().is_some() => Ok(Self::Https(text.to_owned())),
            "http" if url().is_some() => Ok(Self::Http(text.to_owned())),
            "file" if !rest.is_empty() => {
                // RFC 8089: file:///path is file:/path.
                Ok(Self::File(rest.strip_prefix("//").unwrap_or(rest).to_owned()))
            }
            "npm" => match rest.rsplit_once('@') {
                Some((package, version)) if !package.is_empty() && is_version(version) => {
                    Ok(Self::Npm { package: package.to_owned(), version: version.to_owned() })
                }
                _ => Err(format!("`{text}` lacks its exact version, as in npm:@scope/package@1.2.3")),
            },
            _ => Err(format!("`{text}` is no source: write https:, http:, file: or npm:")),
        }
    }
}

/// Who vouches for a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinnedBy {
    /// Public repositories that don't copy from one another pin the same digest.
    Repositories,
    /// The vendor's own checksum list at this URL.
    VendorList(String),
    /// The registry's sha512 integrity field of the package.
    NpmIntegrity,
    /// The person, in the sources of cluster.toml.
    Spec,
    /// A file the person named.
    LocalFile,
    /// Nobody but the server's certificate: the vendor publishes no list for it.
    FirstDownload,
}

impl PinnedBy {
    const REPOSITORIES: &str = "two or more independent public repositories";
    const VENDOR_LIST: &str = "vendor checksum list ";
    const NPM: &str = "npm integrity";
    const SPEC: &str = "cluster.toml";
    const LOCAL: &str = "local file";
    const FIRST: &str = "first download over https";
}

impl std::fmt::Display for PinnedBy {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Repositories => formatter.write_str(Self::REPOSITORIES),
            Self::VendorList(url) => write!(formatter, "{}{url}", Self::VENDOR_LIST),
            Self::NpmIntegrity => formatter.write_str(Self::NPM),
            Self::Spec => formatter.write_str(Self::SPEC),
            Self::LocalFile => formatter.write_str(Self::LOCAL),
            Self::FirstDownload => formatter.write_str(Self::FIRST),
        }
    }
}

impl std::str::FromStr for PinnedBy {
    /// What is wrong, as a sentence.
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            Self::REPOSITORIES => Ok(Self::Repositories),
            Self::NPM => Ok(Self::NpmIntegrity),
            Self::SPEC => Ok(Self::Spec),
            Self::LOCAL => Ok(Self::LocalFile),
            Self::FIRST => Ok(Self::FirstDownload),
            _ => match text.strip_prefix(Self::VENDOR_LIST) {
                Some(url) if url.starts_with("https://") => Ok(Self::VendorList(url.to_owned())),
                _ => Err(format!("nobody is known as `{text}`; `cargo xtask lock` writes this field")),
            },
        }
    }
}

/// A version goes into URLs, file names and scripts, so it keeps to a small alphabet.
pub(crate) fn is_version(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.len() <= 64
        && text.chars().all(|c| c.is_ascii_alphanumeric() || ".+-_~".contains(c))
}

#[cfg(test)]
mod tests;
