//! Paths inside a bundle.
//!
//! In: text, from the desk or from a manifest. Out: a [`BundlePath`] that can't climb, or what is wrong with it.

use serde::{Deserialize, Serialize};

use super::{FOLDER, PROGRAM, RESOURCES};
use crate::types::{ArtifactName, Invalid, NodeName};

/// A path inside a bundle, relative to [`FOLDER`]: clean, without climbing, printable.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BundlePath(String);
crate::types::text_type!(BundlePath);

impl BundlePath {
    /// Where the node's program lies.
    #[must_use]
    pub fn program() -> Self {
        Self(PROGRAM.to_owned())
    }
    /// Where the resources of `node` lie.
    #[must_use]
    pub fn resources(node: &NodeName) -> Self {
        Self(format!("nodes/{node}/{RESOURCES}"))
    }
    /// Where a file of an artifact lies, or will once the node has fetched it.
    ///
    /// # Errors
    /// If `file` is empty, climbs or holds control characters.
    pub fn artifact(artifact: &ArtifactName, file: &str) -> Result<Self, Invalid> {
        // The node's program is installed as artifacts are, and lies beside the manifest.
        if (artifact.as_str(), file) == (PROGRAM, PROGRAM) {
            return Ok(Self::program());
        }
        if file.contains('/') {
            return Err(Invalid::new("artifact file name", file, "it holds a `/`"));
        }
        format!("artifacts/{artifact}/{file}").parse()
    }
    /// The path in the archive, with [`FOLDER`] in front.
    #[must_use]
    pub fn in_archive(&self) -> String {
        format!("{FOLDER}/{self}")
    }
}

impl std::str::FromStr for BundlePath {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let fault = |why: &str| Err(Invalid::new("path in a bundle", text, why));
        if text.len() > 1024 {
            return fault("it is longer than 1024 bytes");
        }
        if text.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return fault("it must be relative, without empty parts, `.` and `..`");
        }
        if text.chars().any(|c| c.is_control() || c == '\\') {
            return fault("it holds a control character or a backslash");
        }
        Ok(Self(text.to_owned()))
    }
}
