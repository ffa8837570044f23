//! Real readers over our files, and proof that each of them notices a broken one.

mod commands;
mod fetch;
mod homes;
mod mounts;
mod readers;

use tests::ring::Trial;

/// Every noun's trials.
pub fn trials() -> Vec<Trial> {
    [commands::trials(), fetch::trials(), readers::trials()].into_iter().flatten().collect()
    [commands::trials(), homes::trials(), mounts::trials(), readers::trials()].into_iter().flatten().collect()
}
