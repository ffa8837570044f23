//! Deferred artifacts: fetched by the node's own curl, resumed where a line broke, verified before anything else.
//!
//! In: the sources the bundle pins, best first. Out: a verified file in the state folder, from where it is installed. What
//! came incomplete stays there for the next run to go on with; what came wrong is removed at once.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::time::Duration;

use desired::manifest::{BundlePath, Deferred, DeferredSource};
use desired::{AbsPath, Digest};
use flate2::read::MultiGzDecoder;

use super::{PerformError, Performer};
use crate::archive::tar;
use crate::digest::Hasher;
use crate::journal::{Journal, incoming};
use crate::process::{Ending, Invocation, ProcessError};
use crate::root::{Ownership, Root};

/// The images of k3s over a slow line.
const LONGEST: Duration = Duration::from_secs(2 * 3600);
/// curl(1): the server can't go on where we stopped.
const NO_RESUME: [i32; 2] = [33, 22];

/// A verified file in the state folder.
#[derive(Debug)]
pub(super) struct Fetched {
    path: AbsPath,
    /// SHA-256 of the download, as the bundle pins it.
    pub(super) download: Digest,
    /// SHA-256 of the file itself.
    pub(super) digest: Digest,
}

impl Fetched {
    pub(super) fn open(&self, root: &Root) -> Result<File, PerformError> {
        open(root, &self.path).map_err(PerformError::file("read", &self.path))
    }
    pub(super) fn remove(&self, root: &Root) -> Result<(), PerformError> {
        remove(root, &self.path)
    }
}

impl Performer<'_> {
    /// Fetches what goes to `path` in the bundle, from the first source that gives the right bytes.
    pub(super) fn fetch(&self, path: &BundlePath) -> Result<Fetched, PerformError> {
        let deferred = self.bundle.manifest.deferred.iter().find(|deferred| deferred.path == *path);
        let deferred = deferred.ok_or_else(|| PerformError::Other(format!("{path} is not in the bundle")))?;
        let mut attempts = String::new();
        for (number, source) in deferred.sources.iter().enumerate() {
            let name = incoming(&format!("{}-{number}", deferred.artifact));
            self.journal.make_folder(&name).map_err(PerformError::file("make the folder of", &name))?;
            match from(self.root, &self.journal, deferred, source, &name) {
                Ok(fetched) => return Ok(fetched),
                Err(error) => attempts.push_str(&format!("\n  {}: {}", source.url, error.sentence())),
            }
        }
        Err(PerformError::Fetch { artifact: format!("{} {}", deferred.artifact, deferred.version), attempts })
    }
}

fn from(
    root: &Root,
    journal: &Journal<'_>,
    deferred: &Deferred,
    source: &DeferredSource,
    name: &AbsPath,
) -> Result<Fetched, PerformError> {
    let expected = source.digest.as_ref().or(deferred.digest.as_ref());
    let expected =
        expected.ok_or_else(|| PerformError::Other("its bytes could not be verified".to_owned()))?;
    if digest(root, name, expected)?.as_ref() != Some(expected) {
        download(root, source, name)?;
        let found = digest(root, name, expected)?;
        if found.as_ref() != Some(expected) {
            remove(root, name)?;
            let found = found.unwrap_or_else(|| Digest::sha256_of(b""));
            return Err(PerformError::Digest { what: source.url.clone(), expected: expected.clone(), found });
        }
    }
    let download = expected.clone();
    let Some(member) = &source.member else {
        return Ok(Fetched { path: name.clone(), digest: download.clone(), download });
    };
    let path = incoming(&format!("{}-member", deferred.artifact));
    journal.make_folder(&path).map_err(PerformError::file("make the folder of", &path))?;
    extract(root, name, member, &path)?;
    let digest = digest(root, &path, &Digest::sha256_of(b""))?;
    let digest = digest.ok_or_else(|| PerformError::Other(format!("{path} is gone")))?;
    remove(root, name)?;
    Ok(Fetched { path, download, digest })
}

/// curl into the state folder, on from where an earlier try stopped.
fn download(root: &Root, source: &DeferredSource, name: &AbsPath) -> Result<(), PerformError> {
    let folder = name.parent().unwrap_or_else(|| name.clone());
    let real = root.real_path(&folder).map_err(PerformError::file("reach", &folder))?;
    let real = real.join(name.as_str().rsplit('/').next().unwrap_or_default());
    // The digest decides about the bytes; still nobody is led from an encrypted address to an open one.
    let protocols = if source.url.starts_with("http:") { "=http,https" } else { "=https" };
    let call = Invocation::new("curl")
        .args(["--fail", "--location", "--silent", "--show-error", "--proto", protocols])
        .args(["--proto-redir", "=https", "--connect-timeout", "30", "--retry", "3"])
        // A line that carries less than this for so long is a dead one.
        .args(["--speed-limit", "512", "--speed-time", "60", "--continue-at", "-", "--output"])
        .arg(&real)
        .args(["--", &source.url])
        .if_missing("apt-get install -y curl")
        .timeout(LONGEST);
    match call.run() {
        Err(ProcessError::Failed { ending: Ending::Status(code), .. })
            if NO_RESUME.contains(&code) && length(root, name) > 0 =>
        {
            remove(root, name)?;
            call.run()?;
        }
        other => drop(other?),
    }
    Ok(())
}

fn length(root: &Root, name: &AbsPath) -> i64 {
    root.see(name.as_str()).ok().flatten().map_or(0, |seen| seen.stat.st_size)
}

/// The digest of what lies at `name`, by the algorithm of `like`; none if nothing does.
fn digest(root: &Root, name: &AbsPath, like: &Digest) -> Result<Option<Digest>, PerformError> {
    if root.see(name.as_str()).map_err(PerformError::file("look at", name))?.is_none() {
        return Ok(None);
    }
    let mut hasher = Hasher::new(like.algorithm());
    let copied = open(root, name).and_then(|mut file| io::copy(&mut file, &mut hasher));
    copied.map_err(PerformError::file("read", name))?;
    Ok(Some(hasher.finish()))
}

fn open(root: &Root, name: &AbsPath) -> io::Result<File> {
    let seen = root.see(name.as_str())?;
    seen.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?.open()
}

fn remove(root: &Root, name: &AbsPath) -> Result<(), PerformError> {
    root.place(name).and_then(|place| place.remove()).map_err(PerformError::file("remove", name))
}

/// Takes the file `member` out of the verified `.tar.gz` at `archive`.
fn extract(root: &Root, archive: &AbsPath, member: &str, out: &AbsPath) -> Result<(), PerformError> {
    let file = open(root, archive).map_err(PerformError::file("read", archive))?;
    let place = root.place(out).map_err(PerformError::file("reach", out))?;
    let mut is_found = false;
    place.write(Ownership::private(0o600), |target| {
        tar::read(MultiGzDecoder::new(file), &tar::Limits::LAYER, |entry| {
            if entry.path == member && entry.kind == tar::Kind::File {
                is_found = true;
                let mut buffer = vec![0; 256 * 1024];
                loop {
                    let count = entry.read(&mut buffer).map_err(PerformError::file("read", archive))?;
                    if count == 0 {
                        break;
                    }
                    target.write_all(&buffer[..count])?;
                }
            }
            Ok::<(), PerformError>(())
        })
    })?;
    if is_found {
        return Ok(());
    }
    Err(PerformError::Other(format!("the archive holds no file `{member}`")))
}
