//! A real engine and a real registry.

mod around;
mod by_hand;
mod carried;
mod commands;
mod compose;
mod engine;
mod first_boot;
mod first_run;
mod fleet;
mod homes;
mod images;
mod join;
mod mesh;
mod nodes;
mod packages;
mod pods;
mod units;

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
        packages::trials(),
        compose::trials(),
        mesh::trials(),
        around::trials(),
        commands::trials(),
        units::trials(),
        first_boot::trials(),
        first_run::trials(),
    ];
    all.into_iter().flatten().collect()
}
