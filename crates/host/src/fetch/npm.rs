//! Packages of the npm registry.
//!
//! In: a package and its exact version. Out: its tarball, compared with the registry's sha512 integrity. An installed
//! `npm` is asked first, because it knows the person's registry, proxy and credentials; no script of a package is ever
//! run. Without it the public registry is asked over https.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use desired::Digest;
use desired::types::DigestAlgorithm;
use reqwest::header::HeaderMap;

use super::download::{Downloaded, Expect, download as from_web};
use super::failed::Failed;
use super::{FailureKind, Fetcher, SourceFailure, client};
use crate::cache::{hash, refused};
use crate::process::{Invocation, ProcessError, find_program};
use crate::report::Kind;

/// Long enough for 100 MB over a slow line.
const TIMEOUT: Duration = Duration::from_secs(900);

/// The tarball, compared with `expect`.
pub(super) fn download(
    fetcher: &Fetcher,
    label: &str,
    package: &str,
    version: &str,
    expect: Expect<'_>,
) -> Result<Downloaded, Failed> {
    if has_npm(fetcher) {
        return pack(fetcher, label, package, version, expect);
    }
    let dist = dist_over_https(fetcher, package, version)?;
    let integrity = integrity_of(package, version, &dist)?;
    let [vouched, _] = expect.digests;
    from_web(fetcher, label, &dist.tarball, Expect { digests: [Some(&integrity), vouched], ..expect })
}

/// What the registry says the tarball's digest is.
pub(super) fn integrity(fetcher: &Fetcher, package: &str, version: &str) -> Result<Digest, Failed> {
    let dist = if has_npm(fetcher) {
        let call = npm(["view", "--json"]).arg(format!("{package}@{version}")).arg("dist");
        let output = call.run().map_err(|error| failure(package, version, &error))?;
        serde_json::from_slice(&output.stdout).map_err(|error| unclear(package, version, &error))?
    } else {
        dist_over_https(fetcher, package, version)?
    };
    integrity_of(package, version, &dist)
}

#[derive(serde::Deserialize)]
struct Dist {
    integrity: Option<String>,
    tarball: String,
}

fn has_npm(fetcher: &Fetcher) -> bool {
    fetcher.options.use_npm && find_program("npm").is_some()
}

/// A call that says nothing of its own, gives up in seconds rather than minutes, and never asks.
fn npm<const N: usize>(args: [&str; N]) -> Invocation {
    Invocation::new("npm")
        .args(args)
        .args(["--loglevel=error", "--no-update-notifier", "--no-fund", "--no-audit", "--fetch-retries=1"])
        .args(["--fetch-retry-mintimeout=1000", "--fetch-timeout=60000"])
        .timeout(TIMEOUT)
}

fn pack(
    fetcher: &Fetcher,
    label: &str,
    package: &str,
    version: &str,
    expect: Expect<'_>,
) -> Result<Downloaded, Failed> {
    let task = fetcher.report.task(Kind::Download, format!("{label} from npm"), expect.size);
    let key = Digest::sha256_of(format!("{package}@{version}").as_bytes());
    let folder = fetcher.options.cache.partial(&format!("npm-{}", key.short()));
    let outcome = pack_into(fetcher, package, version, expect, &folder);
    drop(fs::remove_dir_all(&folder));
    match &outcome {
        Ok(_) => task.finish("verified"),
        Err(_) => task.fail("npm could not get it"),
    }
    outcome
}

fn pack_into(
    fetcher: &Fetcher,
    package: &str,
    version: &str,
    expect: Expect<'_>,
    folder: &std::path::Path,
) -> Result<Downloaded, Failed> {
    drop(fs::remove_dir_all(folder));
    fs::create_dir_all(folder).map_err(refused("make", folder))?;
    let mut destination = std::ffi::OsString::from("--pack-destination=");
    destination.push(folder);
    let call = npm(["pack", "--ignore-scripts", "--json"])
        .arg(destination)
        .arg(format!("{package}@{version}"))
        // A package.json of the folder we stand in is none of npm's business.
        .folder(folder);
    call.run().map_err(|error| failure(package, version, &error))?;
    let tarball = only_file(folder).ok_or_else(|| {
        SourceFailure::new(place(package, version), FailureKind::Wrong, "npm pack did not leave one tarball")
    })?;
    for pinned in expect.digests.into_iter().flatten() {
        let found = hash(&tarball, pinned.algorithm())?;
        if found != *pinned {
            let why = format!("gave other bytes: pinned {pinned}, got {found}");
            return Err(SourceFailure::new(place(package, version), FailureKind::Wrong, why).into());
        }
    }
    let sha256 = hash(&tarball, DigestAlgorithm::Sha256)?;
    let path = fetcher.options.cache.partial(&format!("{}.tgz", sha256.hex()));
    fs::rename(&tarball, &path).map_err(refused("move a package to", &path))?;
    Ok(Downloaded { path, sha256 })
}

fn only_file(folder: &std::path::Path) -> Option<PathBuf> {
    let mut files = fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let first = files.next()?;
    files.next().is_none().then_some(first)
}

fn dist_over_https(fetcher: &Fetcher, package: &str, version: &str) -> Result<Dist, Failed> {
    #[derive(serde::Deserialize)]
    struct Version {
        dist: Dist,
    }
    // A scope's slash is part of the name, not of the path.
    let url = format!("{}/{}/{version}", fetcher.options.npm_registry, package.replace('/', "%2f"));
    let answer = client::get(&fetcher.client, &url, &HeaderMap::new(), fetcher.options.allow_http)?;
    let status = answer.status();
    if !status.is_success() {
        let kind = if status.as_u16() == 404 { FailureKind::Absent } else { FailureKind::Unreachable };
        return Err(SourceFailure::new(url, kind, format!("answered {status}")).into());
    }
    let text = answer
        .text()
        .map_err(|error| SourceFailure::new(url, FailureKind::Unreachable, client::reason(&error)))?;
    let version: Version = serde_json::from_str(&text).map_err(|error| unclear(package, version, &error))?;
    Ok(version.dist)
}

/// `sha512-<base64>` as a digest; older packages that only have sha1 are not trusted.
fn integrity_of(package: &str, version: &str, dist: &Dist) -> Result<Digest, Failed> {
    let texts = dist.integrity.as_deref().unwrap_or_default().split_whitespace();
    let sha512 = texts.filter_map(|text| text.strip_prefix("sha512-")).find_map(|text| {
        let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha512:{hex}").parse().ok()
    });
    sha512.ok_or_else(|| {
        let why = "the registry gives no sha512 integrity for it";
        SourceFailure::new(place(package, version), FailureKind::Wrong, why).into()
    })
}

fn place(package: &str, version: &str) -> String {
    format!("npm:{package}@{version}")
}

fn unclear(package: &str, version: &str, error: &serde_json::Error) -> Failed {
    let why = format!("the registry's answer can't be read ({error})");
    SourceFailure::new(place(package, version), FailureKind::Unreachable, why).into()
}

/// npm names its errors; a package that isn't there is told from a registry that isn't.
fn failure(package: &str, version: &str, error: &ProcessError) -> Failed {
    let absent = ["E404", "ETARGET", "ENOVERSIONS"].iter().any(|code| error.tail().contains(code));
    let kind = if absent { FailureKind::Absent } else { FailureKind::Unreachable };
    // The first lines are fields (`code E404`, `syscall open`); the sentence follows them.
    let is_field = |line: &&str| {
        ["code", "syscall", "errno", "path"].contains(&line.split(' ').next().unwrap_or_default())
    };
    let lines = error.tail().lines().filter_map(|line| Some(line.strip_prefix("npm error")?.trim()));
    let told = lines.filter(|line| !line.is_empty()).find(|line| !is_field(line));
    let why = told.map_or_else(|| error.to_string(), str::to_owned);
    SourceFailure::new(place(package, version), kind, why).into()
}
