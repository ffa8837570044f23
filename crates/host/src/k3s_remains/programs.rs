//! Containers that run on when k3s is stopped (its unit has `KillMode=process`, so that an update does not end them), and
//! the control groups they were in.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::process::Invocation;
use crate::processes;

/// What starts containers for k3s's own containerd.
const SHIM: &str = "containerd-shim-runc-v2";
/// The socket of that containerd; the shims of any other have another one among their words.
const SOCKET: &str = "/run/k3s/containerd/containerd.sock";
/// How long the kernel may take to end what was killed.
const PATIENCE: Duration = Duration::from_secs(10);
/// The groups the kubelet makes at the top of each tree, for either driver.
const GROUPS: [&str; 2] = ["kubepods", "kubepods.slice"];

/// Kills the shims of k3s with everything below them and waits until all of it is gone.
pub(super) fn end_containers() {
    let (deadline, mut killed) = (Instant::now() + PATIENCE, Vec::new());
    loop {
        let all = processes::all();
        let shims: Vec<Pid> = all.iter().copied().filter(|pid| is_shim(*pid)).collect();
        // A control group can't be removed while what was killed in it is still dying.
        killed.retain(|pid| all.contains(pid));
        if (shims.is_empty() && killed.is_empty()) || Instant::now() >= deadline {
            return;
        }
        for shim in shims {
            // The containers first: a shim that is gone leaves them to process 1.
            for pid in processes::below(shim).into_iter().chain([shim]) {
                let _ = kill_process(pid, Signal::KILL);
                killed.push(pid);
            }
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn is_shim(pid: Pid) -> bool {
    let line = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
    is_shim_of_k3s(&line)
}

fn is_shim_of_k3s(line: &[u8]) -> bool {
    let mut words = line.split(|byte| *byte == 0);
    let program = words.next().and_then(|program| program.rsplit(|byte| *byte == b'/').next());
    program == Some(SHIM.as_bytes()) && words.any(|word| word == SOCKET.as_bytes())
}

/// Removes the groups of pods; one with a process in it refuses, and is somebody's.
pub(super) fn remove_control_groups() {
    remove_groups();
    // Where the kubelet let systemd make the slice, systemd makes it again with the next look at its units.
    let slice = GROUPS[1];
    let is_active = Invocation::new("systemctl").args(["is-active", "--quiet", slice]).run().is_ok();
    if is_active && trees().iter().all(|tree| !tree.join(slice).exists()) {
        let _ = Invocation::new("systemctl").args(["stop", slice]).run();
        remove_groups();
    }
}

/// cgroup v1 has a tree a controller, v2 one in all.
fn trees() -> Vec<PathBuf> {
    let top = PathBuf::from("/sys/fs/cgroup");
    let inner = fs::read_dir(&top).into_iter().flatten().flatten().map(|entry| entry.path());
    inner.chain([top]).collect()
}

fn remove_groups() {
    for tree in trees() {
        for group in GROUPS {
            remove_group(&tree.join(group));
        }
    }
}

fn remove_group(group: &Path) {
    let entries = fs::read_dir(group).into_iter().flatten().flatten();
    let inner: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.is_dir() && !path.is_symlink()).collect();
    for inner in inner {
        remove_group(&inner);
    }
    let _ = fs::remove_dir(group);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shim_of_another_containerd_is_not_ours() {
        let own = b"/var/lib/rancher/k3s/data/a/bin/containerd-shim-runc-v2\0-namespace\0k8s.io\0-address\0/run/k3s/containerd/containerd.sock\0";
        let docker = b"/usr/bin/containerd-shim-runc-v2\0-namespace\0moby\0-address\0/run/containerd/containerd.sock\0";
        assert!(is_shim_of_k3s(own));
        assert!(!is_shim_of_k3s(docker));
        assert!(!is_shim_of_k3s(b"grep\0/run/k3s/containerd/containerd.sock\0"));
        assert!(!is_shim_of_k3s(b""));
    }
}
