//! One source of one want: from its place to a verified file of the cache.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use desired::Digest;
use desired::types::DigestAlgorithm;

use super::download::{Expect, download};
use super::failed::Failed;
use super::{FailureKind, Fetcher, Origin, Source, SourceFailure, Want, member, npm};
use crate::cache::{CacheError, CachedFile, hash, refused};
use crate::digest::Hasher;
use crate::verified::Verified;

/// Who answers for bytes that no pin speaks for; only learning hands one in.
#[derive(Debug, Clone)]
pub(super) enum Trust {
    /// The vendor or registry says this is the download's digest.
    Vouched(Digest),
    /// Nobody but the place itself.
    Place,
}

/// What a source gave.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) file: Verified<CachedFile>,
    /// The digest of the archive it was taken out of.
    pub(super) download: Option<Digest>,
}

/// A download that lies in `partial/`, or a file of the person's that stays where it is.
struct Fetched {
    path: PathBuf,
    ours: bool,
    digest: Digest,
}

impl Fetcher {
    /// Tries one source. Without `trust`, a pin must speak for the bytes.
    pub(super) fn try_source(
        &self,
        want: &Want,
        source: &Source,
        trust: Option<&Trust>,
    ) -> Result<Got, Failed> {
        let own = if source.member.is_none() { want.digest.as_ref() } else { None };
        let vouched = match trust {
            Some(Trust::Vouched(digest)) => Some(digest),
            _ => source.digest.as_ref(),
        };
        let place = source.origin.to_string();
        if trust.is_none() && vouched.is_none() && want.digest.is_none() {
            let why = "nothing says what its bytes must be; run `cargo xtask lock` where it can be reached";
            return Err(SourceFailure::new(place, FailureKind::Absent, why).into());
        }
        let size = if source.member.is_none() { want.size } else { None };
        let expect = Expect { digests: [vouched, own], size };
        let fetched = match &source.origin {
            Origin::File(path) => self.local(want, path, source.member.is_some(), expect)?,
            _ if self.options.offline => {
                return Err(SourceFailure::new(
                    place,
                    FailureKind::Unreachable,
                    "not asked because of --offline",
                )
                .into());
            }
            Origin::Web(url) => {
                let done = self.at_each(url, |address| download(self, &want.label, address, expect))?;
                Fetched { path: done.path, ours: true, digest: done.sha256 }
            }
            Origin::Npm { package, version } => {
                let done = npm::download(self, &want.label, package, version, expect)?;
                Fetched { path: done.path, ours: true, digest: done.sha256 }
            }
        };
        let Some(name) = &source.member else {
            let file = self.options.cache.take(&fetched.path, &fetched.digest)?;
            return Ok(Got { file, download: None });
        };
        let outcome = self.unpack(want, &place, &fetched, name);
        if fetched.ours {
            fs::remove_file(&fetched.path).map_err(refused("remove", &fetched.path))?;
        }
        let file = outcome?;
        // The name by which the lock will look for it: the digest it gives the download.
        let download = vouched.cloned().unwrap_or(fetched.digest);
        self.options.cache.note_member(&download, name, &file.digest)?;
        Ok(Got { file, download: Some(download) })
    }

    /// Works with the mirror of an address, if one has its prefix, and with the address itself when that gives nothing.
    pub(super) fn at_each<T>(
        &self,
        url: &str,
        work: impl Fn(&str) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        let rewrite =
            |(from, to): &(String, String)| url.strip_prefix(from.as_str()).map(|rest| format!("{to}{rest}"));
        let Some(mirror) = self.options.mirrors.iter().find_map(rewrite) else { return work(url) };
        match work(&mirror) {
            Err(Failed::Source(first)) => work(url).map_err(|failed| match failed {
                Failed::Source(second) => Failed::Source(first.and(&second)),
                cache @ Failed::Cache(_) => cache,
            }),
            other => other,
        }
    }

    fn unpack(
        &self,
        want: &Want,
        place: &str,
        fetched: &Fetched,
        name: &str,
    ) -> Result<Verified<CachedFile>, Failed> {
        let aside = self.options.cache.partial(&format!("{}.member", member_key(&fetched.digest, name)));
        let outcome = member::extract(&fetched.path, name, &aside).and_then(|(digest, size)| {
            let wrong = |why: String| Err(SourceFailure::new(place, FailureKind::Wrong, why).into());
            if want.digest.as_ref().is_some_and(|pinned| *pinned != digest) {
                let pinned = want.digest.as_ref().map_or_else(String::new, ToString::to_string);
                return wrong(format!("`{name}` in it has other bytes: pinned {pinned}, got {digest}"));
            }
            match want.size {
                Some(pinned) if pinned != size => {
                    wrong(format!("`{name}` in it has {size} bytes, pinned are {pinned}"))
                }
                _ => Ok(digest),
            }
        });
        match outcome {
            Ok(digest) => Ok(self.options.cache.take(&aside, &digest)?),
            Err(failed) => {
                drop(fs::remove_file(&aside));
                Err(match failed {
                    Failed::Source(failure) => {
                        Failed::Source(SourceFailure { url: place.to_owned(), ..failure })
                    }
                    cache @ Failed::Cache(_) => cache,
                })
            }
        }
    }

    /// A file of the person's: an archive is read where it lies, a plain file is copied while it is hashed.
    fn local(
        &self,
        want: &Want,
        path: &Path,
        is_archive: bool,
        expect: Expect<'_>,
    ) -> Result<Fetched, Failed> {
        let path = self.options.base.join(path);
        let place = format!("file:{}", path.display());
        if !path.is_file() {
            return Err(SourceFailure::new(place, FailureKind::Absent, "there is no such file").into());
        }
        let wrong = |pinned: &Digest, found: &Digest| {
            let why = format!("has other bytes: pinned {pinned}, got {found}");
            Failed::from(SourceFailure::new(place.clone(), FailureKind::Wrong, why))
        };
        let length = fs::metadata(&path).map_err(refused("look at", &path))?.len();
        if let Some(size) = expect.size.filter(|size| *size != length) {
            let why = format!("has {length} bytes, pinned are {size}");
            return Err(SourceFailure::new(place, FailureKind::Wrong, why).into());
        }
        for digest in expect.digests.into_iter().flatten() {
            let found = hash(&path, digest.algorithm())?;
            if found != *digest {
                return Err(wrong(digest, &found));
            }
        }
        if is_archive {
            let digest = hash(&path, DigestAlgorithm::Sha256)?;
            return Ok(Fetched { path, ours: false, digest });
        }
        let aside = self.options.cache.partial(&format!("{}.copy", super::key_of(want)));
        let digest = copy(&path, &aside).inspect_err(|_| drop(fs::remove_file(&aside)))?;
        // The copy is what is kept, so the copy is what counts: the file may have changed since it was compared.
        let changed = |pinned: &&Digest| pinned.algorithm() == digest.algorithm() && **pinned != digest;
        if let Some(pinned) = expect.digests.into_iter().flatten().find(changed) {
            drop(fs::remove_file(&aside));
            return Err(wrong(pinned, &digest));
        }
        Ok(Fetched { path: aside, ours: true, digest })
    }
}

fn copy(from: &Path, to: &Path) -> Result<Digest, CacheError> {
    let mut input = File::open(from).map_err(refused("open", from))?;
    let mut output = File::create(to).map_err(refused("make", to))?;
    let mut hasher = Hasher::new(DigestAlgorithm::Sha256);
    let mut buffer = vec![0; 128 * 1024];
    loop {
        let count = input.read(&mut buffer).map_err(refused("read", from))?;
        if count == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(&buffer[..count]);
        output.write_all(&buffer[..count]).map_err(refused("write", to))?;
    }
}

fn member_key(download: &Digest, name: &str) -> String {
    format!("{}-{}", download.hex(), Digest::sha256_of(name.as_bytes()).short())
}
