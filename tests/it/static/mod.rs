//! Real readers over our files, and proof that each of them notices a broken one.

mod bases;
mod cards;
mod commands;
mod disks;
mod domains;
mod fetch;
mod flash;
mod flux;
mod fuzz;
mod guard;
mod homes;
mod k3s;
mod mounts;
mod packages;
mod readers;
mod rendered;
mod seeds;
mod stacks;

use tests::ring::Trial;

/// Every noun's trials.
pub fn trials() -> Vec<Trial> {
    let nouns = [
        bases::trials(),
        cards::trials(),
        commands::trials(),
        disks::trials(),
        domains::trials(),
        fetch::trials(),
        flash::trials(),
        flux::trials(),
        fuzz::trials(),
        guard::trials(),
        homes::trials(),
        k3s::trials(),
        mounts::trials(),
        packages::trials(),
        readers::trials(),
        rendered::trials(),
        seeds::trials(),
        stacks::trials(),
    ];
    nouns.into_iter().flatten().collect()
}
