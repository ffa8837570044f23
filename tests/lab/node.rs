//! Machines of the lab: containers with systemd as their first process, on a network of their own.
//!
//! In: the running engine with the image of [`image`]. Out: [`Node`], which is called, read, restarted, cut off and
//! destroyed like a machine; dropping it destroys it. Names are unique in a run, and the engine itself is gone after it,
//! so runs can't meet.

pub mod image;

use super::engine::Engine;
use super::{Lab, k3s::K3s};
use anyhow::{Context as _, bail, ensure};
use desired::FileSet;
use host::archive::tar;
use host::process::Invocation;
pub use image::Release;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long a node may take to boot: a second when idle, more beside a compiler.
const BOOT: Duration = Duration::from_secs(90);
/// Numbers for networks; the second half of 198.18.0.0/15, which is set aside for tests and in nobody's house. The first
/// one is the cluster's, whose profile names it.
static NETWORKS: AtomicU8 = AtomicU8::new(1);
/// How the bridges of our networks are called on this machine, with the number behind.
pub(super) const BRIDGE: &str = "rslab-";
/// Where a node sees what was put in.
pub const STICK: &str = "/media/stick";
/// Numbers for containers.
static CONTAINERS: AtomicUsize = AtomicUsize::new(0);

/// Asks until there is an answer. A question that fails is asked again: servers that have just started fail now and then.
///
/// # Errors
/// If there is none within `limit`; `what` says what was waited for.
pub fn wait_for<T>(
    what: &str,
    limit: Duration,
    mut ask: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        let failed = match ask() {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => String::new(),
            Err(error) => format!(": {error:#}"),
        };
        ensure!(Instant::now() < deadline, "{what}: not within {limit:?}{failed}");
        std::thread::sleep(Duration::from_millis(250));
    }
}

/// A private network; nodes in it find each other by name.
#[derive(Debug)]
pub struct Network<'lab> {
    engine: &'lab Engine,
    name: String,
    number: u8,
}

impl<'lab> Network<'lab> {
    /// A new one.
    ///
    /// # Errors
    /// If the engine refuses.
    pub fn new(engine: &'lab Engine) -> anyhow::Result<Self> {
        Self::numbered(engine, NETWORKS.fetch_add(1, Ordering::Relaxed))
    }

    /// The cluster's, 198.19.0.0/24; there is one at a time.
    ///
    /// # Errors
    /// If the engine refuses.
    pub fn of_cluster(engine: &'lab Engine) -> anyhow::Result<Self> {
        Self::numbered(engine, 0)
    }

    fn numbered(engine: &'lab Engine, number: u8) -> anyhow::Result<Self> {
        let name = format!("lab-{number}");
        let network = Self { engine, name, number };
        let create = engine.docker().args(["network", "create", "--subnet"]).arg(network.range());
        // A name of our own on this machine, by which the next run finds it should this one be killed.
        let bridge = format!("com.docker.network.bridge.name={BRIDGE}{number}");
        create.args(["--opt", &bridge, &network.name]).run().context("create a network for nodes")?;
        Ok(network)
    }

    /// Its range, as a profile writes it.
    #[must_use]
    pub fn range(&self) -> String {
        format!("198.19.{}.0/24", self.number)
    }

    /// An address in it; 1 is the machine the engine runs on.
    #[must_use]
    pub fn address(&self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(198, 19, self.number, last)
    }
}

impl Drop for Network<'_> {
    fn drop(&mut self) {
        // The engine and all it has made are gone a moment later anyway.
        let _ = self.engine.docker().args(["network", "rm", &self.name]).run();
    }
}

/// What a node is given besides its name.
#[derive(Debug, Default)]
pub struct Options<'a> {
    /// What it runs.
    pub release: Release,
    /// A fixed address; the engine chooses one otherwise.
    pub address: Option<Ipv4Addr>,
    /// Makes k3s work in a container: real folders for its data, and the shim. `Some(true)` also puts the program where
    /// our units start it; with `Some(false)` that place is free for whoever installs it.
    pub k3s: Option<(&'a K3s, bool)>,
    /// A folder of this machine that the node sees as [`STICK`] and can't write to.
    pub stick: Option<&'a Path>,
}

/// A running node.
#[derive(Debug)]
pub struct Node<'lab> {
    engine: &'lab Engine,
    name: String,
    container: String,
}

impl<'lab> Node<'lab> {
    /// Starts a node and waits until it has booted. A node of the same name may stand in another network, or have been
    /// destroyed before: this one remembers nothing of it.
    ///
    /// # Errors
    /// If the engine refuses, or a unit of the plain system fails.
    pub fn start(
        lab: &'lab Lab,
        name: &str,
        network: &Network<'_>,
        options: &Options<'_>,
    ) -> anyhow::Result<Self> {
        let engine = lab.engine();
        let container = format!("{name}-{}", CONTAINERS.fetch_add(1, Ordering::Relaxed));
        let run = engine.docker().args(["run", "--detach", "--privileged", "--cgroupns", "private"]);
        let run = run.args(["--tmpfs", "/run", "--tmpfs", "/run/lock", "--name", &container]);
        let run = run.args(["--hostname", name, "--network", &network.name, "--network-alias", name]);
        let run = match options.address {
            Some(address) => run.arg("--ip").arg(address.to_string()),
            None => run,
        };
        let run = match options.k3s {
            Some((k3s, installed)) => with_k3s(run, k3s, installed),
            None => run,
        };
        let run = match options.stick {
            Some(stick) => run.arg("--volume").arg(format!("{}:{STICK}:ro", stick.display())),
            None => run,
        };
        // From here on it is dropped, also if it does not start.
        let node = Self { engine, name: name.to_owned(), container };
        run.arg(options.release.image()).run().with_context(|| format!("start the node {name}"))?;
        node.wait_booted()?;
        Ok(node)
    }

    /// Its host name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the engine calls it, for what is run beside it.
    #[must_use]
    pub fn container(&self) -> &str {
        &self.container
    }

    /// A call of a program on it, as root; what the call is given on standard input gets there.
    #[must_use]
    pub fn call(&self, program: &str) -> Invocation {
        self.engine.docker().args(["exec", "--interactive", &self.container, program])
    }

    /// Standard output of a call that must succeed.
    ///
    /// # Errors
    /// If it does not.
    pub fn said(&self, program: &str, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.call(program).args(arguments.iter().copied()).run();
        Ok(output.with_context(|| format!("on {}", self.name))?.text())
    }

    /// The text of a file on it.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn read(&self, path: &str) -> anyhow::Result<String> {
        let output = self.call("cat").arg(path).run().with_context(|| format!("on {}", self.name))?;
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Puts files on it, owned by root, each with its mode; folders above them are made. The content goes through a
    /// pipe, so a secret among it is in no argument and in no file elsewhere.
    ///
    /// # Errors
    /// If they can't be written.
    pub fn place(&self, files: &FileSet) -> anyhow::Result<()> {
        let entries =
            files.iter().map(|(path, file)| tar::Entry::bytes(path, file.mode, file.content.clone()));
        let entries: Vec<_> = entries.collect();
        let mut archive = Vec::new();
        tar::write(&mut archive, &entries, 0, &|_| {})?;
        // Folders that are there keep their modes.
        let unpack = self.call("tar").args(["-x", "-p", "--no-overwrite-dir", "-C", "/", "-f", "-"]);
        unpack.stdin(archive).run().with_context(|| format!("place files on {}", self.name))?;
        Ok(())
    }

    /// Copies what is in a folder of this machine into one of the node, modes included. Not below `/run`, where the
    /// engine can't reach.
    ///
    /// # Errors
    /// If either folder can't be used.
    pub fn copy_in(&self, from: &Path, to: &str) -> anyhow::Result<()> {
        self.said("mkdir", &["-p", to])?;
        let copy = self.engine.docker().arg("cp").arg(from.join("."));
        copy.arg(format!("{}:{to}", self.container))
            .run()
            .with_context(|| format!("copy to {}", self.name))?;
        Ok(())
    }

    /// Starts a unit without waiting for it: k3s is "activating" for as long as its join is refused (FIELD K8).
    ///
    /// # Errors
    /// If systemd knows no such unit.
    pub fn start_unit(&self, unit: &str) -> anyhow::Result<()> {
        self.said("systemctl", &["daemon-reload"])?;
        self.said("systemctl", &["enable", "--quiet", "--now", "--no-block", unit]).map(|_| ())
    }

    /// The last lines of a unit's journal, for messages and for reasons.
    ///
    /// # Errors
    /// If the node does not answer.
    pub fn journal(&self, unit: &str, lines: usize) -> anyhow::Result<String> {
        self.said("journalctl", &["-q", "--no-pager", "-o", "cat", "-n", &lines.to_string(), "-u", unit])
    }

    /// Shuts it down in order and boots it again; its disk is what it was.
    ///
    /// # Errors
    /// If it does not come back.
    pub fn restart(&self) -> anyhow::Result<()> {
        self.engine.docker().args(["restart", "--time", "20", &self.container]).run()?;
        self.wait_booted()
    }

    /// Takes its power away and boots it again.
    ///
    /// # Errors
    /// If it does not come back.
    pub fn power_cycle(&self) -> anyhow::Result<()> {
        self.engine.docker().args(["kill", &self.container]).run()?;
        self.engine.docker().args(["start", &self.container]).run()?;
        self.wait_booted()
    }

    /// Destroys it with everything on it; another of the same name is a new machine.
    ///
    /// # Errors
    /// If the engine can't remove it.
    pub fn destroy(self) -> anyhow::Result<()> {
        self.remove().map(|_| ()).with_context(|| format!("destroy {}", self.name))
    }

    fn remove(&self) -> Result<host::process::Output, host::process::ProcessError> {
        self.engine.docker().args(["rm", "--force", "--volumes", &self.container]).run()
    }

    fn wait_booted(&self) -> anyhow::Result<()> {
        let state = wait_for(&format!("{} boots", self.name), BOOT, || {
            let ask = self.call("systemctl").arg("is-system-running").accept((0..=255).collect::<Vec<_>>());
            let state = ask.run()?.text();
            Ok(matches!(state.as_str(), "running" | "degraded" | "maintenance").then_some(state))
        });
        match state.with_context(|| self.console())?.as_str() {
            "running" => Ok(()),
            state => {
                bail!("{} is {state}: {}", self.name, self.said("systemctl", &["--failed", "--no-legend"])?)
            }
        }
    }

    fn console(&self) -> String {
        let logs = self.engine.docker().args(["logs", "--tail", "20", &self.container]).run();
        logs.map_or_else(|error| error.to_string(), |output| output.text())
    }
}

impl Drop for Node<'_> {
    fn drop(&mut self) {
        // Destroyed already, or gone with the engine a moment later.
        let _ = self.remove();
    }
}

/// With the default image of folders k3s would unpack every image twice as slowly: an overlay can't lie on an overlay.
fn with_k3s(run: Invocation, k3s: &K3s, installed: bool) -> Invocation {
    let read_only = |path: &Path, name: &str| format!("{}:/usr/local/bin/{name}:ro", path.display());
    let run = run.args(["--volume", "/var/lib/rancher", "--volume", "/var/lib/kubelet", "--volume"]);
    let run = run.arg(read_only(&k3s.shim(), "containerd-shim-runc-v2"));
    if installed { run.arg("--volume").arg(read_only(&k3s.program(), "k3s")) } else { run }
}
