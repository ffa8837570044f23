//! A real engine and a real registry.

mod around;
mod by_hand;
mod engine;
mod fleet;
mod homes;
mod images;
mod join;
mod nodes;

use tests::ring::Trial;

/// Every noun's trials.
pub fn trials() -> Vec<Trial> {
    let all = [
        engine::trials(),
        images::trials(),
        by_hand::trials(),
        nodes::trials(),
        join::trials(),
        fleet::trials(),
        homes::trials(),
        around::trials(),
    ];
    all.into_iter().flatten().collect()
}
