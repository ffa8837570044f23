//! A unit that waits for something of others: a join is not held up by it, and does not take a failure for waiting.

use super::carried::{self, JOIN, PLAN, run};
use anyhow::ensure;
use desired::Mode;
use desired::resource::{Owner, Resource, Want};
use std::time::Duration;
use tests::lab::node::{Network, Node as Machine, Options, wait_for};
use tests::lab::{Lab, Need};
use tests::node::{NODE, Node};
use tests::programs::expect;
use tests::ring::{Ring, Trial};

const UNIT: &str = "trial-waiter.service";

pub fn trials() -> Vec<Trial> {
    let needs = [Need::Engine, Need::Node];
    vec![
        Trial::new(Ring::Container, "units::one_that_waits_holds_up_no_join", waits).needs(&needs),
        Trial::new(Ring::Container, "units::those_that_changed_are_restarted_after_one_reload", reloads)
            .needs(&needs),
    ]
}

/// The unit, which does `work` when it is started.
fn resources(work: &str) -> anyhow::Result<Vec<Resource>> {
    let content = format!(
        "[Service]\nType=oneshot\nRemainAfterExit=yes\nTimeoutStartSec=infinity\n\
         ExecStart=/bin/sh -c '{work}'\n[Install]\nWantedBy=multi-user.target\n"
    );
    let path = format!("/etc/systemd/system/{UNIT}").parse()?;
    let file = Resource::new(Want::File { path, mode: Mode::PUBLIC, owner: Owner::root(), content });
    let restart_on = [file.id.clone()].into();
    let unit = Want::Unit { name: UNIT.parse()?, enabled: true, active: true, waits: true, restart_on };
    Ok(vec![Resource::new(unit), file])
}

fn waits(lab: &Lab) -> anyhow::Result<()> {
    let network = Network::new(lab.engine())?;
    let machine = Machine::start(lab, NODE, &network, &Options::default())?;
    carried::program(&machine)?;
    let state = || machine.call("systemctl").args(["is-active", UNIT]).accept([0, 3]).run();
    let desk = Node::new(&resources("until test -e /run/there; do sleep 0.2; done")?)?;
    let unit = format!("done     unit:{UNIT}");
    expect(&run(&machine, &desk, &JOIN)?, 0, &[&unit, "converged"])?;
    ensure!(state()?.text() == "activating", "it does not wait: {}", state()?.text());
    expect(&run(&machine, &desk, &PLAN)?, 0, &[])?;
    machine.said("touch", &["/run/there"])?;
    wait_for("it has what it waits for", Duration::from_secs(60), || {
        Ok((state()?.text() == "active").then_some(()))
    })?;
    expect(&run(&machine, &desk, &JOIN)?, 0, &["nothing to do"])?;
    // One that gives up is none that waits.
    let broken = Node::new(&resources("echo nobody is there >&2; exit 1")?)?;
    expect(&run(&machine, &broken, &JOIN)?, 1, &[UNIT, "nobody is there"])
}

/// Three units, of which two are edited: they are started again, the third is not, and systemd reads its files once.
fn reloads(lab: &Lab) -> anyhow::Result<()> {
    let network = Network::new(lab.engine())?;
    let machine = Machine::start(lab, NODE, &network, &Options::default())?;
    carried::program(&machine)?;
    let mut all = Vec::new();
    for name in ["one", "two", "three"] {
        let content = "[Service]\nExecStart=/usr/bin/sleep infinity\n".to_owned();
        let path = format!("/etc/systemd/system/trial-{name}.service").parse()?;
        let file = Resource::new(Want::File { path, mode: Mode::PUBLIC, owner: Owner::root(), content });
        let (unit, restart_on) = (format!("trial-{name}.service").parse()?, [file.id.clone()].into());
        let unit = Want::Unit { name: unit, enabled: false, active: true, waits: false, restart_on };
        all.extend([file, Resource::new(unit)]);
    }
    let desk = Node::new(&all)?;
    let seen = || -> anyhow::Result<(usize, Vec<String>)> {
        let journal = machine.said("journalctl", &["-o", "cat", "_PID=1"])?;
        let reloads = journal.lines().filter(|line| line.starts_with("Reloading finished")).count();
        let show = ["show", "--value", "-p", "MainPID", "trial-one", "trial-two", "trial-three"];
        let processes = machine.said("systemctl", &show)?;
        Ok((reloads, processes.split_whitespace().map(str::to_owned).collect()))
    };
    let before = seen()?.0;
    expect(&run(&machine, &desk, &JOIN)?, 0, &["converged"])?;
    let (reloads, first) = seen()?;
    ensure!(reloads == before + 1 && first.len() == 3, "{before} reloads, then {reloads}: {first:?}");
    expect(&run(&machine, &desk, &JOIN)?, 0, &["nothing to do"])?;
    ensure!(seen()? == (reloads, first.clone()), "a join without a change did something: {:?}", seen()?);
    let edit =
        "cd /etc/systemd/system; echo '# mine' >>trial-one.service; echo '# mine' >>trial-three.service";
    machine.said("sh", &["-c", edit])?;
    expect(&run(&machine, &desk, &JOIN)?, 0, &["converged"])?;
    let (after, second) = seen()?;
    ensure!(after == reloads + 1, "{} reloads for two files", after - reloads);
    let restarted: Vec<bool> = first.iter().zip(&second).map(|(one, other)| one != other).collect();
    ensure!(restarted == [true, false, true], "restarted: {restarted:?}");
    Ok(())
}
