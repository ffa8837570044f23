//! Our program and a bundle, carried to a machine as `/opt/bootstrap` and `/opt/bundle.tar.gz`.

use anyhow::Context as _;
use desired::{FileSet, Mode};
use host::process::Output;
use tests::lab::node::Node as Machine;
use tests::node::Node;
use tests::programs::{answering, folder};

pub const JOIN: [&str; 4] = ["join", "--yes", "--bundle", "/opt/bundle.tar.gz"];
pub const PLAN: [&str; 4] = ["plan", "--detailed-exitcode", "--bundle", "/opt/bundle.tar.gz"];

/// Puts our program there.
pub fn program(machine: &Machine<'_>) -> anyhow::Result<()> {
    let program = std::fs::read(folder()?.join("bootstrap")).context("read our program")?;
    let mut files = FileSet::new();
    files.insert("opt/bootstrap", Mode::EXECUTABLE, program)?;
    machine.place(&files)
}

/// Puts that bundle there, in the place of another.
pub fn bundle(machine: &Machine<'_>, desk: &Node) -> anyhow::Result<()> {
    let mut files = FileSet::new();
    files.insert("opt/bundle.tar.gz", Mode::PUBLIC, std::fs::read(desk.archive())?)?;
    machine.place(&files)
}

/// What our program answers with that bundle beside it.
pub fn run(machine: &Machine<'_>, desk: &Node, words: &[&str]) -> anyhow::Result<Output> {
    bundle(machine, desk)?;
    Ok(answering(machine.call("/opt/bootstrap")).args(words.iter().copied()).run()?)
}
