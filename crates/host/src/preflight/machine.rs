//! Facts about the machine: what its programs are for, memory, clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use desired::observed::Answer;
use desired::preflight::facts::{Cgroup, Clock};
use desired::preflight::is_sane;

use super::{NOT_LIVE, asked, kernel_text, mapped};
use crate::elf;
use crate::process::Invocation;
use crate::root::Root;

/// Where a Pi's firmware finds the kernel's command line, the newer place first (FIELD K3).
const COMMAND_LINES: [&str; 2] = ["/boot/firmware/cmdline.txt", "/boot/cmdline.txt"];

/// The shell tells what programs are for: a 64-bit kernel may run a 32-bit system (FIELD K30).
pub(super) fn userland(root: &Root) -> Answer<String> {
    match root.read("/bin/sh") {
        Ok(Some(bytes)) => elf::name_of(&bytes)
            .map_or_else(|| Answer::unknown("/bin/sh is no program that tells"), Answer::Known),
        Ok(None) => Answer::unknown("there is no /bin/sh"),
        Err(error) => Answer::unknown(format!("/bin/sh can't be read: {error}")),
    }
}

pub(super) fn cgroup(root: &Root) -> Answer<Cgroup> {
    let read = |path: &str| root.read_text(path).ok().flatten();
    let controllers = read("/sys/fs/cgroup/cgroup.controllers");
    let table = read("/proc/cgroups");
    if controllers.is_none() && table.is_none() {
        return mapped(kernel_text(root, "/proc/cgroups"), |_| {
            Answer::unknown("/proc/cgroups came and went")
        });
    }
    let file = COMMAND_LINES.iter().find_map(|path| Some(((*path).to_owned(), read(path)?)));
    let command_line = read("/proc/cmdline").unwrap_or_default();
    Answer::Known(Cgroup {
        controllers,
        enabled: table.and_then(|table| enabled(&table)),
        command_line,
        file,
    })
}

/// The fourth column of the row `memory`, cgroups(7).
fn enabled(table: &str) -> Option<bool> {
    let row = table.lines().find(|line| line.split_whitespace().next() == Some("memory"))?;
    Some(row.split_whitespace().nth(3)? == "1")
}

/// What the kernel tells every program in its auxiliary vector, getauxval(3).
pub(super) fn page_size(root: &Root) -> Answer<u64> {
    const AT_PAGESZ: u64 = 6;
    match root.read("/proc/self/auxv") {
        Ok(Some(bytes)) => {
            let numbers = bytes.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes));
            let numbers: Vec<u64> = numbers.collect();
            let pairs = numbers.as_chunks::<2>().0.iter();
            let found = pairs.copied().find(|[key, _]| *key == AT_PAGESZ);
            found.map_or_else(|| Answer::unknown("the kernel does not tell"), |[_, size]| Answer::Known(size))
        }
        _ => mapped(kernel_text(root, "/proc/self/auxv"), |_| Answer::unknown("the kernel does not tell")),
    }
}

/// The clock of the running system, and whether a time server keeps it.
#[must_use]
pub fn clock(root: &Root) -> Answer<Clock> {
    if !root.is_live() {
        return Answer::later(NOT_LIVE);
    }
    let ask = Invocation::new("timedatectl").args(["show", "--property=NTPSynchronized", "--value"]);
    let is_synchronised = match asked(&ask.timeout(Duration::from_secs(10))).map(|output| output.text()) {
        Ok(text) if text == "yes" => Some(true),
        Ok(text) if text == "no" => Some(false),
        _ => None,
    };
    Answer::Known(Clock { now: now(), is_synchronised })
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Waits until the clock can be right, `limit` at most: a board without a battery starts in 1970 and hears from its time
/// server a little later. Tells whether it can be right.
#[must_use]
pub fn wait_for_clock(limit: Duration) -> bool {
    wait(limit, Duration::from_secs(1), now)
}

pub(super) fn wait(limit: Duration, interval: Duration, mut now: impl FnMut() -> u64) -> bool {
    // The clock that is waited for can't be the one the waiting is measured with.
    let start = Instant::now();
    loop {
        if is_sane(now()) {
            return true;
        }
        if start.elapsed() >= limit {
            return false;
        }
        std::thread::sleep(interval);
    }
}
