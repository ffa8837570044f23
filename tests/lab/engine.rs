//! A Docker engine of our own: private data, private socket, containerd image store, gone when dropped.
//!
//! In: the lab's folder, and the registry it shall trust. Out: [`Engine::docker`], a call of the real client against it.
//! Two engines in one network namespace take each other's bridge away, so runs wait for one another, and a stranger's
//! engine is left alone and reported.

use super::{Missing, daemon::Daemon, folder, left_overs, registry::Registry};
use host::process::Invocation;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How the folders of our engines are called; also how a left-over of a killed run is recognised.
const PREFIX: &str = "rootstock-engine-";
/// How long to wait for another run's engine.
const TURN: Duration = Duration::from_secs(2 * 60 * 60);

/// A running engine.
#[derive(Debug)]
pub struct Engine {
    // Dropped in this order: the process, its folders, then the turn goes to the next run.
    _daemon: Daemon,
    _data: TempDir,
    run: TempDir,
    _turn: File,
}

impl Engine {
    /// Starts it; must be called as root.
    ///
    /// # Errors
    /// If we are not root, another engine holds this network namespace, or it does not answer.
    pub fn start(lab: &Path, registry: Option<&Registry>) -> Result<Self, Missing> {
        if !rustix::process::geteuid().is_root() {
            return Err(Missing::new(
                "an engine of our own needs root",
                "sudo -E cargo xtask test container",
            ));
        }
        let turn = take_turn(Path::new("/run/lock/rootstock-engine.lock"))?;
        left_overs::sweep(lab, PREFIX);
        if let Some(pid) = engines().into_iter().next() {
            return Err(Missing::new(
                format!(
                    "a Docker engine (process {pid}) runs here already, and two would break each other's network"
                ),
                "stop it for the time of the test: sudo systemctl stop docker.service docker.socket",
            ));
        }
        let failed = |error: std::io::Error| {
            Missing::new(format!("prepare an engine: {error}"), "look at the message")
        };
        // Sockets have short names only (108 bytes), so they can't lie deep in a working tree; image data can.
        let run = tempfile::Builder::new().prefix(PREFIX).tempdir_in("/run").map_err(failed)?;
        let data = tempfile::Builder::new().prefix(PREFIX).tempdir_in(folder(lab)?).map_err(failed)?;
        let settings = settings(run.path(), data.path(), registry);
        let path = run.path().join("daemon.json");
        std::fs::write(&path, settings.to_string()).map_err(failed)?;
        let log = lab.join("dockerd.log");
        let mut daemon = Daemon::start("dockerd", &["--config-file".into(), path.into()], &log)?;
        let answers = docker(run.path()).args(["version", "--format", "{{.Server.Version}}"]);
        daemon.wait_until(Duration::from_secs(60), || answers.run().is_ok())?;
        Ok(Self { _daemon: daemon, _data: data, run, _turn: turn })
    }

    /// A call of the client against this engine, with a client configuration of its own (no logins, no contexts).
    #[must_use]
    pub fn docker(&self) -> Invocation {
        docker(self.run.path())
    }

    /// The value of `DOCKER_HOST` for programs of ours that look for an engine.
    #[must_use]
    pub fn address(&self) -> String {
        address(self.run.path())
    }
}

fn address(run: &Path) -> String {
    format!("unix://{}", run.join("docker.sock").display())
}

fn docker(run: &Path) -> Invocation {
    let call =
        Invocation::new("docker").env("DOCKER_HOST", address(run)).env("DOCKER_CONFIG", run.join("client"));
    call.timeout(Duration::from_secs(1200))
}

fn settings(run: &Path, data: &Path, registry: Option<&Registry>) -> serde_json::Value {
    let registries: Vec<String> = registry.map(Registry::address).into_iter().collect();
    serde_json::json!({
        "data-root": data,
        "exec-root": run.join("exec"),
        "pidfile": run.join("pid"),
        "hosts": [address(run)],
        // Without it the docker driver builds for one platform only.
        "features": { "containerd-snapshotter": true },
        "insecure-registries": registries,
    })
}

/// Waits until no other run of ours has an engine.
fn take_turn(lock: &Path) -> Result<File, Missing> {
    let failed = |error: std::io::Error| {
        Missing::new(format!("lock {}: {error}", lock.display()), "look at the message")
    };
    let file = File::options().create(true).truncate(false).write(true).open(lock).map_err(failed)?;
    let deadline = Instant::now() + TURN;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
            Err(TryLockError::WouldBlock) if Instant::now() > deadline => {
                return Err(Missing::new("another test run has had its engine for 2 hours", "wait for it"));
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(500)),
        }
    }
}

/// The process ids of all engines in our network namespace.
fn engines() -> Vec<i32> {
    let namespace = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
    let ours = namespace("self");
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = processes.filter_map(|entry| entry.file_name().into_string().ok());
    let is_engine = |pid: &String| {
        let name: PathBuf = ["/proc", pid, "comm"].iter().collect();
        std::fs::read_to_string(name).is_ok_and(|name| name.trim() == "dockerd") && namespace(pid) == ours
    };
    names.filter(is_engine).filter_map(|pid| pid.parse().ok()).collect()
}
