//! Real readers over our files, and proof that each of them notices a broken one.

mod bases;
mod cards;
mod commands;
mod disks;
mod fetch;
mod flash;
mod fuzz;
mod guard;
mod homes;
mod k3s;
mod kubernetes;
mod mounts;
mod packages;
mod readers;
mod rendered;
mod seeds;
mod single_host;

use tests::ring::Trial;

/// Every noun's trials.
pub fn trials() -> Vec<Trial> {
    let nouns = [
        bases::trials(),
        cards::trials(),
        commands::trials(),
        disks::trials(),
        fetch::trials(),
        flash::trials(),
        fuzz::trials(),
        guard::trials(),
        homes::trials(),
        k3s::trials(),
        kubernetes::trials(),
        mounts::trials(),
        packages::trials(),
        readers::trials(),
        rendered::trials(),
        seeds::trials(),
        single_host::trials(),
    ];
    nouns.into_iter().flatten().collect()
}
