//! Runs that end before their end: killed after each line of the journal, at other moments, and on a full disk.

use super::{DONE, expect, golden, same};
use anyhow::ensure;
use host::process::Invocation;
use std::time::{Duration, Instant};
use tests::node::{JOURNAL, Node, Tree, resources, whole_tree};
use tests::programs::said;
use tests::ring::Trial;

/// Kills at other moments than a line of the journal: in the everyday run, and with `--long`.
const MOMENTS: (u32, u32) = (30, 150);

pub fn trials() -> Vec<Trial> {
    vec![
        golden("join::killed_at_every_line_of_the_journal", killed_at_every_line),
        golden("join::killed_at_thirty_moments", || killed_at(MOMENTS.0)),
        golden("join::killed_at_a_hundred_and_fifty_moments", || killed_at(MOMENTS.1)).long(),
        golden("join::leave_killed_goes_on", leave_killed),
        golden("join::a_torn_journal_line_is_cut", torn_line),
        golden("join::a_full_disk_at_any_change_leaves_whole_files", full_disk),
    ]
}

/// What an uninterrupted run makes of a fresh node, and what the node was.
fn uninterrupted(node: &Node) -> anyhow::Result<(Tree, Tree, usize, Duration)> {
    let before = whole_tree(node.root())?;
    let started = Instant::now();
    expect(&node.join()?, DONE, &["converged"])?;
    Ok((before, node.tree()?, node.journal_lines(), started.elapsed()))
}

/// What a run that was cut off left is completed by the next one, or given back.
fn recovers(node: &Node, (before, joined): (&Tree, &Tree), what: &str) -> anyhow::Result<()> {
    expect(&node.join()?, DONE, &["converged"])?;
    same(joined, &node.tree()?, &format!("{what}, joined again"))?;
    expect(&node.leave()?, DONE, &[])?;
    same(before, &whole_tree(node.root())?, &format!("{what}, joined again and left"))
}

fn killed_at_every_line() -> anyhow::Result<()> {
    let node = Node::new(&resources())?;
    let (before, joined, lines, _) = uninterrupted(&node)?;
    ensure!(lines > 30, "only {lines} lines");
    let mut killed = 0;
    for line in 1..=lines {
        for leaves_at_once in [false, true] {
            node.renew()?;
            killed += u32::from(node.killed("join", |node| node.journal_lines() >= line)?);
            if leaves_at_once {
                expect(&node.leave()?, DONE, &[])?;
                same(&before, &whole_tree(node.root())?, &format!("killed at line {line} and left"))?;
            } else {
                recovers(&node, (&before, &joined), &format!("killed at line {line}"))?;
            }
        }
    }
    ensure!(usize::try_from(killed)? > lines, "only {killed} of {} runs were caught alive", lines * 2);
    Ok(())
}

fn killed_at(moments: u32) -> anyhow::Result<()> {
    let node = Node::new(&resources())?;
    let (before, joined, _, whole) = uninterrupted(&node)?;
    for moment in 0..moments {
        node.renew()?;
        // The verification of the bundle comes first and changes nothing; a little of it is enough.
        let after = whole.mul_f64(0.2 + 0.8 * f64::from(moment) / f64::from(moments));
        let started = Instant::now();
        node.killed("join", |_| started.elapsed() >= after)?;
        recovers(&node, (&before, &joined), &format!("killed after {after:?}"))?;
    }
    Ok(())
}

fn leave_killed() -> anyhow::Result<()> {
    let node = Node::new(&resources())?;
    let (before, joined, lines, _) = uninterrupted(&node)?;
    for more in 1..=15 {
        node.renew()?;
        expect(&node.join()?, DONE, &[])?;
        node.killed("leave", |node| node.journal_lines() >= lines + more)?;
        if more % 2 == 0 {
            expect(&node.join()?, DONE, &["converged"])?;
            same(&joined, &node.tree()?, &format!("leave killed after {more} lines, joined"))?;
        }
        expect(&node.leave()?, DONE, &[])?;
        same(&before, &whole_tree(node.root())?, &format!("leave killed after {more} lines"))?;
    }
    Ok(())
}

fn torn_line() -> anyhow::Result<()> {
    let node = Node::new(&resources())?;
    let (before, joined, ..) = uninterrupted(&node)?;
    let journal = node.at(JOURNAL);
    let whole = std::fs::read(&journal)?;
    std::fs::write(&journal, [&whole[..], b"{\"sequence\":99,\"run\":{\"id\":\"1"].concat())?;
    std::fs::write(node.at("/etc/motd"), "edited\n")?;
    recovers(&node, (&before, &joined), "a torn line")?;
    // Damage in the middle is nothing that a kill leaves; nobody goes on as if it were nothing.
    expect(&node.join()?, DONE, &[])?;
    let text = std::fs::read_to_string(&journal)?;
    std::fs::write(&journal, text.replacen("\"sequence\":1,", "\"sequence\":,", 1))?;
    expect(
        &node.leave()?,
        1,
        &["line 2 of /var/lib/rootstock/journal.jsonl is damaged", "restore the file"],
    )?;
    expect(&node.join()?, 1, &["line 2 of"])
}

fn full_disk() -> anyhow::Result<()> {
    let node = Node::new(&resources())?;
    let (before, joined, ..) = uninterrupted(&node)?;
    let mount = |options: &str| {
        let call = Invocation::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]);
        call.arg(node.root()).run()
    };
    let mut refused = 0;
    // From no room at all to enough for everything, in steps smaller than the smallest change.
    for kib in (60..1100).step_by(20) {
        mount(&format!("size={kib}k,mode=0755"))?;
        let outcome = on_a_disk_of(&node, &before, &joined);
        Invocation::new("umount").arg(node.root()).run()?;
        match outcome? {
            true => refused += 1,
            false => break,
        }
    }
    ensure!(refused > 10, "only {refused} sizes were too small");
    Ok(())
}

/// Whether the disk was too small; if so, nothing on it is half-made, and with more room the next run goes on.
fn on_a_disk_of(node: &Node, before: &Tree, joined: &Tree) -> anyhow::Result<bool> {
    node.renew()?;
    let output = node.join()?;
    if output.code == DONE {
        same(joined, &node.tree()?, "on a disk with just enough room")?;
        return Ok(false);
    }
    expect(&output, 1, &["No space left"])?;
    for (path, entry) in node.tree()? {
        let is_whole = before.get(&path) == Some(&entry) || joined.get(&path) == Some(&entry);
        // The blocks of one file come one after the other.
        let is_between = path == "etc/hosts" && entry.contains("BEGIN rootstock cluster");
        ensure!(
            is_whole || is_between || entry.ends_with("folder"),
            "{path} is half-made: {entry}\n{}",
            said(&output)
        );
    }
    Invocation::new("mount").args(["-o", "remount,size=64m"]).arg(node.root()).run()?;
    recovers(node, (before, joined), "a full disk").map(|()| true)
}
