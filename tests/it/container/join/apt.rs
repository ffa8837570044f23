//! Packages by a real apt from an archive of the lab: what may be in its way.

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
    vec![trial("apt_in_trouble_says_so_and_goes_on", trouble)]
}

fn node<'lab>(lab: &'lab Lab, network: &Network<'_>) -> anyhow::Result<Node<'lab>> {
    let stick = Bundle::of(lab)?.stick();
    Node::start(lab, "worker-2", network, &Options { stick: Some(&stick), ..Options::default() })
}

fn sh(node: &Node<'_>, script: &str) -> anyhow::Result<String> {
    node.said("sh", &["-c", script])
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
    // A power cut while dpkg was at it: a package that is only unpacked, and notes not yet taken over.
    let cut = "mv /root/Packages /srv/packages/; dpkg --unpack /srv/packages/tzdata_*.deb; \
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
