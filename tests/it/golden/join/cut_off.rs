//! Runs that end before their end: killed after each line of the journal, at other moments, and on a full disk.

use super::{DONE, expect, golden, same};
use anyhow::{Context as _, ensure};
use host::process::{Invocation, Output};
use rustix::fs::statvfs;
use rustix::mount::{MountFlags, mount_remount};
use std::ffi::CString;
use std::time::{Duration, Instant};
use tests::node::{JOURNAL, Node, Tree, resources, whole_tree};
use tests::programs::said;
use tests::ring::Trial;

/// Kills at other moments than a line of the journal: in the everyday run, and with `--long`.
const MOMENTS: (u32, u32) = (30, 150);
/// How often a run is begun that is to be caught at one line of the journal.
const ATTEMPTS: u32 = 5;

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

/// Does `act` again until it says that the run was still alive, which a busy machine may make it miss; gives what came last.
fn caught<T>(mut act: impl FnMut() -> anyhow::Result<(T, bool)>) -> anyhow::Result<(T, bool)> {
    for _ in 1..ATTEMPTS {
        let (came, is_alive) = act()?;
        if is_alive {
            return Ok((came, true));
        }
    }
    act()
}

fn killed_at_every_line() -> anyhow::Result<()> {
    let node = Node::new(&resources())?;
    let (before, joined, lines, _) = uninterrupted(&node)?;
    ensure!(lines > 30, "only {lines} lines");
    let (mut killed, mut missed) = (0, Vec::new());
    for line in 1..=lines {
        let mut of_line = 0;
        for leaves_at_once in [false, true] {
            of_line += u32::from(
                caught(|| {
                    node.renew()?;
                    Ok(((), node.killed("join", |node| node.journal_lines() >= line)?))
                })?
                .1,
            );
            if leaves_at_once {
                expect(&node.leave()?, DONE, &[])?;
                same(&before, &whole_tree(node.root())?, &format!("killed at line {line} and left"))?;
            } else {
                recovers(&node, (&before, &joined), &format!("killed at line {line}"))?;
            }
        }
        killed += of_line;
        if of_line == 0 {
            missed.push(line);
        }
    }
    tests::ring::say(&format!("{killed} kills of join at {lines} lines of its journal"));
    // Behind its last line a run has so little to do that it may always be over.
    ensure!(missed.iter().all(|line| *line == lines), "no run was caught alive at the lines {missed:?}");
    Ok(())
}

fn killed_at(moments: u32) -> anyhow::Result<()> {
    let node = Node::new(&resources())?;
    let (before, joined, ..) = uninterrupted(&node)?;
    // The first run warmed what the others find warm.
    node.renew()?;
    let (.., mut whole) = uninterrupted(&node)?;
    let mut killed = 0;
    for moment in 0..moments {
        // The verification of the bundle comes first and changes nothing; a little of it is enough.
        let part = 0.2 + 0.75 * f64::from(moment) / f64::from(moments);
        let ((), is_killed) = caught(|| {
            node.renew()?;
            let started = Instant::now();
            let is_killed = node.killed("join", |_| started.elapsed() >= whole.mul_f64(part))?;
            // The uninterrupted run was slow, as on a machine that had other work.
            whole = if is_killed { whole } else { whole.mul_f64(0.9) };
            Ok(((), is_killed))
        })?;
        killed += u32::from(is_killed);
        recovers(&node, (&before, &joined), &format!("killed after {part} of {whole:?}"))?;
    }
    tests::ring::say(&format!("{killed} kills of join at {moments} moments of {whole:?}"));
    ensure!(killed * 10 >= moments * 9, "only {killed} of {moments} runs were caught alive");
    Ok(())
}

fn leave_killed() -> anyhow::Result<()> {
    let node = Node::new(&resources())?;
    let (before, joined, lines, _) = uninterrupted(&node)?;
    let mut killed = 0;
    for more in 1..=15 {
        let ((), is_killed) = caught(|| {
            node.renew()?;
            expect(&node.join()?, DONE, &[])?;
            Ok(((), node.killed("leave", |node| node.journal_lines() >= lines + more)?))
        })?;
        killed += u32::from(is_killed);
        if more % 2 == 0 {
            expect(&node.join()?, DONE, &["converged"])?;
            same(&joined, &node.tree()?, &format!("leave killed after {more} lines, joined"))?;
        }
        expect(&node.leave()?, DONE, &[])?;
        same(&before, &whole_tree(node.root())?, &format!("leave killed after {more} lines"))?;
    }
    ensure!(killed > 10, "only {killed} of 15 runs of leave were caught alive");
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

fn mount(node: &Node, options: &str) -> anyhow::Result<()> {
    let call = Invocation::new("mount").args(["-t", "tmpfs", "-o", &format!("mode=0755,{options}"), "tmpfs"]);
    call.arg(node.root()).run()?;
    Ok(())
}

/// `act` on a file system of its own below the node.
fn mounted<T>(node: &Node, options: &str, act: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    mount(node, options)?;
    let outcome = act();
    Invocation::new("umount").arg(node.root()).run()?;
    outcome
}

/// Preflight sees a disk that is too small before it starts; what it can't see is room that goes meanwhile. Two ways: no
/// file more than so many, from none at all to enough for everything; and no byte more from a line of the journal on.
fn full_disk() -> anyhow::Result<()> {
    let node = Node::new(&resources())?;
    let (before, joined, lines, _) = uninterrupted(&node)?;
    let mut refused = 0;
    // The root has an inode too, and every name in it one.
    let least = before.len() + 1;
    for more in 0..200 {
        let options = format!("size=200m,nr_inodes={}", least + more);
        let is_refused = mounted(&node, &options, || {
            node.renew()?;
            after_full_disk(&node, &node.join()?, &before, &joined)
        });
        match is_refused.with_context(|| format!("{more} files more"))? {
            true => refused += 1,
            false => break,
        }
    }
    ensure!(refused > 10, "only {refused} sizes were too small");
    let mut refused = 0;
    for line in 1..lines {
        let attempt = || {
            mounted(&node, "size=200m", || {
                node.renew()?;
                let (output, is_full) = fills_up(&node, line)?;
                Ok((after_full_disk(&node, &output, &before, &joined)?, is_full))
            })
        };
        let (is_refused, _) = caught(attempt).with_context(|| format!("full from line {line} on"))?;
        refused += u32::from(is_refused);
    }
    ensure!(refused > 10, "only {refused} disks were full in time");
    Ok(())
}

/// Joins, and takes all room that is left once the journal has `line` lines; says too whether it came to that.
fn fills_up(node: &Node, line: usize) -> anyhow::Result<(Output, bool)> {
    let call = node.call("join")?.arg("--yes");
    let running = std::thread::spawn(move || call.run());
    while !running.is_finished() && node.journal_lines() < line {
        std::thread::yield_now();
    }
    let mut is_full = false;
    // What is in use meanwhile may be more than was seen; then the kernel refuses and we look again.
    while !is_full && !running.is_finished() {
        let seen = statvfs(node.root())?;
        let used = (seen.f_blocks - seen.f_bfree) * seen.f_frsize;
        let options = CString::new(format!("size={used}"))?;
        is_full = mount_remount(node.root(), MountFlags::empty(), &options).is_ok();
    }
    let output = running.join().map_err(|_| anyhow::anyhow!("the waiting thread failed"))??;
    Ok((output, is_full))
}

/// Whether the disk was too small; if so, nothing on it is half-made, and with more room the next run goes on.
fn after_full_disk(node: &Node, output: &Output, before: &Tree, joined: &Tree) -> anyhow::Result<bool> {
    if output.code == DONE {
        same(joined, &node.tree()?, "on a disk with just enough room")?;
        return Ok(false);
    }
    expect(output, 1, &[])?;
    // systemctl says something else of a folder that it could not make.
    let is_said = ["No space left", "Failed to enable unit"].iter().any(|words| said(output).contains(words));
    ensure!(is_said, "the full disk is not told:\n{}", said(output));
    for (path, entry) in node.tree()? {
        let is_whole = before.get(&path) == Some(&entry) || joined.get(&path) == Some(&entry);
        // The blocks of one file come one after the other.
        let is_between = path == "etc/hosts" && entry.contains("BEGIN rootstock cluster");
        ensure!(
            is_whole || is_between || entry.ends_with("folder"),
            "{path} is half-made: {entry}\n{}",
            said(output)
        );
    }
    Invocation::new("mount").args(["-o", "remount,size=200m,nr_inodes=100k"]).arg(node.root()).run()?;
    recovers(node, (before, joined), "a full disk").map(|()| true)
}
