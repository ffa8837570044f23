//! `ci`: what must hold before a change lands, in the order in which it fails fastest.
//!
//! In: the working tree. Out: talk of the tools on stderr, on stdout what the test rings say; exit 0 only if every
//! step holds.

use crate::common::Common;
use crate::exit::{Code, Failure, Outcome};
use crate::{docs_links, repository, verbs};
use anyhow::Context as _;
use clap::{Args, Command};
use std::io::Write as _;
use xshell::{Shell, cmd};

/// Arguments of `ci`.
#[derive(Debug, Args)]
#[group(skip)] // the flattened ones form a group of this name already
pub struct Arguments {
    /// The test rings, as for `test`
    #[command(flatten)]
    tests: verbs::test::Arguments,
}

/// Runs every step (`command` is our own command line), also after one has failed, and names the failed ones; the tests come last, so that their closing
/// line is the last on stdout.
pub fn run(common: &Common, arguments: &Arguments, command: Command) -> Outcome {
    let shell = Shell::new().context("find the current directory").map_err(Failure::with(Code::Missing))?;
    let root = repository::root()?;
    shell.change_dir(&root);
    let steps = [
        ("formatting (cure: cargo fmt --all)", cmd!(shell, "cargo fmt --all --check")),
        ("lints", cmd!(shell, "cargo clippy --workspace --all-targets -- -D warnings")),
    ];
    // Read, not run: stdout is the answer's place, and what these tools write there is only talk.
    let mut failed: Vec<&str> =
        steps.iter().filter(|(_, step)| step.read().is_err()).map(|(name, _)| *name).collect();
    let links = docs_links::broken(&root)?;
    for link in &links {
        // A closed stderr changes nothing about the link.
        let _ = writeln!(anstream::stderr().lock(), "{link}");
    }
    if !links.is_empty() {
        failed.push("links between documents");
    }
    let stale = verbs::codegen::stale(&root, command)?;
    for path in &stale {
        let _ = writeln!(anstream::stderr().lock(), "{path}: not what the code says");
    }
    if !stale.is_empty() {
        failed.push("generated files (cure: cargo xtask codegen)");
    }
    match verbs::test::run(common, &arguments.tests) {
        Ok(_) => {}
        Err(failure) if failure.code == Code::ProblemsFound => failed.push("tests"),
        Err(failure) => return Err(failure),
    }
    if failed.is_empty() {
        return Ok(Code::Done);
    }
    Err(Failure::new(Code::ProblemsFound, format!("did not hold: {}", failed.join(", "))))
}
