//! What our documents tell people to type, typed: every command block of the README and the guide, in a fresh copy of
//! the repository, with the programs that this run has built.

use anyhow::Context as _;
use host::process::Invocation;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tests::documents::blocks;
use tests::programs;
use tests::ring::{Ring, Trial};

pub fn trials() -> Vec<Trial> {
    let root = tests::repository();
    let guide =
        std::fs::read_dir(root.join("docs/guide")).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut documents: Vec<PathBuf> =
        guide.filter(|path| path.extension().is_some_and(|kind| kind == "md")).collect();
    documents.push(root.join("README.md"));
    documents.retain(|path| path.exists());
    documents.sort();
    let trial = |path: PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Trial::new(Ring::Static, format!("commands::{name}"), move |_| typed(&path))
    };
    documents.into_iter().map(trial).collect()
}

fn typed(document: &Path) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(document)?;
    let copy = programs::repository_copy()?;
    let path = path_with_our_programs(copy.path())?;
    for block in blocks(&text)?.into_iter().filter(|block| block.skipped.is_none()) {
        let call =
            Invocation::new("sh").args(["-eu", "-c", &block.script]).folder(copy.path()).env("PATH", &path);
        let call = call.timeout(Duration::from_secs(1800));
        call.run().with_context(|| format!("{}, line {}", document.display(), block.line))?;
    }
    Ok(())
}

/// A `PATH` on which `cargo xtask` is the program that was built already: compiling the copy would prove the compiler.
pub(super) fn path_with_our_programs(copy: &Path) -> anyhow::Result<std::ffi::OsString> {
    let folder = copy.join("target/programs");
    std::fs::create_dir_all(&folder)?;
    let cargo = host::process::find_program("cargo").context("cargo is on PATH")?;
    let shim = format!(
        "#!/bin/sh\nif [ \"${{1:-}}\" = xtask ]; then shift; CARGO_MANIFEST_DIR='{}/xtask' exec '{}' \"$@\"; fi\nexec '{}' \"$@\"\n",
        copy.display(),
        programs::folder()?.join("xtask").display(),
        cargo.display()
    );
    let path = folder.join("cargo");
    std::fs::write(&path, shim)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    let rest = std::env::var_os("PATH").unwrap_or_default();
    let folders = [folder, programs::folder()?.to_owned()].into_iter().chain(std::env::split_paths(&rest));
    std::env::join_paths(folders).context("join PATH")
}
