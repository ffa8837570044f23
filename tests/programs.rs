//! Our own binaries as processes, temporary folders, and a copy of the repository to play in.
//!
//! In: nothing, or `ROOTSTOCK_PROGRAMS`, a folder that holds both binaries, set by `cargo xtask test`. Out: calls that
//! take every exit code as an answer, since trials look at codes.

use anyhow::Context as _;
use host::process::{Invocation, Output};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;
use tempfile::TempDir;

/// A call of the operator's tool, from the root of the repository.
///
/// # Errors
/// If it can't be built.
pub fn xtask() -> anyhow::Result<Invocation> {
    Ok(answering(Invocation::new(folder()?.join("xtask")).folder(crate::repository())))
}

/// A call of the node's tool.
///
/// # Errors
/// If it can't be built.
pub fn bootstrap() -> anyhow::Result<Invocation> {
    Ok(answering(Invocation::new(folder()?.join("bootstrap"))))
}

/// The same call, with every exit code accepted, so that the trial can look at it.
#[must_use]
pub fn answering(call: Invocation) -> Invocation {
    call.accept((0..=255).collect::<Vec<i32>>())
}

/// Everything a finished call said, for comparing and for messages.
#[must_use]
pub fn said(output: &Output) -> String {
    let all = format!("{}\n{}", output.text(), output.stderr_tail);
    all.trim().to_owned()
}

/// A temporary folder that is gone when dropped.
///
/// # Errors
/// If it can't be made.
pub fn scratch() -> anyhow::Result<TempDir> {
    tempfile::Builder::new().prefix("rootstock-test-").tempdir().context("make a temporary folder")
}

/// A copy of the working tree as a clone would have it, uncommitted changes included, build output left out.
///
/// # Errors
/// If git or the copying fails.
pub fn repository_copy() -> anyhow::Result<TempDir> {
    let copy = scratch()?;
    let source = crate::repository();
    let list = Invocation::new("git").args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let list = list.folder(source).run().context("list the files of the repository")?;
    for name in list.text().split('\0').filter(|name| !name.is_empty()) {
        copy_entry(&source.join(name), &copy.path().join(name))?;
    }
    let git =
        |arguments: &[&str]| Invocation::new("git").args(arguments.iter().copied()).folder(copy.path()).run();
    git(&["init", "--quiet"]).context("make the copy a repository of its own")?;
    Ok(copy)
}

fn copy_entry(from: &Path, to: &Path) -> anyhow::Result<()> {
    let parent = to.parent().context("every file of a repository has a folder")?;
    std::fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
    let what = || format!("copy {}", from.display());
    let Ok(kind) = from.symlink_metadata() else {
        // Listed by git and deleted in the working tree.
        return Ok(());
    };
    if kind.is_symlink() {
        let target = std::fs::read_link(from).with_context(what)?;
        std::os::unix::fs::symlink(target, to).with_context(what)
    } else {
        std::fs::copy(from, to).map(|_| ()).with_context(what)
    }
}

/// The folder with both binaries, built if nobody has built them for this run.
///
/// # Errors
/// If they can't be built.
pub fn folder() -> anyhow::Result<&'static Path> {
    static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    folder.as_deref().map_err(|error| anyhow::anyhow!("{error}"))
}

fn build() -> anyhow::Result<PathBuf> {
    if let Some(folder) = std::env::var_os("ROOTSTOCK_PROGRAMS") {
        return Ok(PathBuf::from(folder));
    }
    let build =
        Invocation::new("cargo").args(["build", "--quiet", "--package", "xtask", "--package", "bootstrap"]);
    build
        .folder(crate::repository())
        .timeout(Duration::from_secs(1800))
        .run()
        .context("build both binaries")?;
    // This binary is target/debug/deps/it-HASH; the programs are two folders up.
    let here = std::env::current_exe().context("find this test binary")?;
    let folder = here.ancestors().nth(2).context("this test binary has a target folder")?;
    Ok(folder.to_owned())
}
