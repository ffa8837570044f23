//! Our own binaries as processes, temporary folders, and a copy of the repository to play in.
//!
//! In: nothing, or `ROOTSTOCK_PROGRAMS`, a folder that holds both binaries, set by `cargo xtask test`. Out: calls that
//! take every exit code as an answer, since trials look at codes.

use anyhow::{Context as _, ensure};
use host::process::{Invocation, Output, ProcessError};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
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

/// Runs `call`, which is one program without children that outlive it, and sends it `signal` once `when` holds, if it is
/// still there then. Gives what it answered, or how it died.
///
/// # Errors
/// If it can't be started or signalled, or the moment never comes.
pub fn signalled(
    call: &Invocation,
    signal: &str,
    mut when: impl FnMut() -> bool,
) -> anyhow::Result<Result<Output, ProcessError>> {
    let folder = scratch()?;
    let note = folder.path().join("pid");
    // exec keeps the number, and a child of a non-interactive shell in the background would ignore SIGINT.
    let script = format!("echo $$ >'{}'; exec \"$0\" \"$@\"", note.display());
    let call = answering(call.wrapped("sh", &["-c", &script]));
    std::thread::scope(|scope| {
        let run = scope.spawn(|| call.run());
        until("the start", || std::fs::read_to_string(&note).is_ok_and(|text| text.ends_with('\n')))?;
        until("the moment for the signal", || when() || run.is_finished())?;
        if !run.is_finished() {
            let number = std::fs::read_to_string(&note)?;
            // It may end at this very moment.
            answering(Invocation::new("kill").args(["-s", signal, number.trim()])).run()?;
        }
        run.join().map_err(|_| anyhow::anyhow!("the run panicked"))
    })
}

/// Waits for something that happens soon.
fn until(what: &str, mut happened: impl FnMut() -> bool) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !happened() {
        ensure!(Instant::now() < deadline, "{what} never came");
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Everything a finished call said, for comparing and for messages.
#[must_use]
pub fn said(output: &Output) -> String {
    let all = format!("{}\n{}", output.text(), output.stderr_tail);
    all.trim().to_owned()
}

/// That a call ended so, and said all of these.
///
/// # Errors
/// With everything it said, if not.
pub fn expect(output: &Output, code: i32, words: &[&str]) -> anyhow::Result<()> {
    ensure!(output.code == code, "exit {}, not {code}:\n{}", output.code, said(output));
    for word in words {
        ensure!(said(output).contains(word), "nothing is said of `{word}`:\n{}", said(output));
    }
    Ok(())
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
