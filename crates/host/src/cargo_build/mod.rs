//! The node's program for both arches, built by cargo: static, small, the same bytes wherever it is built.
//!
//! In: the workspace's folder. Out: one [`Program`] an arch with its digest, below `target/node/programs/`; cargo runs
//! only when a source, the lock or the toolchain changed. Paths of the building machine are mapped to fixed names, so
//! two clones in different folders give identical files. Missing Rust targets are added, and that is said.

mod flags;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use desired::{Arch, ByteSize, Digest, Mode};
use serde::{Deserialize, Serialize};

use crate::elf;
use crate::freshness::{Inputs, Record};
use crate::process::{Invocation, ProcessError};
use crate::report::{Kind, Report};

/// A cold build of both arches on one slow core.
const LONGEST: Duration = Duration::from_secs(3600);

/// The node's program for one arch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// For which arch.
    pub arch: Arch,
    /// Where it lies.
    pub path: PathBuf,
    /// Bytes.
    pub size: ByteSize,
    /// SHA-256.
    pub digest: Digest,
}

/// Why there are no programs.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A file could not be read or written.
    #[error("{act} {}", path.display())]
    File {
        /// What was done.
        act: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The Rust target is missing and could not be added.
    #[error("the Rust target {target} is missing and could not be added; with a network, type: {command}")]
    Target {
        /// The target.
        target: &'static str,
        /// What to type.
        command: String,
        /// What rustup said.
        source: ProcessError,
    },
    /// There is no usable cargo or rustc.
    #[error("the Rust toolchain does not answer; install it from https://rustup.rs")]
    Toolchain(#[source] ProcessError),
    /// The compiler refused.
    #[error("cargo could not build the node's program")]
    Cargo(#[source] ProcessError),
    /// What cargo left is no static program for the arch.
    #[error("{} is no static program for {arch}: {why}", path.display())]
    NotStatic {
        /// The file.
        path: PathBuf,
        /// The arch it was built for.
        arch: Arch,
        /// What it is instead.
        why: String,
    },
}

impl BuildError {
    /// Whether something has to be installed or reached first, rather than repaired.
    #[must_use]
    pub const fn is_missing_prerequisite(&self) -> bool {
        matches!(self, Self::Target { .. } | Self::Toolchain(_))
    }
}

fn file_error(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BuildError {
    move |source| BuildError::File { act, path: path.to_owned(), source }
}

/// The digest of everything that decides the programs' bytes; a few milliseconds.
///
/// # Errors
/// If a source can't be read.
pub fn inputs(workspace: &Path) -> Result<Digest, BuildError> {
    const PARTS: [&str; 10] = [
        "Cargo.toml",
        "Cargo.lock",
        "rust-toolchain.toml",
        ".cargo/config.toml",
        "bootstrap/Cargo.toml",
        "bootstrap/src",
        "crates/desired/Cargo.toml",
        "crates/desired/src",
        "crates/host/Cargo.toml",
        "crates/host/src",
    ];
    let mut inputs = Inputs::default();
    for part in PARTS {
        let path = workspace.join(part);
        inputs.add_path(part, &path).map_err(file_error("read", &path))?;
    }
    Ok(inputs.digest())
}

/// The programs for both arches, in [`Arch::ALL`]'s order; built only if something changed.
///
/// # Errors
/// [`BuildError`].
pub fn programs(workspace: &Path, offline: bool, report: &Report) -> Result<Vec<Program>, BuildError> {
    let folder = workspace.join("target/node/programs");
    let inputs = inputs(workspace)?;
    if let Some(programs) = fresh(&folder, &inputs) {
        return Ok(programs);
    }
    let rust = flags::Toolchain::ask(workspace)?;
    for arch in Arch::ALL {
        add_target(&rust, workspace, arch, report)?;
    }
    run_cargo(&rust, workspace, &inputs, offline, report)?;
    let programs: Vec<Program> =
        Arch::ALL.into_iter().map(|arch| collect(workspace, &folder, arch)).collect::<Result<_, _>>()?;
    let summary = serde_json::to_value(&programs).map_err(io::Error::from);
    summary
        .and_then(|summary| Record::write(&folder, inputs, summary))
        .map_err(file_error("note the programs in", &folder))?;
    Ok(programs)
}

/// What an earlier run left, if nothing changed since. Paths are made anew: the workspace may have moved.
fn fresh(folder: &Path, inputs: &Digest) -> Option<Vec<Program>> {
    let record = Record::fresh(folder, inputs)?;
    let mut programs: Vec<Program> = serde_json::from_value(record.summary).ok()?;
    for program in &mut programs {
        program.path = folder.join(file_name(program.arch));
    }
    programs.iter().map(|program| program.arch).eq(Arch::ALL).then_some(programs)
}

fn file_name(arch: Arch) -> String {
    format!("bootstrap-{arch}")
}

fn add_target(
    rust: &flags::Toolchain,
    workspace: &Path,
    arch: Arch,
    report: &Report,
) -> Result<(), BuildError> {
    let target = arch.rust_target();
    if rust.sysroot.join("lib/rustlib").join(target).join("lib").is_dir() {
        return Ok(());
    }
    report.say(format!("adding the Rust target {target} with rustup"));
    let call = Invocation::new("rustup").args(["target", "add", target]).folder(workspace).timeout(LONGEST);
    match call.run_streaming(|_| {}) {
        Ok(_) => Ok(()),
        Err(source) => Err(BuildError::Target { target, command: call.line(), source }),
    }
}

fn run_cargo(
    rust: &flags::Toolchain,
    workspace: &Path,
    inputs: &Digest,
    offline: bool,
    report: &Report,
) -> Result<(), BuildError> {
    let target_folder = workspace.join("target/node");
    let mut call = Invocation::new("cargo")
        .args(["build", "--locked", "--profile", "node", "--package", "bootstrap"])
        .args(Arch::ALL.iter().flat_map(|arch| ["--target", arch.rust_target()]))
        .arg("--target-dir")
        .arg(&target_folder)
        .env("CARGO_ENCODED_RUSTFLAGS", rust.flags(workspace))
        .env("ROOTSTOCK_SOURCE_DIGEST", inputs.hex())
        .folder(workspace)
        .timeout(LONGEST);
    if offline {
        call = call.arg("--offline");
    }
    for name in flags::disturbing() {
        call = call.env_remove(name);
    }
    let task = report.task(Kind::Compile, "the node's program, amd64 and arm64", None);
    let progress = |line: &str| {
        if line.trim_start().starts_with("Compiling ") {
            task.inc(1);
        }
    };
    match call.run_streaming(progress) {
        Ok(_) => {
            task.finish("");
            Ok(())
        }
        Err(error) => {
            task.fail("cargo failed");
            Err(BuildError::Cargo(error))
        }
    }
}

/// Checks what cargo left for `arch` and copies it to the place where it stays.
fn collect(workspace: &Path, folder: &Path, arch: Arch) -> Result<Program, BuildError> {
    let built = workspace.join("target/node").join(arch.rust_target()).join("node/bootstrap");
    let bytes = std::fs::read(&built).map_err(file_error("read", &built))?;
    if let Err(why) = elf::expect_static(&bytes, arch) {
        return Err(BuildError::NotStatic { path: built, arch, why });
    }
    let path = folder.join(file_name(arch));
    crate::tree::write_file(&path, Mode::EXECUTABLE, &bytes).map_err(file_error("write", &path))?;
    Ok(Program { arch, path, size: ByteSize(bytes.len() as u64), digest: Digest::sha256_of(&bytes) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in [("Cargo.toml", "[workspace]"), ("bootstrap/src/main.rs", "fn main() {}")] {
            crate::tree::write_file(&folder.path().join(path), Mode::PUBLIC, text.as_bytes()).unwrap();
        }
        folder
    }

    #[test]
    fn only_a_changed_source_calls_for_cargo() {
        let (one, two) = (workspace(), workspace());
        let before = inputs(one.path()).unwrap();
        assert_eq!(before, inputs(two.path()).unwrap());
        std::fs::write(one.path().join("README.md"), "text").unwrap();
        assert_eq!(before, inputs(one.path()).unwrap());
        std::fs::write(one.path().join("bootstrap/src/main.rs"), "fn main() { }").unwrap();
        assert_ne!(before, inputs(one.path()).unwrap());
    }

    #[test]
    fn programs_made_from_these_sources_are_taken_as_they_are() {
        let folder = workspace();
        let programs_folder = folder.path().join("target/node/programs");
        let made: Vec<Program> = Arch::ALL
            .into_iter()
            .map(|arch| {
                let path = programs_folder.join(file_name(arch));
                crate::tree::write_file(&path, Mode::EXECUTABLE, b"elf").unwrap();
                Program { arch, path, size: ByteSize(3), digest: Digest::sha256_of(b"elf") }
            })
            .collect();
        let inputs = inputs(folder.path()).unwrap();
        Record::write(&programs_folder, inputs, serde_json::to_value(&made).unwrap()).unwrap();
        let report = Report::recording();
        assert_eq!(programs(folder.path(), true, &report).unwrap(), made);
        assert_eq!(report.recorded(), []);
    }
}
