//! Needs nothing: our own output against committed trees, and facts about this repository.

mod artifacts;
mod build;
mod check;
pub mod coverage;
mod dependencies;
mod doctor;
mod guide;
mod interrupt;
mod join;
#[path = "../../../crates/host/src/fetch/lying_server.rs"]
mod lying_server;
mod mistakes;
mod seeds;
mod snippets;
mod trees;

use tests::ring::Trial;

/// Every noun's trials.
pub fn trials() -> Vec<Trial> {
    let nouns = [
        artifacts::trials(),
        build::trials(),
        check::trials(),
        dependencies::trials(),
        doctor::trials(),
        guide::trials(),
        interrupt::trials(),
        join::trials(),
        mistakes::trials(),
        seeds::trials(),
        snippets::trials(),
        trees::trials(),
    ];
    nouns.into_iter().flatten().collect()
}
