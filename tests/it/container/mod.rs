//! A real engine and a real registry.

mod engine;
mod images;

use tests::ring::Trial;

/// Every noun's trials.
pub fn trials() -> Vec<Trial> {
    [engine::trials(), images::trials()].into_iter().flatten().collect()
}
