//! A real engine and a real registry.

mod by_hand;
mod engine;
mod images;

use tests::ring::Trial;

/// Every noun's trials.
pub fn trials() -> Vec<Trial> {
    [engine::trials(), images::trials(), by_hand::trials()].into_iter().flatten().collect()
}
