//! What needs a kernel of its own, or another architecture than this machine's.

mod card;
mod drill;
mod foreign;
mod k3s;
mod power;
mod share;
mod whole;

use tests::lab::{Lab, Need};
use tests::ring::{Ring, Trial};

/// Every noun's trials.
pub fn trials() -> Vec<Trial> {
    let all =
        [card::trials(), drill::trials(), foreign::trials(), share::trials(), power::trials(), k3s::trials()];
    all.into_iter().flatten().collect()
}

/// A trial with guests.
fn trial(name: &str, body: fn(&Lab) -> anyhow::Result<()>) -> Trial {
    Trial::new(Ring::Vm, name, body).needs(&[Need::Guest])
}
