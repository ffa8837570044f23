//! Is an output still what its inputs would make? Answered in milliseconds, without building.
//!
//! In: files that were read and words that were said (flags). Out: one digest of all of it, kept beside the
//! output together with size and time of every file made; both must still hold for the output to be fresh.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use desired::types::DigestAlgorithm;
use desired::{ByteSize, Digest};
use serde::{Deserialize, Serialize};

use crate::digest::Hasher;

/// The name of the record in an output folder; not part of the output.
pub const RECORD: &str = ".rootstock-state.json";

/// Collects inputs into one digest. Names and lengths are part of it, so nothing can slide between two inputs.
#[derive(Debug)]
pub struct Inputs(Hasher);

impl Default for Inputs {
    fn default() -> Self {
        Self(Hasher::new(DigestAlgorithm::Sha256))
    }
}

impl Inputs {
    /// Takes a named input.
    pub fn add(&mut self, name: &str, content: &[u8]) {
        for part in [name.as_bytes(), content] {
            self.0
                .update(&u64::try_from(part.len()).expect("no input has more than 2^64 bytes").to_le_bytes());
            self.0.update(part);
        }
    }

    /// Takes a file, or every file below a folder; `name` stands for the path, so the place of the folder is not
    /// part of the digest. What does not exist is taken as such.
    ///
    /// # Errors
    /// If something is there that can't be read.
    pub fn add_path(&mut self, name: &str, path: &Path) -> io::Result<()> {
        let kind = match fs::metadata(path) {
            Ok(metadata) => metadata.file_type(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.add(name, b"missing");
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        if kind.is_file() {
            self.add(name, &fs::read(path)?);
            return Ok(());
        }
        for file in crate::tree::files(path)? {
            let below = file.strip_prefix(path).expect("listed below it").to_string_lossy().into_owned();
            self.add(&format!("{name}/{below}"), &fs::read(&file)?);
        }
        Ok(())
    }

    /// The digest of everything taken.
    #[must_use]
    pub fn digest(self) -> Digest {
        self.0.finish()
    }
}

/// What was made from which inputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The digest of the inputs.
    pub inputs: Digest,
    /// What the run that made it said at its end, to be said again.
    pub summary: serde_json::Value,
    files: BTreeMap<String, Trace>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Trace {
    size: ByteSize,
    modified_ns: i128,
}

impl Record {
    /// Notes every file below `folder` as made from `inputs`, and writes the note into the folder.
    ///
    /// # Errors
    /// If the folder can't be read or the note not written.
    pub fn write(folder: &Path, inputs: Digest, summary: serde_json::Value) -> io::Result<()> {
        let record = Self { inputs, summary, files: traces(folder)? };
        fs::write(folder.join(RECORD), serde_json::to_vec(&record)?)
    }

    /// The note of `folder`, whether or not it still holds; nothing if there is none that can be read.
    #[must_use]
    pub fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(folder.join(RECORD)).ok()?).ok()
    }

    /// The note of `folder`, if it was made from `inputs` and every file is as it was left.
    #[must_use]
    pub fn fresh(folder: &Path, inputs: &Digest) -> Option<Self> {
        let record = Self::read(folder)?;
        (record.inputs == *inputs && traces(folder).ok()? == record.files).then_some(record)
    }
}

fn traces(folder: &Path) -> io::Result<BTreeMap<String, Trace>> {
    let mut traces = BTreeMap::new();
    for file in crate::tree::files(folder)? {
        let below = file.strip_prefix(folder).expect("listed below it").to_string_lossy().into_owned();
        if below == RECORD {
            continue;
        }
        let metadata = fs::metadata(&file)?;
        let modified_ns = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
        traces.insert(below, Trace { size: ByteSize(metadata.len()), modified_ns });
    }
    Ok(traces)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest_of(folder: &Path) -> Digest {
        let mut inputs = Inputs::default();
        inputs.add_path("profiles", folder).unwrap();
        inputs.digest()
    }

    #[test]
    fn a_touched_removed_or_added_output_is_not_fresh() {
        let folder = tempfile::tempdir().unwrap();
        let inputs = Digest::sha256_of(b"inputs");
        fs::write(folder.path().join("a"), "1").unwrap();
        Record::write(folder.path(), inputs.clone(), serde_json::json!("said")).unwrap();
        assert_eq!(Record::fresh(folder.path(), &inputs).unwrap().summary, "said");
        assert!(Record::fresh(folder.path(), &Digest::sha256_of(b"other")).is_none());
        fs::write(folder.path().join("b"), "").unwrap();
        assert!(Record::fresh(folder.path(), &inputs).is_none());
        fs::remove_file(folder.path().join("b")).unwrap();
        assert!(Record::fresh(folder.path(), &inputs).is_some());
        fs::write(folder.path().join("a"), "22").unwrap();
        assert!(Record::fresh(folder.path(), &inputs).is_none());
    }

    #[test]
    fn the_place_of_inputs_does_not_matter_but_their_names_do() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for folder in [&one, &two] {
            fs::write(folder.path().join("a"), "x").unwrap();
        }
        assert_eq!(digest_of(one.path()), digest_of(two.path()));
        fs::rename(two.path().join("a"), two.path().join("b")).unwrap();
        assert_ne!(digest_of(one.path()), digest_of(two.path()));
    }
}
