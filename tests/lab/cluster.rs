//! A real k3s cluster of containers, set up from what we render for `tests/fixtures/clusters/lab`.
//!
//! In: the lab with its engine, nodes and k3s. Out: [`Cluster`], whose server is Ready, with calls of `kubectl` on it,
//! tokens of short life, and further nodes: plain ones for whoever joins them, or ones that got our files by hand. One
//! cluster stands at a time, since two share two cores badly.

use super::Lab;
use super::bundle::{Bundle, CLUSTER};
use super::node::{Network, Node, Options, Release, STICK, wait_for};
use crate::clusters::{resolved, stand_in_pins};
use crate::programs::{answering, said};
use anyhow::{Context as _, bail, ensure};
use blueprint::model::{self, Model};
use blueprint::parse::Source;
use desired::{FileSet, Mode};
use host::process::Output;
use host::secret::Secret;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a node may take to be Ready: 8 s when idle, many times that beside a compiler.
pub const READY: Duration = Duration::from_secs(240);
/// Where the profile's nodes read their token.
const TOKEN: &str = "etc/rancher/k3s/token";
/// The server's own secret; nothing but the trial's private network ever sees it.
const SERVER_SECRET: &str = "only-for-the-lab";

/// A person's own file beside ours, as FIELD K26 has it.
const OWN_SETTINGS: &str = "etc/rancher/k3s/config.yaml.d/50-lab.yaml";
/// Both of them want images from the internet.
const OWN: &str = "disable-helm-controller: true\ndisable-network-policy: true\n";

pub(super) static TURN: Mutex<()> = Mutex::new(());

/// A server that is Ready, and its network.
#[derive(Debug)]
pub struct Cluster<'lab> {
    // Dropped in this order: machines, network, what k3s changed on this machine, then the turn goes on.
    server: Node<'lab>,
    network: Network<'lab>,
    _machine: MachineSettings,
    _turn: MutexGuard<'static, ()>,
    lab: &'lab Lab,
    model: Model,
}

impl<'lab> Cluster<'lab> {
    /// Starts the server from our files and waits until it is Ready.
    ///
    /// # Errors
    /// If it does not become Ready, with the end of its journal.
    pub fn start(lab: &'lab Lab) -> anyhow::Result<Self> {
        // A trial that failed while it had its turn is no reason for the next to fail.
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let machine = MachineSettings::keep();
        let network = Network::of_cluster(lab.engine())?;
        let model = profile(CLUSTER)?;
        let wanted = model.first_server().context("the profile has a server")?;
        let options =
            Options { address: Some(wanted.address), k3s: Some((lab.k3s(), true)), ..Options::default() };
        let server = Node::start(lab, wanted.name.as_str(), &network, &options)?;
        server.copy_in(&lab.k3s().manifests(), "/var/lib/rancher/k3s/server/manifests")?;
        let mut files = files(&model, wanted)?;
        files.insert(TOKEN, Mode::PRIVATE, format!("{SERVER_SECRET}\n"))?;
        files.insert(OWN_SETTINGS, Mode::PRIVATE, OWN)?;
        server.place(&files)?;
        server.start_unit("k3s.service")?;
        let cluster = Self { server, network, _machine: machine, _turn: turn, lab, model };
        cluster.wait_ready(&cluster.server)?;
        Ok(cluster)
    }

    /// A server that joined with the product from its bundle, and is Ready.
    ///
    /// # Errors
    /// If the join fails, or it does not become Ready.
    pub fn joined(lab: &'lab Lab) -> anyhow::Result<Self> {
        let bundle = Bundle::of(lab)?;
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let machine = MachineSettings::keep();
        let network = Network::of_cluster(lab.engine())?;
        let model = profile(CLUSTER)?;
        let wanted = model.first_server().context("the profile has a server")?;
        let stick = bundle.stick();
        let options = Options {
            address: Some(wanted.address),
            k3s: Some((lab.k3s(), false)),
            stick: Some(&stick),
            ..Options::default()
        };
        let server = Node::start(lab, wanted.name.as_str(), &network, &options)?;
        server.copy_in(&lab.k3s().manifests(), "/var/lib/rancher/k3s/server/manifests")?;
        let mut files = FileSet::new();
        files.insert("root/server-token", Mode::PRIVATE, format!("{SERVER_SECRET}\n"))?;
        files.insert(OWN_SETTINGS, Mode::PRIVATE, OWN)?;
        server.place(&files)?;
        let cluster = Self { server, network, _machine: machine, _turn: turn, lab, model };
        let output = join(&cluster.server)?;
        ensure!(output.code == 0, "join on the server ends with {}: {}", output.code, said(&output));
        cluster.wait_ready(&cluster.server)?;
        Ok(cluster)
    }

    /// A node of the profile with its name, its address and the stick, but no k3s; with `token` as a person lays it down.
    ///
    /// # Errors
    /// If the profile has no such node, or it does not boot.
    pub fn fresh(&self, name: &str, token: &Secret) -> anyhow::Result<Node<'lab>> {
        self.fresh_of(Release::default(), name, token)
    }

    /// The same of any release.
    ///
    /// # Errors
    /// As [`Self::fresh`].
    pub fn fresh_of(&self, release: Release, name: &str, token: &Secret) -> anyhow::Result<Node<'lab>> {
        let stick = Bundle::of(self.lab)?.stick();
        let options = Options {
            address: Some(self.wanted(name)?.address),
            k3s: Some((self.lab.k3s(), false)),
            stick: Some(&stick),
            release,
        };
        let node = Node::start(self.lab, name, &self.network, &options)?;
        lay_token(&node, token)?;
        Ok(node)
    }

    /// The model all nodes come from.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The bundle its nodes join from.
    ///
    /// # Errors
    /// If it can't be built.
    pub fn bundle(&self) -> anyhow::Result<&'static Bundle> {
        Bundle::of(self.lab)
    }

    /// The server.
    #[must_use]
    pub fn server(&self) -> &Node<'lab> {
        &self.server
    }

    /// A node of the profile with its name and address and nothing else. With `k3s`, the program is where our units
    /// start it.
    ///
    /// # Errors
    /// If the profile has no such node, or it does not boot.
    pub fn plain(&self, name: &str, k3s: bool) -> anyhow::Result<Node<'lab>> {
        let address = Some(self.wanted(name)?.address);
        let options = Options { address, k3s: Some((self.lab.k3s(), k3s)), ..Options::default() };
        Node::start(self.lab, name, &self.network, &options)
    }

    /// A node of the profile with our files of k3s, the token, and the unit started; it may not be Ready yet.
    ///
    /// # Errors
    /// As [`Self::plain`], or if the files can't be placed.
    pub fn agent(&self, name: &str, token: &Secret) -> anyhow::Result<Node<'lab>> {
        let node = self.plain(name, true)?;
        let mut files = files(&self.model, self.wanted(name)?)?;
        files.insert(TOKEN, Mode::PRIVATE, format!("{}\n", token.expose()))?;
        node.place(&files)?;
        node.start_unit("k3s-agent.service")?;
        Ok(node)
    }

    /// A token that joins agents for as long as `life` says (`1h`), with the CA's hash in it (FIELD K11, K14).
    ///
    /// # Errors
    /// If the server makes none.
    pub fn token(&self, life: &str) -> anyhow::Result<Secret> {
        let token = self.server.said("k3s", &["token", "create", "--ttl", life])?;
        let token = token.trim();
        ensure!(token.starts_with("K10"), "the server's token has no hash of its CA");
        Ok(Secret::new(token))
    }

    /// What kubectl answers on the server, in JSON: an object, or with `--raw` what the API says at a path.
    ///
    /// # Errors
    /// If it fails.
    pub fn kubectl(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let form: &[&str] = if arguments.contains(&"--raw") { &[] } else { &["-o", "json"] };
        let text = self.server.said("kubectl", &[arguments, form].concat())?;
        serde_json::from_str(&text).with_context(|| format!("kubectl {}", arguments.join(" ")))
    }

    /// Waits until the cluster calls the node Ready and its unit is active: either alone can be stale after a crash.
    ///
    /// # Errors
    /// If that does not come, with the end of the unit's journal.
    pub fn wait_ready(&self, node: &Node<'_>) -> anyhow::Result<Value> {
        let unit = if node.name() == self.server.name() { "k3s.service" } else { "k3s-agent.service" };
        let waited = wait_for(&format!("{} is Ready", node.name()), READY, || {
            let ask = node.call("systemctl").args(["is-active", unit]).accept([0, 3, 4]);
            let is_active = ask.run()?.code == 0;
            Ok(if is_active { self.ready(node.name()) } else { None })
        });
        match waited {
            Ok(found) => Ok(found),
            Err(error) => bail!("{error:#}; its journal ends: {}", node.journal(unit, 15)?),
        }
    }

    /// The node's object if it is Ready; none also while the server does not answer yet.
    fn ready(&self, name: &str) -> Option<Value> {
        let found = self.kubectl(&["get", "node", name]).ok()?;
        let conditions = found["status"]["conditions"].as_array()?;
        let is_ready = conditions.iter().any(|of| of["type"] == "Ready" && of["status"] == "True");
        is_ready.then_some(found)
    }

    fn wanted(&self, name: &str) -> anyhow::Result<&model::Node> {
        let found = self.model.nodes.values().find(|node| node.name.as_str() == name);
        found.with_context(|| format!("the profile has no node {name}"))
    }
}

/// `join --yes` on a node, from the stick; every exit code is an answer.
///
/// # Errors
/// If the node does not answer.
pub fn join(node: &Node<'_>) -> anyhow::Result<Output> {
    bootstrap(node, &["join", "--yes"])
}

/// A call of the product on a node, from the stick.
///
/// # Errors
/// If the node does not answer.
pub fn bootstrap(node: &Node<'_>, words: &[&str]) -> anyhow::Result<Output> {
    let call = node.call(&format!("{STICK}/bootstrap")).args(words.iter().copied());
    answering(call).run().with_context(|| format!("bootstrap on {}", node.name()))
}

/// Lays a join token where the profile says that it is.
///
/// # Errors
/// If it can't be written.
pub fn lay_token(node: &Node<'_>, token: &Secret) -> anyhow::Result<()> {
    let mut files = FileSet::new();
    files.insert("root/join-token", Mode::PRIVATE, format!("{}\n", token.expose()))?;
    node.place(&files)
}

/// The profile of a cluster.
pub(super) fn profile(cluster: &str) -> anyhow::Result<Model> {
    let path = super::bundle::profile(cluster);
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let resolution = resolved(cluster, &Source::new(format!("{cluster}/cluster.toml"), text), &[]);
    let found = resolution.findings;
    resolution.model.with_context(|| format!("the profile of {cluster}: {found:?}"))
}

/// Our files of k3s for a node, where they belong; without the program, which the lab has, and the token, whose file
/// at the desk holds a reference.
fn files(model: &Model, node: &model::Node) -> anyhow::Result<FileSet> {
    let rendered = blueprint::render::node(model, node, &stand_in_pins(model)?)?.files;
    let mut files = FileSet::new();
    for (path, entry) in rendered.iter() {
        let Some(path) = path.strip_prefix("rootfs/").filter(|path| *path != TOKEN) else { continue };
        let is_of_k3s = ["etc/rancher/", "var/lib/rancher/", "etc/systemd/system/k3s"];
        if is_of_k3s.iter().any(|start| path.starts_with(start)) {
            files.insert(path, entry.mode, entry.content.clone())?;
        }
    }
    ensure!(!files.is_empty(), "nothing of k3s is rendered for {}", node.name);
    Ok(files)
}

/// Settings of the kernel that a kubelet changes, in a container for the whole machine; put back when dropped.
#[derive(Debug)]
pub(super) struct MachineSettings(Vec<(PathBuf, String)>);

impl MachineSettings {
    const NAMES: [&str; 6] = [
        "kernel/keys/root_maxbytes",
        "kernel/keys/root_maxkeys",
        "kernel/panic",
        "kernel/panic_on_oops",
        "vm/overcommit_memory",
        "vm/panic_on_oom",
    ];

    pub(super) fn keep() -> Self {
        let paths = Self::NAMES.iter().map(|name| PathBuf::from("/proc/sys").join(name));
        Self(paths.filter_map(|path| Some((path.clone(), std::fs::read_to_string(path).ok()?))).collect())
    }
}

impl Drop for MachineSettings {
    fn drop(&mut self) {
        for (path, value) in &self.0 {
            // What can't be put back was not ours to change either.
            let _ = std::fs::write(path, value);
        }
    }
}
