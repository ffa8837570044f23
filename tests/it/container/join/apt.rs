//! Packages by a real apt from an archive of the lab: what may be in its way.

use super::at_work::{AtWork, Held, nothing_goes_on, sh};
use super::trial;
use anyhow::ensure;
use tests::lab::Lab;
use tests::lab::bundle::Bundle;
use tests::lab::cluster::bootstrap;
use tests::lab::node::{Network, Node, Options};
use tests::programs::said;
use tests::ring::Trial;

/// Only the packages, as the first agent has them.
const JOIN: [&str; 6] = ["join", "--yes", "--node", "worker-2", "--only", "packages:apt"];
pub fn trials() -> Vec<Trial> {
    vec![
        trial("apt_in_trouble_says_so_and_goes_on", trouble),
        trial("apt_at_work_is_ended_or_waited_for", at_work),
    ]
}

fn node<'lab>(lab: &'lab Lab, network: &Network<'_>) -> anyhow::Result<Node<'lab>> {
    let stick = Bundle::of(lab)?.stick();
    Node::start(lab, "worker-2", network, &Options { stick: Some(&stick), ..Options::default() })
}

fn has_packages(node: &Node<'_>) -> anyhow::Result<bool> {
    let ask = "dpkg-query -W -f '${Status}\\n' systemd-timesyncd tzdata 2>/dev/null | grep -c '^install ok installed$' || true";
    Ok(sh(node, ask)?.trim() == "2")
}

fn trouble(lab: &Lab) -> anyhow::Result<()> {
    let network = Network::new(lab.engine())?;
    let node = node(lab, &network)?;
    let list = "/etc/apt/sources.list.d/lab.list";
    let fails = |what: &str, words: &[&str]| -> anyhow::Result<()> {
        let output = bootstrap(&node, &JOIN)?;
        ensure!(output.code == 1, "{what}: exit {}: {}", output.code, said(&output));
        for word in words {
            ensure!(said(&output).contains(word), "{what}: nothing of `{word}`: {}", said(&output));
        }
        Ok(())
    };
    sh(&node, &format!("cp {list} /root/; echo 'deb [trusted=yes] http://127.0.0.1:9/ ./' >{list}"))?;
    fails("no network", &["FAILED", "packages:apt", "apt-get", "tzdata"])?;
    sh(
        &node,
        &format!("cp /root/lab.list {list}; mv /srv/packages/Packages /root/; : >/srv/packages/Packages"),
    )?;
    fails("package missing", &["FAILED", "packages:apt", "Unable to locate package"])?;
    sh(
        &node,
        "mv /root/Packages /srv/packages/; mkdir -p /usr/share/zoneinfo; mount -t tmpfs -o size=64k tmpfs /usr/share/zoneinfo",
    )?;
    fails(
        "disk full",
        &["FAILED", "packages:apt", "file system of this node is full", "No space left on device", "df -h"],
    )?;
    // A power cut while dpkg was at it: a package that is only unpacked, and notes not yet taken over.
    let cut = "umount /usr/share/zoneinfo; dpkg --unpack /srv/packages/tzdata_*.deb; \
               dpkg -s tzdata >/var/lib/dpkg/updates/0000";
    sh(&node, cut)?;
    let output = bootstrap(&node, &JOIN)?;
    ensure!(output.code == 0 && has_packages(&node)?, "dpkg interrupted before: {}", said(&output));
    let again = bootstrap(&node, &JOIN)?;
    ensure!(again.code == 0 && said(&again).contains("nothing to do"), "{}", said(&again));
    let left = bootstrap(&node, &["leave", "--yes"])?;
    ensure!(left.code == 0 && !has_packages(&node)?, "leave: {}", said(&left));
    Ok(())
}

/// ^C ends apt; one that a killed join has left is waited for, and so is one of somebody else.
fn at_work(lab: &Lab) -> anyhow::Result<()> {
    let network = Network::new(lab.engine())?;
    let node = node(lab, &network)?;
    let begin = || AtWork::bootstrap(&node, &JOIN);
    let held = Held::new(&node)?;
    let run = begin()?;
    run.until("apt is at work", Held::IS_AT_WORK)?;
    run.signal("INT")?;
    run.ends_with(130, &["interrupted"])?;
    nothing_goes_on(&node)?;
    ensure!(!has_packages(&node)?, "apt went on");
    // Killed, it can end nothing: apt works on, and holds the lock of the run.
    sh(&node, "rm -f /run/apt-at-work")?;
    let run = begin()?;
    run.until("apt is at work", Held::IS_AT_WORK)?;
    run.signal("KILL")?;
    let next = begin()?;
    next.until_it_says("waiting: ")?;
    let said = next.said()?;
    ensure!(said.contains("`apt-get`, process "), "who is waited for: {said}");
    held.let_go()?;
    next.ends_with(0, &["converged"])?;
    ensure!(has_packages(&node)?, "nothing was installed");
    ensure!(bootstrap(&node, &["leave", "--yes"])?.code == 0 && !has_packages(&node)?, "leave");
    others(&node)
}

/// Of the packages' lock apt says nothing while it waits; of that of the lists it knows no waiting at all.
fn others(node: &Node<'_>) -> anyhow::Result<()> {
    for (line, lock) in [
        ("apt-get -y install tzdata", "/var/lib/dpkg/lock-frontend"),
        ("apt-get update", "/var/lib/apt/lists/lock"),
    ] {
        let held = Held::new(node)?;
        let other = AtWork::start(node, line)?;
        other.until("the other one is at work", Held::IS_AT_WORK)?;
        let run = AtWork::bootstrap(node, &JOIN)?;
        run.until_it_says("waiting, at most 10 min, for ")?;
        let said = run.said()?;
        let named = format!("`apt-get`, process {}", other.pid);
        ensure!(said.contains(&named) && said.contains(lock), "who has {lock}: {said}");
        held.let_go()?;
        other.ends_with(0, &[])?;
        run.ends_with(0, &["converged"])?;
        ensure!(has_packages(node)?, "nothing was installed beside {line}");
        // Also given back only once nobody else works with packages.
        let held = Held::new(node)?;
        let other = AtWork::start(node, line.replace("install", "install --reinstall").as_str())?;
        other.until("the other one is at work", Held::IS_AT_WORK)?;
        let leave = AtWork::bootstrap(node, &["leave", "--yes"])?;
        leave.until_it_says("waiting, at most 10 min, for ")?;
        held.let_go()?;
        leave.ends_with(0, &["restored  packages:apt"])?;
        other.ends_with(0, &[])?;
        sh(node, "dpkg --purge tzdata 2>/dev/null; true")?;
    }
    Ok(())
}
