//! What runs that were killed left behind: engines, their containers, networks, mounts and folders.
//!
//! In: the lab's folder, and how the folders of our engines are called. Out: all of it gone that shares our network
//! namespace; a run in another one has a turn of its own. Only to be called by who holds the turn, so that the owner of
//! anything found is gone.

use super::node::BRIDGE;
use host::process::Invocation;
use rustix::process::{Pid, Signal, kill_process};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a process may take to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// Ends processes, then removes bridges, undoes mounts, and removes folders whose names begin with `prefix`.
pub(super) fn sweep(lab: &Path, prefix: &str) {
    let named = |line: &str| line.contains(prefix);
    // An engine that still lives stops its containers itself, in order.
    end(|name, line| name == "dockerd" && named(line), Signal::TERM);
    // Each shim has a container's first process below it; that one's end is the end of all in the container.
    for shim in processes(|name, line| name.starts_with("containerd-shim") && named(line)) {
        for child in children(shim) {
            signal(child, Signal::KILL);
        }
    }
    end(|name, line| name.starts_with("containerd") && named(line), Signal::KILL);
    // A bridge that stays keeps its address, and the next network of that number has two ways out.
    for bridge in folders(Path::new("/sys/class/net"), BRIDGE) {
        let Some(name) = bridge.file_name() else { continue };
        let _ = Invocation::new("ip").args(["link", "delete"]).arg(name).run();
    }
    for folder in folders(lab, prefix).into_iter().chain(folders(Path::new("/run"), prefix)) {
        for mount in mounts_below(&folder) {
            // Lazily: whatever holds it is gone or going.
            let _ = Invocation::new("umount").arg("--lazy").arg(mount).run();
        }
        // What can't be removed is seen again by the next run.
        let _ = std::fs::remove_dir_all(folder);
    }
}

/// Signals all processes that are meant and waits until they are gone, those that linger being killed.
fn end(is_meant: impl Fn(&str, &str) -> bool, first: Signal) {
    let meant = processes(is_meant);
    // One that was killed is still seen until the kernel has taken it apart.
    for last in [first, Signal::KILL] {
        for &pid in meant.iter().filter(|pid| is_running(**pid)) {
            signal(pid, last);
        }
        let deadline = Instant::now() + PATIENCE;
        while meant.iter().any(|pid| is_running(*pid)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Gone between the look and the signal is as good as stopped.
fn signal(pid: i32, signal: Signal) {
    if let Some(process) = Pid::from_raw(pid) {
        let _ = kill_process(process, signal);
    }
}

/// Whether it is there and no zombie, which has ended and only its parent does not know.
fn is_running(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The state follows the name, which is in brackets and may itself hold brackets and spaces.
    stat.rsplit_once(')')
        .is_some_and(|(_, rest)| !matches!(rest.trim_start().chars().next(), Some('Z' | 'X')))
}

/// The processes of this machine whose name and command line are meant.
fn processes(is_meant: impl Fn(&str, &str) -> bool) -> Vec<i32> {
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let text =
        |pid: i32, what: &str| std::fs::read_to_string(format!("/proc/{pid}/{what}")).unwrap_or_default();
    let namespace = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
    let ours = namespace("self");
    let is_ours = |pid: i32| namespace(&pid.to_string()) == ours;
    pids.filter(|&pid| is_meant(text(pid, "comm").trim(), &text(pid, "cmdline")) && is_ours(pid)).collect()
}

fn children(pid: i32) -> Vec<i32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

fn folders(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    let ours = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    ours.map(|entry| entry.path()).collect()
}

/// Mount points below a folder, the innermost first.
fn mounts_below(folder: &Path) -> Vec<PathBuf> {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points = table.lines().filter_map(|line| line.split(' ').nth(4)).map(PathBuf::from);
    let mut below: Vec<_> = points.filter(|point| point.starts_with(&folder)).collect();
    below.reverse();
    below
}
