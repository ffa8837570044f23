//! Real readers over our files, and proof that each of them notices a broken one.

mod commands;
mod fetch;
mod homes;
mod k3s;
mod mounts;
mod packages;
mod readers;
mod rendered;

use tests::ring::Trial;

/// Every noun's trials.
pub fn trials() -> Vec<Trial> {
    let nouns = [
        commands::trials(),
        fetch::trials(),
        homes::trials(),
        k3s::trials(),
        mounts::trials(),
        packages::trials(),
        readers::trials(),
        rendered::trials(),
    ];
    nouns.into_iter().flatten().collect()
}
