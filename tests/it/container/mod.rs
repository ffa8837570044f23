//! A real engine and a real registry.

mod by_hand;
mod engine;
mod images;
mod nodes;

use tests::ring::Trial;

/// Every noun's trials.
pub fn trials() -> Vec<Trial> {
    [engine::trials(), images::trials(), by_hand::trials(), nodes::trials()].into_iter().flatten().collect()
}
