//! What an artifact's bytes are held against, on both sides.
//!
//! In: what the lock pins. Out: [`Pinned`], and for files whose own digest nobody knew at the desk the note a node keeps
//! of what it took out of which download ([`TakenOut`]): written when the file was installed out of a download whose
//! digest was right, compared from then on. Without the note the file is fetched again, never trusted.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::types::{AbsPath, ArtifactName, ByteSize, Digest, Invalid};

/// What an artifact's bytes are held against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Pinned {
    /// The file itself.
    File {
        /// What its bytes must be.
        digest: Digest,
        /// How many bytes, when the lock knows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        size: Option<ByteSize>,
    },
    /// Only the downloads it is taken out of, one for each source that may be asked. Vendors pack the same release more
    /// than once, so the files inside may differ from one another.
    Downloads(BTreeSet<Digest>),
}

impl Pinned {
    /// The file's own digest, if that is known.
    #[must_use]
    pub const fn file_digest(&self) -> Option<&Digest> {
        match self {
            Self::File { digest, .. } => Some(digest),
            Self::Downloads(_) => None,
        }
    }
    /// The file's size, if that is known.
    #[must_use]
    pub const fn size(&self) -> Option<ByteSize> {
        match self {
            Self::File { size, .. } => *size,
            Self::Downloads(_) => None,
        }
    }
}

/// For tables and plans: `66.4 MB 835873f37245`, or `out of 254f60912e73`.
impl std::fmt::Display for Pinned {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File { digest, size: Some(size) } => write!(formatter, "{size} {}", digest.short()),
            Self::File { digest, size: None } => formatter.write_str(digest.short()),
            Self::Downloads(digests) => {
                let digests: Vec<&str> = digests.iter().map(Digest::short).collect();
                write!(formatter, "out of {}", digests.join(" or "))
            }
        }
    }
}

/// A node's note of an installed file that is pinned by its download alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TakenOut {
    /// The download, as the bundle pins it.
    pub download: Digest,
    /// The SHA-256 of the file that was in it.
    pub digest: Digest,
}

impl TakenOut {
    /// Where a node keeps the note of `artifact`.
    ///
    /// # Errors
    /// Never, as long as names of artifacts hold nothing a path can't.
    pub fn place(artifact: &ArtifactName) -> Result<AbsPath, Invalid> {
        format!("/var/lib/rootstock/artifacts/{artifact}.json").parse()
    }
    /// The text of the note.
    ///
    /// # Panics
    /// Never: both fields have a JSON form.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("two digests are text");
        text.push('\n');
        text
    }
    /// Reads a note; one that is damaged says nothing, so the file is fetched again.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
    /// Whether a file with this digest is what `downloads` hold.
    #[must_use]
    pub fn vouches(&self, file: &Digest, downloads: &BTreeSet<Digest>) -> bool {
        self.digest == *file && downloads.contains(&self.download)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_read_back_and_nothing_else_does() {
        let digest = Digest::sha256_of(b"abc");
        for (pinned, text, brief) in [
            (
                Pinned::File { digest: digest.clone(), size: Some(ByteSize(3)) },
                format!(r#"{{"file":{{"digest":"{digest}","size":3}}}}"#),
                "3 B ba7816bf8f01",
            ),
            (
                Pinned::Downloads([digest.clone()].into()),
                format!(r#"{{"downloads":["{digest}"]}}"#),
                "out of ba7816bf8f01",
            ),
        ] {
            assert_eq!(serde_json::to_string(&pinned).unwrap(), text);
            assert_eq!(serde_json::from_str::<Pinned>(&text).unwrap(), pinned);
            assert_eq!(pinned.to_string(), brief);
        }
        assert!(
            serde_json::from_str::<Pinned>(&format!(r#"{{"file":{{"digest":"{digest}","x":1}}}}"#)).is_err()
        );
    }

    #[test]
    fn a_note_vouches_for_that_file_of_that_download_alone() {
        let digest = |text: &str| Digest::sha256_of(text.as_bytes());
        let note = TakenOut { download: digest("tgz"), digest: digest("file") };
        assert_eq!(TakenOut::parse(&note.to_json()), Some(note.clone()));
        assert!(note.vouches(&digest("file"), &[digest("tgz"), digest("other")].into()));
        assert!(!note.vouches(&digest("edited"), &[digest("tgz")].into()));
        assert!(!note.vouches(&digest("file"), &[digest("next release")].into()));
        assert_eq!(TakenOut::parse(&note.to_json()[1..]), None);
        let place = TakenOut::place(&"mise".parse().unwrap()).unwrap();
        assert_eq!(place.as_str(), "/var/lib/rootstock/artifacts/mise.json");
    }
}
