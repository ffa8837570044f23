//! One node's resources as a file of the bundle.
//!
//! In: resources in their order. Out: the one text they have, and back.

use serde::{Deserialize, Serialize};

use crate::resource::Resource;
use crate::types::NodeName;

/// A node's resources as they lie in the bundle, in the order they come into being.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeDocument {
    /// Whose they are; the same name as the folder's.
    pub node: NodeName,
    /// What is desired there.
    pub resources: Vec<Resource>,
}

impl NodeDocument {
    /// The one text of this document: pretty JSON with a newline at the end.
    ///
    /// # Panics
    /// Never: every field has a JSON form.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text =
            serde_json::to_string_pretty(self).expect("resources hold only text, numbers and flags");
        text.push('\n');
        text
    }
}
