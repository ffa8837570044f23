//! A whole fleet from the desk, over a real ssh: joined, looked at, replaced, and every way that ssh fails.

mod faults;
mod join;
mod ready;
mod replace;
mod status;
mod trio;
mod upgrade;

use tests::lab::{Lab, Need};
use tests::ring::{Ring, Trial};

pub fn trials() -> Vec<Trial> {
    let all = [join::trials(), faults::trials(), ready::trials(), replace::trials(), trio::trials()];
    all.into_iter().flatten().collect()
}

fn trial(name: &str, body: fn(&Lab) -> anyhow::Result<()>) -> Trial {
    let needs = [Need::Engine, Need::Node, Need::K3s, Need::Ssh];
    Trial::new(Ring::Container, format!("fleet::{name}"), body).needs(&needs)
}
