//! Commands, the last resort: one runs where its probe asks for it, and never again.

use super::carried::{self, JOIN, PLAN, run};
use anyhow::ensure;
use desired::resource::{Resource, Want};
use tests::lab::node::{Network, Node as Machine, Options};
use tests::lab::{Lab, Need};
use tests::node::{NODE, Node};
use tests::programs::{answering, expect};
use tests::ring::{Ring, Trial};

pub fn trials() -> Vec<Trial> {
    let needs = [Need::Engine, Need::Node];
    vec![
        Trial::new(Ring::Container, "commands::one_runs_once_and_only_where_its_probe_asks", once)
            .needs(&needs),
    ]
}

/// A node whose only resource is that command, which is done once `/var/lib/made` is there.
fn desk(command: &str) -> anyhow::Result<Node> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let (command, unless) = (words(&["sh", "-c", command]), words(&["test", "-e", "/var/lib/made"]));
    Node::new(&[Resource::new(Want::Run { name: "make".to_owned(), command, unless })])
}

fn once(lab: &Lab) -> anyhow::Result<()> {
    let network = Network::new(lab.engine())?;
    let machine = Machine::start(lab, NODE, &network, &Options::default())?;
    carried::program(&machine)?;
    let broken = desk("echo no paper left >&2; exit 3")?;
    expect(&run(&machine, &broken, &PLAN)?, 3, &["run:make"])?;
    expect(&run(&machine, &broken, &JOIN)?, 1, &["FAILED   run:make", "no paper left"])?;
    // It says that all is well, and nothing has come of it.
    expect(
        &run(&machine, &desk("true")?, &JOIN)?,
        1,
        &["FAILED   run:make", "still says that it is needed"],
    )?;
    let works = desk("echo made >>/var/lib/made")?;
    expect(&run(&machine, &works, &JOIN)?, 0, &["done     run:make", "converged"])?;
    expect(&run(&machine, &works, &PLAN)?, 0, &[])?;
    expect(&run(&machine, &works, &JOIN)?, 0, &["nothing to do"])?;
    ensure!(machine.said("cat", &["/var/lib/made"])? == "made", "it ran again");
    // Nobody knows how to take it back, and that is said.
    let left = answering(machine.call("/opt/bootstrap")).args(["leave", "--yes"]).run()?;
    expect(&left, 0, &["`make` did can't be undone by itself"])?;
    ensure!(machine.said("cat", &["/var/lib/made"])? == "made", "it was undone all the same");
    Ok(())
}
