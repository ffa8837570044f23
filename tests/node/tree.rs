//! A file system as text, to be compared.

use desired::Digest;
use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

/// Everything below a folder: path to kind, mode, owner and content.
pub type Tree = BTreeMap<String, String>;

/// Everything below `root`, links not followed.
///
/// # Errors
/// If it can't be read.
pub fn whole_tree(root: &Path) -> anyhow::Result<Tree> {
    let (mut tree, mut waiting) = (Tree::new(), vec![root.to_owned()]);
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            let metadata = path.symlink_metadata()?;
            let name = path.strip_prefix(root)?.to_string_lossy().into_owned();
            let content = if metadata.is_dir() {
                waiting.push(path.clone());
                "folder".to_owned()
            } else if metadata.is_symlink() {
                format!("link to {}", std::fs::read_link(&path)?.display())
            } else if !metadata.is_file() {
                // A device may have no end.
                "special".to_owned()
            } else {
                let bytes = std::fs::read(&path)?;
                String::from_utf8(bytes)
                    .unwrap_or_else(|error| Digest::sha256_of(error.as_bytes()).to_string())
            };
            let (mode, uid, gid) = (metadata.permissions().mode(), metadata.uid(), metadata.gid());
            tree.insert(name, format!("{mode:o} {uid}:{gid} {content}"));
        }
    }
    Ok(tree)
}

/// What differs between two trees, for messages.
#[must_use]
pub fn difference(one: &Tree, other: &Tree) -> String {
    let paths: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let lines = paths.into_iter().filter(|path| one.get(*path) != other.get(*path));
    lines.map(|path| format!("{path}: {:?} and {:?}\n", one.get(path), other.get(path))).collect()
}
