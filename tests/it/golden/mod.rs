//! Needs nothing: our own output against committed trees, and facts about this repository.

mod build;
mod check;
mod dependencies;
mod guide;
mod trees;

use tests::ring::Trial;

/// Every noun's trials.
pub fn trials() -> Vec<Trial> {
    [build::trials(), check::trials(), dependencies::trials(), guide::trials(), trees::trials()]
        .into_iter()
        .flatten()
        .collect()
}
