//! Machines with nothing on them, and a desk whose ssh reaches them: what a person has before the first join.
//!
//! In: the lab. Out: [`Fleet`]: machines of a profile of the lab at their addresses, each with an account that may use sudo
//! and takes the desk's key, and calls of `cargo xtask` with the bundle that the product built. ssh and sshd are real; the
//! desk's configuration lies in a folder of its own, so nothing of the person who runs the tests is read or changed.

use super::Lab;
use super::bundle::{Bundle, CLUSTER, HOW};
use super::cluster::{MachineSettings, TURN, profile};
use super::node::{Network, Node, Options};
use crate::programs;
use anyhow::{Context as _, ensure};
use blueprint::model::{self, K3sRole, Model};
use desired::{FileSet, Mode};
use host::process::{Invocation, Output};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

/// The profile's administrator.
const ADMIN: &str = "operator";
/// The server's own secret; nothing but the trial's private network ever sees it.
pub const SERVER_SECRET: &str = "only-for-this-fleet";
/// What a server in a container is told by a person's own file, since both want images from the internet.
const OWN_SETTINGS: &str = "disable-helm-controller: true\ndisable-network-policy: true\n";

/// A desk and its network.
#[derive(Debug)]
pub struct Fleet<'lab> {
    // Dropped in this order: network, what k3s changed on this machine, then the turn goes on.
    network: Network<'lab>,
    _machine: MachineSettings,
    _turn: MutexGuard<'static, ()>,
    desk: tempfile::TempDir,
    lab: &'lab Lab,
    bundle: &'static Bundle,
    model: Model,
}

impl<'lab> Fleet<'lab> {
    /// A desk for one server and two agents, with a key of its own and no machine yet.
    ///
    /// # Errors
    /// If the bundle or the key can't be made.
    pub fn new(lab: &'lab Lab) -> anyhow::Result<Self> {
        Self::of_cluster(lab, CLUSTER)
    }

    /// The same for any cluster.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn of_cluster(lab: &'lab Lab, cluster: &'static str) -> anyhow::Result<Self> {
        let (bundle, model) = (Bundle::of_cluster(lab, cluster)?, profile(cluster)?);
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let machine = MachineSettings::keep();
        let network = Network::of_cluster(lab.engine())?;
        let desk = programs::scratch()?;
        let fleet = Self { network, _machine: machine, _turn: turn, desk, lab, bundle, model };
        let keygen = Invocation::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]);
        keygen.arg(fleet.at("key")).run().context("make a key")?;
        std::fs::write(fleet.at("known_hosts"), "")?;
        fleet.configure("")?;
        Ok(fleet)
    }

    /// From now on the desk has the cluster's bundle with a newer k3s.
    ///
    /// # Errors
    /// If it can't be built.
    pub fn take_newer(&mut self) -> anyhow::Result<()> {
        self.bundle = Bundle::newer(self.lab)?;
        Ok(())
    }

    /// A file of the desk.
    #[must_use]
    pub fn at(&self, name: &str) -> PathBuf {
        self.desk.path().join(name)
    }

    /// Writes the person's ssh configuration, with `more` before what all machines have in common.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn configure(&self, more: &str) -> anyhow::Result<()> {
        let (key, hosts) = (self.at("key"), self.at("known_hosts"));
        let text = format!(
            "{more}\nHost *\n  IdentityFile {}\n  IdentitiesOnly yes\n  UserKnownHostsFile {}\n",
            key.display(),
            hosts.display()
        );
        std::fs::write(self.at("config"), text)?;
        // ssh finds a person's configuration by the account, not by HOME.
        let real = host::process::find_program("ssh").context("ssh is on PATH")?;
        let program = self.at("bin/ssh");
        std::fs::create_dir_all(self.at("bin"))?;
        let text =
            format!("#!/bin/sh\nexec '{}' -F '{}' \"$@\"\n", real.display(), self.at("config").display());
        std::fs::write(&program, text)?;
        Ok(std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?)
    }

    /// A machine of the profile as its system's installer leaves it, and its host key known to the desk.
    ///
    /// # Errors
    /// If it does not boot.
    pub fn machine(&self, name: &str) -> anyhow::Result<Node<'lab>> {
        let node = self.stranger(name)?;
        self.know(name)?;
        Ok(node)
    }

    /// The same, and its host key unknown.
    ///
    /// # Errors
    /// As [`Self::machine`].
    pub fn stranger(&self, name: &str) -> anyhow::Result<Node<'lab>> {
        let wanted = self.wanted(name)?;
        let options = Options {
            address: Some(wanted.address),
            k3s: Some((self.lab.k3s(), false)),
            ..Options::default()
        };
        let node = Node::start(self.lab, name, &self.network, &options)?;
        let mut files = FileSet::new();
        files.insert(
            "etc/sudoers.d/50-admin",
            Mode::PRIVATE,
            format!("{ADMIN} ALL=(ALL) NOPASSWD: ALL\n"),
        )?;
        if wanted.k3s.is_some_and(K3sRole::is_server) {
            node.copy_in(&self.lab.k3s().manifests(), "/var/lib/rancher/k3s/server/manifests")?;
            files.insert("etc/rancher/k3s/config.yaml.d/50-lab.yaml", Mode::PRIVATE, OWN_SETTINGS)?;
        }
        if wanted.k3s == Some(K3sRole::FirstServer) {
            files.insert("root/server-token", Mode::PRIVATE, format!("{SERVER_SECRET}\n"))?;
        }
        node.place(&files)?;
        let key = std::fs::read_to_string(self.at("key.pub"))?;
        node.said("useradd", &["--create-home", "--gid", "nogroup", "--shell", "/bin/sh", ADMIN])?;
        let take = format!(
            "install -d -m 700 -o {ADMIN} /home/{ADMIN}/.ssh && cat >/home/{ADMIN}/.ssh/authorized_keys && \
             chown {ADMIN} /home/{ADMIN}/.ssh/authorized_keys"
        );
        node.call("sh").args(["-c", &take]).stdin(key).run()?;
        Ok(node)
    }

    /// Lets the desk know a machine's host key, and forget an older one, as a person does who compared it.
    ///
    /// # Errors
    /// If the machine shows none.
    pub fn know(&self, name: &str) -> anyhow::Result<()> {
        let address = self.address(name)?;
        let forget =
            Invocation::new("ssh-keygen").args(["-q", "-R", &address, "-f"]).arg(self.at("known_hosts"));
        forget.run()?;
        let scan = || Invocation::new("ssh-keyscan").args(["-T", "5", "-t", "ed25519", &address]).run();
        let found = super::node::wait_for("it shows its host key", Duration::from_secs(60), || {
            Ok(scan().ok().map(|output| output.text()).filter(|text| !text.is_empty()))
        })?;
        let mut hosts = std::fs::read_to_string(self.at("known_hosts"))?;
        hosts.push_str(&found);
        hosts.push('\n');
        Ok(std::fs::write(self.at("known_hosts"), hosts)?)
    }

    /// The address that the profile gives a machine.
    ///
    /// # Errors
    /// If it has none of that name.
    pub fn address(&self, name: &str) -> anyhow::Result<String> {
        Ok(self.wanted(name)?.address.to_string())
    }

    fn wanted(&self, name: &str) -> anyhow::Result<&model::Node> {
        let found = self.model.nodes.values().find(|node| node.name.as_str() == name);
        found.with_context(|| format!("the profile has no machine {name}"))
    }

    /// A call of `cargo xtask` at this desk; every exit code is an answer.
    ///
    /// # Errors
    /// If the program can't be built.
    pub fn xtask(&self, words: &[&str]) -> anyhow::Result<Invocation> {
        let path = std::env::var("PATH").context("there is a PATH")?;
        let call = programs::xtask()?.args(words.iter().copied());
        let call = call.arg("--profiles").arg(self.bundle.profiles());
        let looks = words.contains(&"status");
        let call = if looks { call } else { call.arg("--out").arg(self.bundle.out()) };
        let call = call.env("PATH", format!("{}:{path}", self.at("bin").display()));
        Ok(call.timeout(Duration::from_secs(1200)))
    }

    /// A script as a person types it at this desk, where `cargo xtask` is the program and the profile is this one's.
    ///
    /// # Errors
    /// If the program can't be built.
    pub fn typed(&self, script: &str) -> anyhow::Result<Invocation> {
        let line = self.xtask(&["\"$@\""])?.line().replace("'\"$@\"'", "\"$@\"");
        let cargo = self.at("bin/cargo");
        // Not every verb looks at the output folder, and what is built is built as the bundle was.
        let short = line.split(" --out ").next().unwrap_or(&line);
        let cases = format!("status) exec {short} ;;\nbuild-images) exec {line} {} ;;", HOW.join(" "));
        let text = format!("#!/bin/sh\nshift\ncase $1 in\n{cases}\n*) exec {line} ;;\nesac\n");
        std::fs::write(&cargo, text)?;
        std::fs::set_permissions(&cargo, std::fs::Permissions::from_mode(0o755))?;
        let path = std::env::var("PATH").context("there is a PATH")?;
        let call = Invocation::new("sh").args(["-eu", "-c", script]).folder(crate::repository());
        let call = call.env("PATH", format!("{}:{path}", self.at("bin").display()));
        let call = call.env("XDG_CACHE_HOME", self.bundle.cache());
        Ok(programs::answering(call).timeout(Duration::from_secs(1200)))
    }

    /// The same, run, with JSON as its answer.
    ///
    /// # Errors
    /// If it can't be started or its answer is no JSON.
    pub fn answer(&self, words: &[&str]) -> anyhow::Result<(i32, Value)> {
        let output = self.xtask(words)?.arg("--json").run()?;
        let value = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("{}: {}", words.join(" "), programs::said(&output)))?;
        Ok((output.code, value))
    }

    /// What kubectl on the server answers, in JSON.
    ///
    /// # Errors
    /// If it fails.
    pub fn kubectl(&self, server: &Node<'_>, words: &[&str]) -> anyhow::Result<Value> {
        let text = server.said("kubectl", &[words, &["-o", "json"]].concat())?;
        serde_json::from_str(&text).with_context(|| format!("kubectl {}", words.join(" ")))
    }

    /// The output folder of the cluster.
    #[must_use]
    pub fn built(&self) -> PathBuf {
        self.bundle.out().join(self.model.name.as_str())
    }

    /// The folder of the bundle's desk.
    #[must_use]
    pub fn out(&self) -> PathBuf {
        self.bundle.out()
    }
}

/// The one node of an answer of `join`.
///
/// # Errors
/// If it is not there.
pub fn of_node<'a>(answer: &'a Value, name: &str) -> anyhow::Result<&'a Value> {
    let mut nodes = answer["nodes"].as_array().into_iter().flatten();
    nodes.find(|node| node["node"] == name).with_context(|| format!("no {name} in {answer:#}"))
}

/// What a call said, for messages.
///
/// # Errors
/// If it did not end so.
pub fn ends_with(output: &Output, code: i32) -> anyhow::Result<String> {
    let said = programs::said(output);
    ensure!(output.code == code, "it ends with {}, not {code}: {said}", output.code);
    Ok(said)
}
