//! `ci`: what must hold before a change lands, in the order in which it fails fastest.
//!
//! In: the working tree. Out: talk of the tools on stderr, exit 0 only if every step holds.

use crate::cli::Common;
use crate::exit::{Code, Failure, Outcome};
use anyhow::Context as _;
use clap::Args;
use xshell::{Shell, cmd};

/// Arguments of `ci`.
#[derive(Debug, Args)]
pub struct Arguments {}

/// Runs every step, also after one has failed, and names the failed ones at the end.
pub fn run(_common: &Common, _arguments: &Arguments) -> Outcome {
    let shell = Shell::new().context("find the current directory").map_err(Failure::with(Code::Missing))?;
    let steps = [
        ("formatting (cure: cargo fmt --all)", cmd!(shell, "cargo fmt --all --check")),
        ("lints", cmd!(shell, "cargo clippy --quiet --workspace --all-targets -- -D warnings")),
        ("tests", cmd!(shell, "cargo test --quiet --workspace")),
    ];
    let failed: Vec<&str> =
        steps.into_iter().filter(|(_, step)| step.run().is_err()).map(|(name, _)| name).collect();
    if failed.is_empty() {
        return Ok(Code::Done);
    }
    Err(Failure::new(Code::ProblemsFound, format!("did not hold: {}", failed.join(", "))))
}
