//! The bundle's image on a machine: its container changes the machine around it, and nothing of itself.

use anyhow::ensure;
use desired::Arch;
use host::process::Output;
use tests::lab::bundle::Bundle;
use tests::lab::node::{Network, Node, Options};
use tests::lab::{Lab, Need};
use tests::programs::{answering, expect};
use tests::ring::{Ring, Trial};

const IMAGE: &str = "rootstock-bundle:trial";
const NODE: &str = "worker-1";

pub fn trials() -> Vec<Trial> {
    let needs = [Need::Engine, Need::Node, Need::K3s];
    vec![
        Trial::new(Ring::Container, "around::a_container_joins_the_machine_it_runs_on", joined).needs(&needs),
    ]
}

fn joined(lab: &Lab) -> anyhow::Result<()> {
    let bundle = Bundle::of(lab)?;
    // The image's one layer is the bundle file; the engine makes the same of it without a registry.
    let import = lab.engine().docker().args(["import", "--change", "ENTRYPOINT [\"/rootstock/bootstrap\"]"]);
    import.arg(bundle.archive(Arch::Amd64)).arg(IMAGE).run()?;
    let network = Network::new(lab.engine())?;
    let machine = Node::start(lab, NODE, &network, &Options::default())?;
    machine.said("hostnamectl", &["set-hostname", "fresh"])?;
    let run = |options: &[&str], words: &[&str]| -> anyhow::Result<Output> {
        let call = lab.engine().docker().args(["run", "--rm", "--network", "none"]);
        let call = call.args(options.iter().copied()).arg(IMAGE);
        Ok(answering(call.args(words.iter().copied())).run()?)
    };
    let around = format!("container:{}", machine.container());
    let only = ["--only", "hostname", "artifact:/usr/local/bin/bootstrap"];
    let join = [&["join", "--root", "/proc/1/root", "--node", NODE, "--yes"], &only[..]].concat();
    expect(&run(&["--pid", &around], &join)?, 5, &["open the root /proc/1/root", "--privileged"])?;
    let output = run(&["--privileged", "--pid", &around], &join)?;
    expect(
        &output,
        0,
        &["done     hostname", "done     artifact:/usr/local/bin/bootstrap", "as far as --only goes"],
    )?;
    // The kernel of that machine was asked, not only its files written.
    ensure!(machine.said("hostname", &[])?.trim() == NODE, "the running system has another name");
    // Image, container and bundle are gone, and the node answers for itself.
    let status = answering(machine.call("/usr/local/bin/bootstrap").arg("status")).run()?;
    expect(&status, 3, &["node         worker-1 of cluster lab", "changes pending"])?;
    let leave = answering(machine.call("/usr/local/bin/bootstrap").args(["leave", "--yes"])).run()?;
    expect(&leave, 0, &["restored  hostname", "the journal is gone"])?;
    ensure!(machine.said("hostname", &[])?.trim() == "fresh", "the name was not given back");
    ensure!(machine.read("/usr/local/bin/bootstrap").is_err(), "the program stayed");
    Ok(())
}
