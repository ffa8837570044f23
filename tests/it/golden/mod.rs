//! Needs nothing: our own output against committed trees, and facts about this repository.

mod build;
mod check;
mod dependencies;
mod guide;

use tests::ring::Trial;

/// Every noun's trials.
pub fn trials() -> Vec<Trial> {
    [build::trials(), check::trials(), dependencies::trials(), guide::trials()]
        .into_iter()
        .flatten()
        .collect()
}
