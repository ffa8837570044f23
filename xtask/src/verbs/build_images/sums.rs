//! `SHA256SUMS`: every file of an output, in the form `sha256sum --check` reads, and its signature where somebody signs.

use std::fs::File;
use std::io;
use std::path::Path;

use desired::Mode;
use desired::types::{DigestAlgorithm, Hasher};

/// The list's own name.
pub const NAME: &str = "SHA256SUMS";

/// The signature of the list.
pub const SIGNATURE: &str = "SHA256SUMS.minisig";

/// Writes the list of every file below `folder` into it; gives its text.
pub fn write(folder: &Path) -> io::Result<String> {
    let mut text = String::new();
    for file in host::tree::files(folder)? {
        let mut hasher = Hasher::new(DigestAlgorithm::Sha256);
        io::copy(&mut File::open(&file)?, &mut hasher)?;
        let below = file.strip_prefix(folder).expect("listed below it").to_string_lossy().into_owned();
        text.push_str(&format!("{}  {below}\n", hasher.finish().hex()));
    }
    host::tree::write_file(&folder.join(NAME), Mode::PUBLIC, text.as_bytes())?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_what_sha256sum_checks() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("b")).unwrap();
        std::fs::write(folder.path().join("b/c"), "abc").unwrap();
        write(folder.path()).unwrap();
        host::process::Invocation::new("sha256sum")
            .args(["--check", "--strict", NAME])
            .folder(folder.path())
            .run()
            .unwrap();
        std::fs::write(folder.path().join("b/c"), "abd").unwrap();
        assert!(
            host::process::Invocation::new("sha256sum")
                .args(["--check", NAME])
                .folder(folder.path())
                .run()
                .is_err()
        );
    }
}
