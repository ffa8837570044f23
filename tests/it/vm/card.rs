//! Cards of a fixture's nodes, booted: each becomes that node, and stays it.

use anyhow::{Context as _, ensure};
use desired::Arch;
use std::time::{Duration, Instant};
use tests::lab::{Lab, Need};
use tests::programs::said;
use tests::ring::{Ring, Trial};
use tests::vm::card::{Cards, Machine};
use tests::vm::rehearsal::{boots, machine, rehearse};

/// How often a first boot loses its power in the long trial, each time another one.
const CUTS: u32 = 10;
/// How long the boot may wait for a share that is not there: one try to mount it, which takes 30 seconds, and some more.
const HELD_UP: Duration = Duration::from_secs(120);
/// Somebody's program that keeps its data on the share, started with the machine.
pub const GATED: &str = "[Unit]\nDescription=Writes to a share\n[Service]\nType=oneshot\nRemainAfterExit=yes\nUser=keeper\n\
                     ExecStart=/bin/sh -c 'date >>/mnt/media/written'\n[Install]\nWantedBy=multi-user.target\n";

/// Installs it.
pub const INSTALL: &str = "cat >/etc/systemd/system/lab-media.service && systemctl daemon-reload && systemctl -q enable lab-media.service";

pub fn trials() -> Vec<Trial> {
    let own = [Need::DiskTools, Need::Base, Need::Machine];
    let other = [Need::DiskTools, Need::OtherArch, Need::OtherBase, Need::OtherMachine];
    let trial = |name: &str, arch: Arch| Trial::new(Ring::Vm, name, move |lab| becomes(lab, arch));
    vec![
        trial("card::rehearsed_it_becomes_its_node_and_stays_it", Arch::Amd64).needs(&own).long(),
        trial("card::rehearsed_on_a_board_it_becomes_its_node_and_stays_it", Arch::Arm64)
            .needs(&other)
            .long(),
        Trial::new(Ring::Vm, "card::cut_at_moments_all_over_its_first_boot_it_becomes_its_node", cut)
            .needs(&own)
            .long(),
    ]
}

fn becomes(lab: &Lab, arch: Arch) -> anyhow::Result<()> {
    let cards = Cards::of(lab)?;
    let (card, role) = (cards.card(lab, arch)?, cards.role(arch));
    let (rehearsal, _) = rehearse(&card, &role, &|machine, boot| further(machine, arch, boot))?;
    rehearsal.write_down()?;
    ensure!(rehearsal.held(), "{}", rehearsal.failures());
    Ok(())
}

/// Each time a card that nobody has booted, cut a tenth of a first boot later than the one before.
fn cut(lab: &Lab) -> anyhow::Result<()> {
    let cards = Cards::of(lab)?;
    let (card, role) = (cards.card(lab, Arch::Amd64)?, cards.role(Arch::Amd64));
    let started = Instant::now();
    let mut whole = machine(&card, &role)?;
    boots(&mut whole, &role)?;
    let took = started.elapsed();
    drop(whole);
    for cut in 0..CUTS {
        // A moment of its own each run, so that many runs see many moments.
        let jitter = Duration::from_millis(u64::from(started.elapsed().subsec_millis()) * 2);
        let moment = took * (2 * cut + 1) / (2 * CUTS) + jitter;
        let mut machine = machine(&card, &role)?;
        machine.switch_on()?;
        std::thread::sleep(moment);
        machine.power_cut()?;
        let what = || format!("cut after {moment:?} of {took:?}");
        boots(&mut machine, &role).with_context(what)?;
        further(&machine, Arch::Amd64, 1).with_context(what)?;
        let plan = machine.bootstrap(&["plan", "--detailed-exitcode"])?;
        ensure!(plan.code == 0, "{}: {}", what(), said(&plan));
    }
    Ok(())
}

/// What the fixture's profile says of its nodes. What serves their share is not there: whoever writes to it waits.
fn further(machine: &Machine, arch: Arch, boot: u32) -> anyhow::Result<()> {
    let package = match arch {
        Arch::Amd64 => "tree",
        Arch::Arm64 => "keyutils",
    };
    machine.sh(&format!("dpkg-query -W {package}"))?;
    if arch == Arch::Amd64 {
        ensure!(machine.sh("sysctl -n vm.swappiness; lsmod | grep -c ^dummy")? == "10\n1", "kernel settings");
    }
    let mounted = machine.sh("findmnt -n -o FSTYPE /mnt/media; systemctl is-active mnt-media.automount")?;
    ensure!(mounted == "autofs\nactive", "{mounted}");
    if boot == 1 {
        machine.call(&["sh", "-c", INSTALL])?.stdin(GATED.as_bytes()).run()?;
        return Ok(());
    }
    let reached = machine
        .sh("systemctl show --value -p ActiveEnterTimestampMonotonic ssh.service multi-user.target")?;
    let reached: Vec<u64> = reached.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let held_up = Duration::from_micros(reached[1].saturating_sub(reached[0]));
    ensure!(reached[1] > 0 && held_up < HELD_UP, "multi-user.target came {held_up:?} after the login");
    let state = machine.call(&["systemctl", "is-active", "lab-media.service"])?.accept([0, 3]).run()?;
    ensure!(state.code == 3, "without its share the gated program is {}", said(&state));
    // Nobody who only looks is held up for long by a share that is not there.
    let bare = machine
        .sh("systemctl stop mnt-media.automount; ls -A /mnt/media; systemctl start mnt-media.automount")?;
    ensure!(bare.is_empty(), "in the bare folder: {bare}");
    Ok(())
}
