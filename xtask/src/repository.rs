//! Where the repository is: the nearest folder upwards that holds this program's own sources, as cargo looks for its
//! manifest. So every verb works from any folder inside, and in a copy of the repository it works on that copy.

use crate::exit::{Code, Failure};
use std::path::{Path, PathBuf};

/// The root of the repository the caller stands in.
///
/// # Errors
/// With code 5 if there is none.
pub fn root() -> Result<PathBuf, Failure> {
    let here = std::env::current_dir().map_err(Failure::with(Code::Missing))?;
    let root = upwards(&here).map(Path::to_owned);
    root.ok_or_else(|| {
        let sentence = format!("{} is not inside a clone of rootstock: change into one", here.display());
        Failure::new(Code::Missing, sentence)
    })
}

fn upwards(here: &Path) -> Option<&Path> {
    here.ancestors()
        .find(|folder| folder.join("xtask/Cargo.toml").is_file() && folder.join("Cargo.toml").is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_found_from_any_depth() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("xtask/src")).unwrap();
        assert_eq!(upwards(&root.path().join("xtask/src")), None);
        std::fs::write(root.path().join("xtask/Cargo.toml"), "").unwrap();
        std::fs::write(root.path().join("Cargo.toml"), "").unwrap();
        std::fs::create_dir_all(root.path().join("profiles/a")).unwrap();
        assert_eq!(upwards(&root.path().join("profiles/a")), Some(root.path()));
    }
}
