//! `leave` on an agent that ran pods: the machine is what it was before, whatever k3s has done to it since.

use super::super::pods;
use super::at_work::AtWork;
use super::{is_converged, trial};
use anyhow::ensure;
use tests::lab::cluster::{Cluster, bootstrap, join};
use tests::lab::node::{Node, Release};
use tests::lab::snapshot;
use tests::lab::{Lab, Need};
use tests::node::difference;
use tests::programs::said;
use tests::ring::Trial;

/// What is not given back, with the reason; a thing or a place and all below it.
const EXCEPT: [(&str, &str); 24] = [
    ("/etc/group", "dpkg keeps the accounts that packages made, since files may belong to them"),
    ("/etc/group-", "the copy of the former"),
    ("/etc/gshadow", "as /etc/group"),
    ("/etc/gshadow-", "as /etc/group-"),
    ("/etc/passwd", "as /etc/group"),
    ("/etc/passwd-", "as /etc/group-"),
    ("/etc/shadow", "as /etc/group"),
    ("/etc/shadow-", "as /etc/group-"),
    ("/etc/.pwd.lock", "made by whoever changes accounts"),
    ("/run/lock", "locks of others"),
    ("/run/mount", "what mount(8) notes of mounts"),
    ("/run/systemd", "systemd's own running state"),
    ("/run/credentials", "systemd's own running state"),
    ("/run/udev", "the kernel's devices as they come"),
    ("/var/cache/apt", "apt's cache of its lists"),
    ("/var/cache/debconf", "debconf's copies of its former state"),
    ("/var/cache/ldconfig", "ldconfig's cache"),
    ("/var/lib/apt", "apt's lists, which were read anew"),
    ("/var/lib/dpkg", "dpkg's copies of its former state, and the order of its lines"),
    ("/var/log/apt", "the log of what was installed and removed"),
    ("/var/log/dpkg.log", "the same"),
    ("/var/tmp", "private folders of systemd's own services"),
    ("systemd-timedat", "it answered timedatectl, and ends once nobody has asked for a while"),
    ("/run/netns", "where network namespaces are mounted; ip(8) makes it too"),
];

pub fn trials() -> Vec<Trial> {
    vec![
        trial("leave_gives_an_agent_back_as_it_was", |lab| {
            leave(lab, Release::Trixie, &["first", "killed", "last"])
        }),
        trial("leave_gives_an_older_system_back_as_it_was", |lab| leave(lab, Release::Bookworm, &["only"]))
            .needs(&[Need::OlderNode])
            .long(),
    ]
}

fn leave(lab: &Lab, release: Release, rounds: &[&str]) -> anyhow::Result<()> {
    let cluster = Cluster::joined(lab)?;
    let agent = cluster.fresh_of(release, "worker-1", &cluster.token("1h")?)?;
    // A rule, a link and a namespace of somebody else, with names that come close.
    let foreign = "iptables -N KUBEISH; iptables -A INPUT -m comment --comment KUBE- -j KUBEISH; \
                   ip link add cni0x type bridge; ip netns add mine; iptables -t nat -L >/dev/null";
    agent.said("sh", &["-c", foreign])?;
    let before = snapshot::take(&agent)?;
    for round in rounds {
        if *round == "killed" {
            killed(&agent)?;
        } else {
            let joined = join(&agent)?;
            ensure!(joined.code == 0, "{round} join: {}", said(&joined));
            cluster.wait_ready(&agent)?;
            pods::runs_everywhere(cluster.server(), &[&agent])?;
            is_converged(&agent)?;
        }
        let left = bootstrap(&agent, &["leave", "--yes"])?;
        ensure!(left.code == 0 && !said(&left).contains("partly"), "{round} leave: {}", said(&left));
        let after = snapshot::take(&agent)?;
        let (was, is) = (snapshot::without(&before, &EXCEPT), snapshot::without(&after, &EXCEPT));
        ensure!(was == is, "{round}:\n{}", difference(&was, &is));
        // The cluster still knows the machine by its old password (FIELD K8).
        cluster.server().said("kubectl", &["delete", "pod", "--all", "--force", "--wait=false"])?;
        cluster.server().said("kubectl", &["delete", "node", agent.name(), "--ignore-not-found"])?;
    }
    Ok(())
}

/// A join that is killed while k3s starts, so that nobody has noted yet what k3s makes.
fn killed(agent: &Node<'_>) -> anyhow::Result<()> {
    let run = AtWork::bootstrap(agent, &["join", "--yes"])?;
    run.until("k3s makes its folders", "[ -d /var/lib/rancher/k3s/agent/etc ]")?;
    run.signal("KILL")?;
    run.ends_with(137, &[]).map(drop)
}
