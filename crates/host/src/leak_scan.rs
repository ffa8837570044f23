//! The last look before output is put in place: is the value of a declared secret anywhere in it?
//!
//! In: references with the values this machine can read, and a folder. Out: where a value was found, naming the
//! reference and the file, never the value. Archives are not unpacked: what goes into them is scanned before.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use desired::SecretReference;
use memchr::memmem;

use crate::secret::Secret;

/// Values shorter than this would be found by accident everywhere; they are no protection to begin with.
pub const SHORTEST_VALUE_BYTES: usize = 6;

/// A secret's value in a place it must never be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leak {
    /// Whose value.
    pub reference: SecretReference,
    /// The file it stands in.
    pub file: PathBuf,
}

/// The values of declared secrets that this machine can read, ready to be looked for.
#[derive(Debug, Default)]
pub struct LeakScanner {
    values: Vec<(SecretReference, Secret)>,
}

impl LeakScanner {
    /// Reads what `references` point at, where they point at something here: variables and files. What can't be
    /// read here can't have leaked from here.
    #[must_use]
    pub fn new(references: impl IntoIterator<Item = SecretReference>) -> Self {
        let values = references
            .into_iter()
            .filter_map(|reference| {
                let value = match &reference {
                    SecretReference::Environment(name) => std::env::var(name).ok()?,
                    SecretReference::File(path) => fs::read_to_string(path.as_str()).ok()?,
                    SecretReference::Infisical { .. } | SecretReference::Stdin => return None,
                };
                let value = value.trim_end_matches(['\n', '\r']).to_owned();
                (value.len() >= SHORTEST_VALUE_BYTES).then(|| (reference, Secret::new(value)))
            })
            .collect();
        Self { values }
    }

    /// The references whose values are in `bytes`.
    #[must_use]
    pub fn find(&self, bytes: &[u8]) -> Vec<SecretReference> {
        self.values
            .iter()
            .filter(|(_, value)| memmem::find(bytes, value.expose().as_bytes()).is_some())
            .map(|(reference, _)| reference.clone())
            .collect()
    }

    /// Looks through every file below `folder` except compressed archives and layers.
    ///
    /// # Errors
    /// If the folder can't be read.
    pub fn scan(&self, folder: &Path) -> io::Result<Vec<Leak>> {
        let mut leaks = Vec::new();
        if self.values.is_empty() {
            return Ok(leaks);
        }
        for file in crate::tree::files(folder)? {
            let content = fs::read(&file)?;
            if !content.starts_with(&[0x1f, 0x8b]) {
                leaks.extend(
                    self.find(&content).into_iter().map(|reference| Leak { reference, file: file.clone() }),
                );
            }
        }
        Ok(leaks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_and_not_told() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        fs::write(&secret, "correct horse\n").unwrap();
        fs::create_dir(folder.path().join("out")).unwrap();
        fs::write(folder.path().join("out/unit"), "ExecStart=/x --token 'correct horse'").unwrap();
        fs::write(folder.path().join("out/clean"), "nothing").unwrap();
        let reference = SecretReference::File(secret.to_str().unwrap().parse().unwrap());
        let scanner = LeakScanner::new([reference.clone(), SecretReference::Stdin]);
        let leaks = scanner.scan(&folder.path().join("out")).unwrap();
        assert_eq!(leaks, [Leak { reference, file: folder.path().join("out/unit") }]);
        assert!(!format!("{scanner:?}{leaks:?}").contains("correct horse"));
    }

    #[test]
    fn a_short_value_is_not_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        fs::write(&secret, "abc").unwrap();
        let scanner = LeakScanner::new([SecretReference::File(secret.to_str().unwrap().parse().unwrap())]);
        assert!(scanner.find(b"abcabc").is_empty());
    }
}
