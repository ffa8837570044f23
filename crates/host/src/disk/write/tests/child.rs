//! Runs in a process of their own: killed at any point, and measured.
//!
//! The program of the tests is its own child: a variable tells it what to do.

use super::*;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

const VARIABLE: &str = "ROOTSTOCK_TEST_CARD";
/// Long enough to be hit at work.
const LARGE: usize = 32 * MIB;

/// A child that writes `count` cards in `folder`.
#[expect(clippy::disallowed_methods, reason = "host::process waits for its children, this one is killed")]
fn child(folder: &Path, count: usize) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "disk::write::tests::child::the_child", "--nocapture"]);
    command.env(VARIABLE, format!("{count} {}", folder.display()));
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

fn options(folder: &Path) -> Options {
    Options { state: Some(folder.join("state")), ..Options::default() }
}

fn large() -> Vec<u8> {
    let mut large = disk();
    let more = noise(LARGE - SIZE, 77);
    large.extend(more);
    large
}

fn highest_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[test]
fn the_child() {
    let Ok(work) = std::env::var(VARIABLE) else { return };
    let (count, folder) = work.split_once(' ').unwrap();
    let (count, folder): (usize, _) = (count.parse().unwrap(), Path::new(folder));
    let base = Base::open(folder.join("base.zst"), None).unwrap();
    let before = highest_memory();
    let cards = (0..count).map(|at| {
        let medium = Medium::file(&folder.join(format!("card-{at}"))).unwrap();
        target("n", medium, patch(&base, b"killed"))
    });
    let cards = cards.collect();
    for (_, result) in write(base, cards, &options(folder), &quiet()) {
        result.unwrap();
    }
    println!("memory {}", highest_memory() - before);
}

/// How long the disk is, whose end is known only when it is there.
fn expected_large(patch: &Patch, before: u8) -> Vec<u8> {
    let mut all = expected(patch, before);
    all.extend_from_slice(&large()[SIZE..]);
    all
}

#[test]
fn killed_at_any_point_it_never_boots_before_it_is_done_and_the_next_run_finishes() {
    let folder = tempfile::tempdir().unwrap();
    packed(folder.path(), "zst", &large());
    let card = folder.path().join("card-0");
    let base = || Base::open(folder.path().join("base.zst"), None).unwrap();
    let patch = patch(&base(), b"killed");
    let whole = expected_large(&patch, 0xee);
    let fresh = || std::fs::write(&card, vec![0xee; LARGE]).unwrap();
    fresh();
    let start = Instant::now();
    assert!(child(folder.path(), 1).wait().unwrap().success());
    let mut takes = start.elapsed();
    assert!(std::fs::read(&card).unwrap() == whole);
    let count = if std::env::var_os("ROOTSTOCK_TEST_LONG").is_some() { 200 } else { 10 };
    let (mut unfinished, mut resumed) = (0, 0);
    for (round, random) in (0..count).zip(noise(count, 4242)) {
        fresh();
        let mut running = child(folder.path(), 1);
        std::thread::sleep(takes * u32::from(random) / 256);
        // It may have ended by itself: then the first one was slow, as on a machine that had other work.
        if running.try_wait().unwrap().is_some() {
            takes = takes * 2 / 3;
        }
        let _ = running.kill();
        running.wait().unwrap();
        let left = std::fs::read(&card).unwrap();
        let is_untouched = left[..MIB].iter().all(|byte| *byte == 0xee);
        if left[..BLOCK_BYTES] == whole[..BLOCK_BYTES] {
            assert!(left == whole, "round {round}: it would boot and is not whole");
        } else {
            unfinished += 1;
            assert!(is_untouched || left[..BLOCK_BYTES].iter().all(|byte| *byte == 0), "round {round}");
        }
        let written =
            one(base(), Medium::file(&card).unwrap(), patch.clone(), &options(folder.path())).unwrap();
        resumed += u64::from(written.resumed.0 > 0);
        assert!(std::fs::read(&card).unwrap() == whole, "round {round}: the next run did not finish it");
    }
    println!("{count} killed, {unfinished} of them before the end, {resumed} gone on with");
    assert!(unfinished > 0, "no child was hit at work");
}

#[test]
fn memory_stays_within_its_bound_with_eight_targets() {
    let folder = tempfile::tempdir().unwrap();
    packed(folder.path(), "zst", &large());
    for at in 0..8 {
        let card = std::fs::File::create(folder.path().join(format!("card-{at}"))).unwrap();
        card.set_len(LARGE as u64).unwrap();
    }
    let output = child(folder.path(), 8).wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let taken = text.lines().find_map(|line| line.split_once("memory ")).unwrap().1;
    let taken: u64 = taken.trim().parse().unwrap();
    let bound = memory_bound(ByteSize(LARGE as u64), 8).0;
    println!("{} of {} taken", ByteSize(taken), ByteSize(bound));
    assert!(taken <= bound, "{} taken, the bound is {}", ByteSize(taken), ByteSize(bound));
}
