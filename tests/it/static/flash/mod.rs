//! Cards as a person makes them with `flash` and `image`: on files that play devices, and on loop devices.

mod bases;
mod cut_off;
mod desk;
mod fleets;
mod image;
mod page;
mod passports;
mod refused;
mod served;
mod side_by_side;

use tests::lab::{Lab, Need};
use tests::ring::{Ring, Trial};

pub fn trials() -> Vec<Trial> {
    let nouns = [
        bases::trials(),
        cut_off::trials(),
        fleets::trials(),
        image::trials(),
        page::trials(),
        passports::trials(),
        refused::trials(),
        served::trials(),
        side_by_side::trials(),
    ];
    nouns.into_iter().flatten().collect()
}

/// A trial of this noun.
fn trial(name: &str, needs: &[Need], body: fn(&Lab) -> anyhow::Result<()>) -> Trial {
    Trial::new(Ring::Static, format!("flash::{name}"), body).needs(needs)
}
