//! A join whose machine loses its power, and goes on after the next boot.

use super::trial;
use super::whole::{Whole, fresh, joins, journal_lines, look};
use anyhow::{Context as _, ensure};
use tests::lab::Lab;
use tests::node::difference;
use tests::ring::Trial;
use tests::vm::guest::{Guest, STICK};

/// How often one machine loses its power in the long trial.
const CUTS: usize = 12;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("power::cut_in_the_middle_it_becomes_the_same_machine", once),
        trial("power::cut_a_dozen_times_it_becomes_the_same_machine", a_dozen_times).long(),
        trial("power::cut_at_moments_all_over_a_join_each_machine_becomes_the_same", each_once).long(),
    ]
}

fn once(lab: &Lab) -> anyhow::Result<()> {
    let whole = Whole::of(lab)?;
    one_cut(lab, whole, whole.lines / 2)
}

fn each_once(lab: &Lab) -> anyhow::Result<()> {
    let whole = Whole::of(lab)?;
    for line in [1, 3, whole.lines / 4, whole.lines * 3 / 4, whole.lines - 1] {
        one_cut(lab, whole, line).with_context(|| format!("cut at line {line} of {}", whole.lines))?;
    }
    Ok(())
}

/// A machine of its own, cut once.
fn one_cut(lab: &Lab, whole: &Whole, line: usize) -> anyhow::Result<()> {
    let mut guest = fresh(lab)?;
    guest.sh("echo kept >/root/kept; sync")?;
    let lines = cut_at(&mut guest, line)?.context("it was done before the power went")?;
    // What shows that the cut is one: a file that nobody forced to the disk is gone or empty.
    ensure!(guest.sh("cat /root/kept")? == "kept", "what was on the disk is gone");
    ensure!(guest.sh("cat /root/unsynced 2>/dev/null || true")?.is_empty(), "nothing was lost: no power cut");
    ensure!(journal_lines(&guest)? >= lines, "lines of the journal are gone that were there");
    ends_as(&guest, whole)
}

fn a_dozen_times(lab: &Lab) -> anyhow::Result<()> {
    let whole = Whole::of(lab)?;
    let mut guest = fresh(lab)?;
    let mut cuts = Vec::new();
    for _ in 0..CUTS {
        // A run that goes on writes further lines: always two more than there are.
        let line = journal_lines(&guest)? + 2;
        cuts.push(cut_at(&mut guest, line)?);
    }
    let caught = cuts.iter().flatten().count();
    ensure!(caught >= 10, "only {caught} of {CUTS} cuts came in time: {cuts:?}");
    ends_as(&guest, whole)
}

/// Joins, and takes the power away once the journal has so many lines; boots again. Gives the lines it had, or nothing if the
/// join was done before.
fn cut_at(guest: &mut Guest<'_>, lines: usize) -> anyhow::Result<Option<usize>> {
    let script = format!(
        "{STICK}/bootstrap join --yes --node guest >/run/said 2>&1 & pid=$!
        count() {{ wc -l </var/lib/rootstock/journal.jsonl 2>/dev/null || echo 0; }}
        while [ $(count) -lt {lines} ] && kill -0 $pid 2>/dev/null; do sleep 0.02; done
        echo lost >/root/unsynced
        if kill -0 $pid 2>/dev/null; then count; else cat /run/said >&2; fi"
    );
    let said = guest.sh(&script)?;
    guest.power_cut()?;
    guest.boot()?;
    Ok(said.trim().parse().ok())
}

/// What is joined now is what one run makes.
fn ends_as(guest: &Guest<'_>, whole: &Whole) -> anyhow::Result<()> {
    joins(guest)?;
    guest.sh("rm -f /root/unsynced")?;
    let found = look(guest)?;
    ensure!(whole.snapshot == found, "{}", difference(&whole.snapshot, &found));
    Ok(())
}
