//! Pinned third-party files: out of the bundle, or fetched by the node itself; never a byte that was not verified.

use std::fs::File;
use std::io::{Read, Write};

use desired::artifact::{Pinned, TakenOut};
use desired::manifest::BundlePath;
use desired::observed::Answer;
use desired::resource::{Owner, ResourceId, Want};
use desired::{AbsPath, ArtifactName, Digest};

use super::fetch::Fetched;
use super::{PerformError, Performer, place};
use crate::bundle::take;
use crate::digest::Hasher;
use crate::journal::{After, Before, PlaceBefore, State};
use crate::observe;
use crate::root::Ownership;

impl Performer<'_> {
    pub(super) fn artifact(&mut self, id: &ResourceId, want: &Want) -> Result<(), PerformError> {
        let Want::Artifact { path, mode, artifact, file, pinned, .. } = want else { return Ok(()) };
        let from = BundlePath::artifact(artifact, file).map_err(other)?;
        let ownership = self.accounts.ownership(*mode, &Owner::root())?;
        let story = self.journal.history().of(id);
        let before = place::before(self.root, &self.journal, path, |seen| place::is_ours(story, seen))?;
        // Fetching changes nothing of the node, so it comes before the change is journaled.
        let there = self.right_bytes_there(&before, artifact, pinned);
        let fetched = match self.bundle.manifest.files.contains_key(&from) {
            false if there.is_none() => Some(self.fetch(&from)?),
            _ => None,
        };
        let digest =
            there.as_ref().or(pinned.file_digest()).or(fetched.as_ref().map(|fetched| &fetched.digest));
        let digest =
            digest.ok_or_else(|| other("it is pinned by a download and lies in the bundle"))?.clone();
        if let (Pinned::Downloads(_), Some(fetched)) = (pinned, &fetched) {
            self.note(artifact, fetched)?;
        }
        let state = |size| State::File { ownership, size, digest: Some(digest.clone()), saved: None };
        let intended = After { state: Some(state(0)), ..After::default() };
        let journaled = Before { place: Some(before.clone()), more: None };
        self.change(id, journaled, Some(intended), |this| {
            let size = if there.is_some() {
                this.set(&before, ownership)?
            } else {
                this.install(&before, ownership, &digest, &from, fetched.as_ref())?
            };
            Ok(After { state: Some(state(size)), ..After::default() })
        })?;
        if let Some(fetched) = fetched {
            fetched.remove(self.root)?;
        }
        Ok(())
    }

    /// The digest of what is there already, if it is what is wanted.
    fn right_bytes_there(
        &self,
        before: &PlaceBefore,
        artifact: &ArtifactName,
        pinned: &Pinned,
    ) -> Option<Digest> {
        let State::File { digest: Some(seen), .. } = &before.state else { return None };
        let is_right = match pinned {
            Pinned::File { digest, .. } => digest == seen,
            Pinned::Downloads(downloads) => match observe::artifact::note(self.root, artifact, pinned) {
                Answer::Known(Some(note)) => note.vouches(seen, downloads),
                _ => false,
            },
        };
        is_right.then(|| seen.clone())
    }

    /// Notes what was taken out of which download, before the file gets its name: a note without its file vouches for
    /// nothing, a file without its note would be fetched again.
    fn note(&self, artifact: &ArtifactName, fetched: &Fetched) -> Result<(), PerformError> {
        let place = TakenOut::place(artifact).map_err(other)?;
        let note = TakenOut { download: fetched.download.clone(), digest: fetched.digest.clone() };
        let text = note.to_json();
        let written = self.journal.make_folder(&place).and_then(|()| {
            self.root.place(&place)?.write(Ownership::private(0o644), |file| file.write_all(text.as_bytes()))
        });
        written.map_err(PerformError::file("write the note", &place))
    }

    /// The right bytes with another owner or mode.
    fn set(&self, before: &PlaceBefore, ownership: Ownership) -> Result<u64, PerformError> {
        let set = self.root.place(&before.path).and_then(|place| place.set(ownership));
        set.map_err(PerformError::file("set owner and mode of", &before.path))?;
        match before.state {
            State::File { size, .. } => Ok(size),
            _ => Ok(0),
        }
    }

    fn install(
        &self,
        before: &PlaceBefore,
        ownership: Ownership,
        digest: &Digest,
        from: &BundlePath,
        fetched: Option<&Fetched>,
    ) -> Result<u64, PerformError> {
        let (path, mut size) = (&before.path, 0);
        place::write(self.root, before, ownership, |out| {
            match fetched {
                Some(fetched) => size = verified_copy(&mut fetched.open(self.root)?, out, digest, path)?,
                None => take(self.bundle, from, |bytes| {
                    size = verified_copy(bytes, out, digest, path)?;
                    Ok::<(), PerformError>(())
                })?,
            }
            Ok(())
        })?;
        Ok(size)
    }
}

fn other(why: impl std::fmt::Display) -> PerformError {
    PerformError::Other(why.to_string())
}

/// Copies and digests in one pass; other bytes than the pinned ones are an error before the file gets its name.
pub(super) fn verified_copy(
    from: &mut dyn Read,
    to: &mut File,
    expected: &Digest,
    path: &AbsPath,
) -> Result<u64, PerformError> {
    let (mut hasher, mut size, mut buffer) = (Hasher::new(expected.algorithm()), 0, vec![0; 256 * 1024]);
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(PerformError::file("read the bytes of", path)(error)),
        };
        hasher.update(&buffer[..count]);
        to.write_all(&buffer[..count])?;
        size += count as u64;
    }
    let found = hasher.finish();
    if found == *expected {
        return Ok(size);
    }
    Err(PerformError::Digest { what: format!("the artifact for {path}"), expected: expected.clone(), found })
}
