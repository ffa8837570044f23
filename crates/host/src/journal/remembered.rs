//! What a node was last joined as, so that it can be looked at after the bundle is gone.
//!
//! In: what a join took from its verified bundle. Out: the same from the state folder, for root alone to read; `leave`
//! removes it with the journal. No artifact is kept, so a join needs its bundle again.

use desired::resource::Resource;
use desired::{Arch, ClusterName, Digest, NodeName};
use serde::{Deserialize, Serialize};

use super::{JournalError, path};
use crate::root::{Ownership, Root};

const FILE: &str = "node.json";

/// A node as it was last joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remembered {
    /// [`super::FORMAT`].
    pub format: u32,
    /// Its cluster.
    pub cluster: ClusterName,
    /// Which node.
    pub node: NodeName,
    /// The bundle's architecture.
    pub arch: Arch,
    /// The bundle's identity.
    pub bundle: Digest,
    /// What it shall be.
    pub resources: Vec<Resource>,
}

impl Remembered {
    /// What is remembered of the node below `root`; none where nobody joined.
    ///
    /// # Errors
    /// If it can't be read, or was written by another version.
    pub fn read(root: &Root) -> Result<Option<Self>, JournalError> {
        let own = path(FILE);
        let text = root.read(own.as_str()).map_err(JournalError::file("read", &own))?;
        let parse = |text: Vec<u8>| serde_json::from_slice::<Self>(&text);
        let remembered = text.map(parse).transpose();
        let remembered =
            remembered.map_err(|error| JournalError::file("read", &own)(std::io::Error::other(error)))?;
        match remembered {
            Some(Self { format, .. }) if format != super::FORMAT => {
                Err(JournalError::Format { path: own.to_string(), found: format })
            }
            remembered => Ok(remembered),
        }
    }
    /// Remembers it; whoever calls holds the journal.
    ///
    /// # Errors
    /// If the disk is full or refuses.
    pub fn write(&self, root: &Root) -> Result<(), JournalError> {
        let own = path(FILE);
        let failed = || JournalError::file("write", &own);
        let text = serde_json::to_vec(self).map_err(|error| failed()(error.into()))?;
        if root.read(own.as_str()).ok().flatten().as_ref() == Some(&text) {
            return Ok(());
        }
        let place = root.place(&own).map_err(failed())?;
        place
            .write(Ownership::private(0o600), |file| std::io::Write::write_all(file, &text))
            .map_err(failed())
    }
}
