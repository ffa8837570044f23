//! A whole fleet from the desk, over a real ssh: joined, and joined again.

mod join;

use tests::lab::{Lab, Need};
use tests::ring::{Ring, Trial};

pub fn trials() -> Vec<Trial> {
    join::trials()
}

fn trial(name: &str, body: fn(&Lab) -> anyhow::Result<()>) -> Trial {
    let needs = [Need::Engine, Need::Node, Need::K3s, Need::Ssh];
    Trial::new(Ring::Container, format!("fleet::{name}"), body).needs(&needs)
}
