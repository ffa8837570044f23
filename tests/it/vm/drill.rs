//! What a card's node mounts from another machine: absent at boot, there later, dying under use, and back again.

use super::card::{GATED, INSTALL};
use anyhow::{Context as _, ensure};
use desired::Arch;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::time::Duration;
use tests::lab::node::wait_for;
use tests::lab::{Lab, Need};
use tests::programs::said;
use tests::ring::{Ring, Trial};
use tests::vm::card::{Cards, Machine, Other};
use tests::vm::guest::{Guest, Options};
use tests::vm::rehearsal::{boots, machine};

/// Whose share the fixture's cards mount, as they see it.
const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 2, 20), 2049);
/// What it shares; behind QEMU its clients come from ports that are not root's.
const EXPORT: &str = "mkdir -p /srv/media /etc/exports.d && chown 1000:1000 /srv/media
    echo '/srv/media *(rw,insecure,no_subtree_check)' >/etc/exports.d/lab.exports && exportfs -ra && sync";
/// Writes a line a second, and notes each that the server has confirmed.
const WRITER: &str = "systemd-run -q --unit=writer --uid=keeper sh -c 'n=0; while sleep 1; do n=$((n+1))
    echo $n >>/mnt/media/log && echo $n >/var/tmp/confirmed; done'";
/// How long anybody may take to see that the server is back: its grace period, and the client's longest pause.
const RECOVERY: Duration = Duration::from_secs(1200);
/// How long the server stays away.
const AWAY: Duration = Duration::from_secs(60);

pub fn trials() -> Vec<Trial> {
    let needs = [Need::DiskTools, Need::Base, Need::Machine, Need::Guest];
    vec![
        Trial::new(Ring::Vm, "card::its_share_appears_late_dies_under_use_and_comes_back", drill)
            .needs(&needs)
            .long(),
    ]
}

fn drill(lab: &Lab) -> anyhow::Result<()> {
    let cards = Cards::of(lab)?;
    let here = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let mut role = cards.role(Arch::Amd64);
    role.others = vec![Other { seen_as: SERVER, is: SocketAddrV4::new(Ipv4Addr::LOCALHOST, here) }];
    let mut machine = machine(&cards.card(lab, Arch::Amd64)?, &role)?;
    boots(&mut machine, &role).context("while its share is absent")?;
    machine.call(&["sh", "-c", INSTALL])?.stdin(GATED.as_bytes()).run()?;
    ensure!(state(&machine, "lab-media.service")? != "active", "it writes to a share that is not there");
    bare(&machine)?;

    let mut server =
        Guest::booted(lab, &Options { serves: Some((SERVER.port(), here)), ..Options::default() })?;
    server.sh(EXPORT)?;
    wait_for("who waits for the share starts by itself", RECOVERY, || {
        Ok((state(&machine, "lab-media.service")? == "active").then_some(()))
    })?;
    ensure!(server.sh("stat -c %u /srv/media/written")? == "1000", "it wrote elsewhere");

    machine.sh(WRITER)?;
    wait_for("somebody writes", RECOVERY, || Ok((confirmed(&machine)? > 3).then_some(())))?;
    server.power_cut()?;
    std::thread::sleep(AWAY);
    let before = confirmed(&machine)?;
    ensure!(state(&machine, "writer.service")? == "active", "who writes did not wait");
    ensure!(state(&machine, "ssh.service")? == "active", "the machine is in trouble");
    bare(&machine)?;
    server.boot()?;
    wait_for("who writes goes on by itself", RECOVERY, || {
        Ok((confirmed(&machine)? > before + 3).then_some(()))
    })?;
    machine.sh("systemctl stop writer.service")?;
    let (confirmed, log) = (confirmed(&machine)?, server.sh("cat /srv/media/log")?);
    for number in 1..=confirmed {
        ensure!(
            log.lines().any(|line| line == number.to_string()),
            "line {number} was confirmed and is lost"
        );
    }
    let plan = machine.bootstrap(&["plan", "--detailed-exitcode"])?;
    ensure!(plan.code == 0, "in the end: {}", said(&plan));
    Ok(())
}

/// The last line that the server has confirmed.
fn confirmed(machine: &Machine) -> anyhow::Result<u64> {
    Ok(machine.sh("cat /var/tmp/confirmed 2>/dev/null || echo 0")?.trim().parse()?)
}

fn state(machine: &Machine, unit: &str) -> anyhow::Result<String> {
    Ok(machine.call(&["systemctl", "is-active", unit])?.accept([0, 3, 4]).run()?.text())
}

/// That nothing lies in the folder below the mount, whatever is mounted over it.
fn bare(machine: &Machine) -> anyhow::Result<()> {
    let below =
        "mkdir -p /run/below && mount --bind / /run/below && ls -A /run/below/mnt/media; umount /run/below";
    let below = machine.sh(below)?;
    ensure!(below.is_empty(), "in the bare folder: {below}");
    Ok(())
}
