//! The rings above unit, as trials of one binary: `cargo test -p tests -- golden::` or `cargo xtask test golden`.
//!
//! A new test is a function in `it/<ring>/<noun>.rs` and a line in that noun's `trials()`; a new noun is a line here.

mod container;
mod golden;
#[path = "static/mod.rs"]
mod real_readers;
mod vm;

use std::process::ExitCode;
use tests::ring::Trial;

fn main() -> ExitCode {
    let rings = [golden::trials(), real_readers::trials(), container::trials(), vm::trials()];
    let mut trials: Vec<Trial> = rings.into_iter().flatten().collect();
    let names = trials.iter().map(Trial::full_name).collect();
    trials.push(golden::coverage::trial(names));
    tests::ring::run(trials)
}
