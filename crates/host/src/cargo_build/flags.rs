//! What the compiler is told so that the building machine leaves no trace in the program.
//!
//! In: the toolchain in use, where cargo keeps crates, the workspace. Out: rustc flags that map those paths to fixed
//! names, and the environment variables that would change the program behind our back.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::BuildError;
use crate::process::Invocation;

/// The compiler that cargo uses in the workspace.
#[derive(Debug)]
pub(super) struct Toolchain {
    /// The folder it is installed in.
    pub(super) sysroot: PathBuf,
    /// The commit it was made from, which names the standard library's sources in its messages.
    commit: String,
    /// Where cargo unpacks crates; a folder for each registry, named by a hash of the registry's address.
    crates: Vec<PathBuf>,
}

impl Toolchain {
    pub(super) fn ask(workspace: &Path) -> Result<Self, BuildError> {
        let ask = |args: &[&str]| {
            Invocation::new("rustc")
                .args(args.iter().copied())
                .folder(workspace)
                .run()
                .map(|output| output.text())
                .map_err(BuildError::Toolchain)
        };
        let version = ask(&["--version", "--verbose"])?;
        let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: "));
        Ok(Self {
            sysroot: PathBuf::from(ask(&["--print", "sysroot"])?),
            commit: commit.unwrap_or("unknown").to_owned(),
            crates: crate_folders(&cargo_home()),
        })
    }

    /// `CARGO_ENCODED_RUSTFLAGS`: flags separated by the unit separator. Of several mappings that fit, rustc takes
    /// the last, so the general ones come first.
    pub(super) fn flags(&self, workspace: &Path) -> OsString {
        let mut mappings = vec![
            (cargo_home(), "/cargo".to_owned()),
            (self.sysroot.clone(), "/toolchain".to_owned()),
            (self.sysroot.join("lib/rustlib/src/rust"), format!("/rustc/{}", self.commit)),
        ];
        mappings.extend(self.crates.iter().map(|folder| (folder.clone(), "/crates".to_owned())));
        mappings.push((workspace.to_owned(), "/rootstock".to_owned()));
        let mut flags = OsString::new();
        for (from, to) in mappings {
            if !flags.is_empty() {
                flags.push("\u{1f}");
            }
            flags.push("--remap-path-prefix=");
            flags.push(from);
            flags.push("=");
            flags.push(to);
        }
        flags
    }
}

fn cargo_home() -> PathBuf {
    std::env::var_os("CARGO_HOME").map(PathBuf::from).unwrap_or_else(|| {
        let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        home.join(".cargo")
    })
}

/// The folders below `registry/src`. The tool that runs this was built from one of them, so it is there.
fn crate_folders(cargo_home: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(cargo_home.join("registry/src")).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    folders.sort();
    folders
}

/// Variables of ours that would change profile, target, flags or place of the build.
pub(super) fn disturbing() -> impl Iterator<Item = OsString> {
    const NAMES: [&str; 8] = [
        "RUSTFLAGS",
        "CARGO_BUILD_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "CARGO_BUILD_TARGET_DIR",
        "CARGO_TARGET_DIR",
        "CARGO_INCREMENTAL",
        "RUSTC",
        "SOURCE_DATE_EPOCH",
    ];
    const PREFIXES: [&str; 2] = ["CARGO_PROFILE_", "CARGO_TARGET_"];
    std::env::vars_os().map(|(name, _)| name).filter(|name| {
        let name = name.to_string_lossy();
        NAMES.contains(&name.as_ref()) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_wins_over_everything_it_lies_in() {
        let rust = Toolchain {
            sysroot: "/home/u/.rustup/toolchains/t".into(),
            commit: "abc".to_owned(),
            crates: vec!["/home/u/.cargo/registry/src/index.crates.io-1".into()],
        };
        let flags = rust.flags(Path::new("/home/u/rootstock")).into_string().unwrap();
        let flags: Vec<&str> = flags.split('\u{1f}').collect();
        assert_eq!(flags.last(), Some(&"--remap-path-prefix=/home/u/rootstock=/rootstock"));
        assert!(flags.contains(&"--remap-path-prefix=/home/u/.cargo/registry/src/index.crates.io-1=/crates"));
        assert!(
            flags.contains(
                &"--remap-path-prefix=/home/u/.rustup/toolchains/t/lib/rustlib/src/rust=/rustc/abc"
            )
        );
    }
}
