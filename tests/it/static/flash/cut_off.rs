//! `flash` that is interrupted, killed and run again: no half card ever boots, and the same command finishes it.

use super::desk::{Cards, is_noise, strs, targets};
use super::trial;
use anyhow::{Context as _, ensure};
use host::disk::ReadAt as _;
use host::disk::Whole;
use host::process::Invocation;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tests::lab::Need;
use tests::programs::{expect, said, signalled};
use tests::ring::Trial;

use super::super::disks::MIB;

/// Kills in the everyday run, and with `--long`.
const KILLS: (u32, u32) = (6, 200);
/// What a card boots by.
const FIRST: usize = 4096;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("interrupted_it_ends_with_130_and_no_half_card_boots", &[Need::DiskTools], |_| interrupted()),
        trial("what_was_flushed_is_not_written_again", &[Need::DiskTools], |_| goes_on()),
        trial("another_card_in_the_same_reader_is_told_apart", &[Need::DiskTools], |_| exchanged()),
        trial("killed_anywhere_the_same_command_finishes", &[Need::DiskTools], |_| killed(KILLS.0)),
        trial("killed_two_hundred_times_the_same_command_finishes", &[Need::DiskTools], |_| killed(KILLS.1))
            .long(),
    ]
}

/// Eight cards, so that it takes a while.
fn eight(cards: &Cards) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let one = |at: u32| Ok((format!("rpi-{at:02}"), cards.noise(&format!("rpi-{at:02}.img"))?));
    (1..=8).map(one).collect()
}

fn words(files: &[(String, PathBuf)]) -> Vec<String> {
    targets(&files.iter().map(|(node, path)| (node.as_str(), path.as_path())).collect::<Vec<_>>())
}

/// How far the memory of a medium says that it is, for each.
fn remembered(cards: &Cards) -> Vec<u64> {
    let entries = std::fs::read_dir(cards.desk.out().join(".flash")).into_iter().flatten().flatten();
    let state = |path: PathBuf| serde_json::from_slice::<serde_json::Value>(&std::fs::read(path).ok()?).ok();
    entries.filter_map(|entry| state(entry.path())?["acknowledged"].as_u64()).collect()
}

/// The cards of an uninterrupted run over noise.
fn whole(cards: &Cards, files: &[(String, PathBuf)]) -> anyhow::Result<Vec<Vec<u8>>> {
    let output = cards.call("flash", &strs(&words(files)))?.run()?;
    expect(&output, 0, &[])?;
    let whole = files.iter().map(|(_, path)| Ok(std::fs::read(path)?)).collect();
    files.iter().try_for_each(|(node, _)| cards.noise(&format!("{node}.img")).map(drop))?;
    whole
}

fn interrupted() -> anyhow::Result<()> {
    let cards = Cards::new()?;
    let files = eight(&cards)?;
    let whole = whole(&cards, &files)?;
    let call = cards.call("flash", &strs(&words(&files)))?;
    let outcome = signalled(&call, "INT", || !remembered(&cards).is_empty())??;
    expect(&outcome, 130, &["the same command goes on"])?;
    let mut unfinished = 0;
    for ((node, path), whole) in files.iter().zip(&whole) {
        let state = state(path, whole).with_context(|| node.clone())?;
        unfinished += usize::from(matches!(state, State::Blank));
    }
    ensure!(unfinished > 0, "it was not interrupted at work");
    expect(&call.run()?, 0, &["8 of 8 cards"])?;
    all_whole(&files, &whole)?;
    ensure!(remembered(&cards).is_empty(), "something is remembered of finished cards");
    Ok(())
}

/// A run that was killed after it had flushed something.
struct Killed {
    cards: Cards,
    files: Vec<(String, PathBuf)>,
    /// The cards of an uninterrupted run.
    whole: Vec<Vec<u8>>,
    /// The same command again.
    call: Invocation,
}

fn killed_at_work() -> anyhow::Result<Killed> {
    let cards = Cards::new()?;
    let files = eight(&cards)?;
    let whole = whole(&cards, &files)?;
    let call = cards.call("flash", &strs(&words(&files)))?;
    let outcome = signalled(&call, "KILL", || remembered(&cards).iter().any(|bytes| *bytes > 0))?;
    ensure!(outcome.is_err(), "it was not killed at work");
    Ok(Killed { cards, files, whole, call })
}

fn all_whole(files: &[(String, PathBuf)], whole: &[Vec<u8>]) -> anyhow::Result<()> {
    for ((node, path), whole) in files.iter().zip(whole) {
        ensure!(std::fs::read(path)? == *whole, "{node} is not as an uninterrupted card");
    }
    Ok(())
}

/// Killed while it reads back: everything was flushed by then, so the next run only checks it.
fn goes_on() -> anyhow::Result<()> {
    // Held to the end: with it goes the folder that the second run reads.
    let Killed { cards: _held, files, whole, call } = killed_at_work()?;
    let output = call.arg("--json").run()?;
    expect(&output, 0, &[])?;
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let rows = answer["cards"].as_array().context("there are cards")?;
    let resumed = rows.iter().filter(|row| row["resumed"].as_u64() > Some(10 * MIB));
    let mut count = 0;
    for row in resumed {
        ensure!(row["written"].as_u64() < Some(2 * MIB), "more than its start was written: {row:#}");
        count += 1;
    }
    ensure!(count > 0, "nothing was gone on with: {answer:#}");
    all_whole(&files, &whole)?;
    Ok(())
}

/// Two cards in one reader have one identity: what was remembered of the first is no reason to blame the second.
fn exchanged() -> anyhow::Result<()> {
    let Killed { cards, files, whole, call } = killed_at_work()?;
    files.iter().try_for_each(|(node, _)| cards.noise(&format!("{node}.img")).map(drop))?;
    expect(&call.run()?, 6, &["it is another medium", "run the same command again"])?;
    for ((node, path), whole) in files.iter().zip(&whole) {
        let state = state(path, whole).with_context(|| node.clone())?;
        ensure!(!matches!(state, State::Untouched), "{node} was left alone");
    }
    expect(&call.run()?, 0, &["8 of 8 cards"])?;
    all_whole(&files, &whole)?;
    Ok(())
}

/// At random moments, most of them while cards are written, some before.
fn killed(times: u32) -> anyhow::Result<()> {
    let cards = Cards::new()?;
    let fresh = |node: &str| cards.noise(&format!("{node}.img"));
    let files = vec![("rpi-01".to_owned(), fresh("rpi-01")?), ("rpi-02".to_owned(), fresh("rpi-02")?)];
    let call = cards.call("flash", &strs(&words(&files)))?;
    let (before, mut writing) = phases(&cards, &call)?;
    let whole = whole(&cards, &files)?;
    let (mut untouched, mut blank, mut done) = (0, 0, 0);
    for round in 0..times {
        // An odd multiplier spreads the moments, the same ones each time.
        let part = (round * 7919 + 13) % 1000;
        let (begun, mut at_work) = (Instant::now(), None);
        let is_before = round % 5 == 4;
        let killed = signalled(&call, "KILL", || {
            if at_work.is_none() && !remembered(&cards).is_empty() {
                at_work = Some(Instant::now());
            }
            if is_before {
                begun.elapsed() >= before * part / 1000
            } else {
                at_work.is_some_and(|since| since.elapsed() >= writing * part / 1000)
            }
        })?;
        if killed.is_ok() {
            // The first run was slow, as on a machine that had other work.
            writing = writing * 4 / 5;
        }
        for ((node, path), whole) in files.iter().zip(&whole) {
            match state(path, whole).with_context(|| format!("round {round}, {part} ‰, {node}"))? {
                State::Untouched => untouched += 1,
                State::Blank => blank += 1,
                State::Done => done += 1,
            }
        }
        let output = call.run()?;
        ensure!(output.code == 0, "round {round}: exit {}:\n{}", output.code, said(&output));
        for ((node, path), whole) in files.iter().zip(&whole) {
            ensure!(std::fs::read(path)? == *whole, "round {round}: {node} is not as an uninterrupted card");
            fresh(node)?;
        }
    }
    tests::ring::say(&format!(
        "{times} kills of two cards, most within {:.2} s of writing: {untouched} untouched, {blank} blank, {done} done",
        writing.as_secs_f64()
    ));
    ensure!(blank > 0, "no run was hit at work");
    Ok(())
}

/// How long a run takes until it writes, and how long it writes.
fn phases(cards: &Cards, call: &Invocation) -> anyhow::Result<(Duration, Duration)> {
    let (begun, mut at_work) = (Instant::now(), None);
    let outcome = signalled(call, "KILL", || {
        if at_work.is_none() && !remembered(cards).is_empty() {
            at_work = Some(Instant::now());
        }
        false
    })??;
    expect(&outcome, 0, &[])?;
    let at_work: Instant = at_work.context("it was seen at work")?;
    Ok((at_work - begun, at_work.elapsed()))
}

/// What a killed run left of a card.
enum State {
    Untouched,
    Blank,
    Done,
}

fn state(card: &Path, whole: &[u8]) -> anyhow::Result<State> {
    let first = Whole::open(card)?.bytes(0, FIRST)?;
    if first.iter().all(|byte| *byte == 0) {
        return Ok(State::Blank);
    }
    if first == whole[..FIRST] {
        ensure!(std::fs::read(card)? == whole, "it would boot and is not whole");
        return Ok(State::Done);
    }
    // With an old start that boots, nothing behind it may have changed either.
    ensure!(is_noise(card)?, "its start is old, and what follows is not");
    Ok(State::Untouched)
}
