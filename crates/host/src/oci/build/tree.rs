//! What the layers so far have put where: enough to know whether a target is a folder, and with what mode.

use std::collections::BTreeMap;

use desired::Mode;

use crate::archive::tar::{Entry, Source};

/// A path of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Node {
    Folder { mode: Mode, owner: (u32, u32) },
    Other,
}

/// Paths as in archives: relative, without a slash at the end.
#[derive(Debug, Default)]
pub(super) struct Tree(BTreeMap<String, Node>);

impl Tree {
    pub(super) fn get(&self, path: &str) -> Option<Node> {
        self.0.get(path).copied()
    }

    pub(super) fn is_folder(&self, path: &str) -> bool {
        path.is_empty() || matches!(self.get(path), Some(Node::Folder { .. }))
    }

    /// Notes one path and the folders above it.
    pub(super) fn note(&mut self, path: &str, node: Node) {
        for (slash, _) in path.match_indices('/') {
            let implied = Node::Folder { mode: Mode::EXECUTABLE, owner: (0, 0) };
            self.0.entry(path[..slash].to_owned()).or_insert(implied);
        }
        self.0.insert(path.to_owned(), node);
    }

    /// Notes the entries of a layer.
    pub(super) fn apply(&mut self, entries: &[Entry]) {
        for entry in entries {
            let node = match entry.source {
                Source::Folder => Node::Folder { mode: entry.mode, owner: entry.owner },
                _ => Node::Other,
            };
            self.note(&entry.path, node);
        }
    }

    /// The folders above `path` as entries: those that are there as they are, others with `owner`. A layer has to
    /// repeat them, and repeating them wrongly would change their mode.
    pub(super) fn above(&self, path: &str, owner: (u32, u32)) -> Vec<Entry> {
        let folder = |slash: usize| {
            let above = &path[..slash];
            let (mode, owner) = match self.get(above) {
                Some(Node::Folder { mode, owner }) => (mode, owner),
                _ => (Mode::EXECUTABLE, owner),
            };
            Entry { owner, ..Entry::folder(above, mode) }
        };
        path.match_indices('/').map(|(slash, _)| folder(slash)).collect()
    }
}
