//! The cluster's first server, over ssh: who may ask it may change the cluster.
//!
//! In: a connection. Out: kubectl's answers as JSON, tokens, and the rendered script of labels and taints run there.

use super::evictions::{Eviction, evictions};
use super::kube::{self, Found};
use super::outcome::Trouble;
use blueprint::model::K3s;
use desired::NodeName;
use host::process::Invocation;
use host::secret::Secret;
use host::ssh::Connection;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Where our resources put the program; sudo's own PATH often lacks the folder.
const K3S: &str = "/usr/local/bin/k3s";
/// kubectl by itself where somebody has put it on PATH, else the one in k3s; with the cluster's own settings for both.
const KUBECTL: &str = "PATH=/usr/local/sbin:/usr/local/bin:$PATH; KUBECONFIG=/etc/rancher/k3s/k3s.yaml
export PATH KUBECONFIG
if command -v kubectl >/dev/null 2>&1; then exec kubectl \"$@\"; else exec k3s kubectl \"$@\"; fi";
/// How long a minted token lives: long enough for packages and images over a slow line (FIELD K14).
const LIFE: &str = "1h";
/// How long pods may take to end in order.
const DRAIN: Duration = Duration::from_secs(900);
/// How long a server that has just started may take until it makes tokens.
const PATIENCE: Duration = Duration::from_secs(60);

/// The first server.
#[derive(Debug, Clone)]
pub struct Server {
    connection: Connection,
    data_directory: String,
}

impl Server {
    /// The server at the end of `connection`.
    pub fn new(connection: Connection, k3s: &K3s) -> Self {
        Self { connection, data_directory: k3s.data_dir.to_string() }
    }

    /// A call of kubectl there.
    pub fn call(&self, words: &[&str]) -> Invocation {
        self.connection.script(KUBECTL, words)
    }

    /// What kubectl prints.
    pub fn kubectl(&self, words: &[&str]) -> Result<String, Trouble> {
        Ok(self.connection.run(&self.call(words))?.text())
    }

    /// The same with every line of talk handed over, for calls that take long.
    pub fn kubectl_streaming(
        &self,
        words: &[&str],
        limit: Duration,
        line: impl FnMut(&str),
    ) -> Result<String, Trouble> {
        Ok(self.connection.run_streaming(&self.call(words).timeout(limit), line)?.text())
    }

    /// What kubectl answers in JSON; nothing where the cluster has no such thing.
    pub fn list(&self, words: &[&str]) -> Result<Value, Trouble> {
        let words = [words, &["--ignore-not-found", "-o", "json"]].concat();
        let output = self.connection.run(&self.call(&words).accept([0, 1]))?;
        if output.code != 0 && !output.stderr_tail.contains("the server doesn't have a resource type") {
            let said = output.stderr_tail.trim().to_owned();
            return Err(Trouble::new(said, "look at the server: sudo k3s kubectl get nodes"));
        }
        if output.stdout.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&output.stdout).map_err(|error| {
            Trouble::new(format!("kubectl's answer can't be read: {error}"), "run this again")
        })
    }

    /// Every node the cluster knows.
    pub fn nodes(&self) -> Result<BTreeMap<String, Found>, Trouble> {
        Ok(kube::nodes(&self.list(&["get", "nodes"])?))
    }

    /// What a drain of that node would end now.
    pub fn evictions(&self, node: &NodeName) -> Result<Vec<Eviction>, Trouble> {
        let on_it = format!("spec.nodeName={node}");
        let pods = self.list(&["get", "pods", "-A", "--field-selector", &on_it])?;
        let budgets = self.list(&["get", "poddisruptionbudgets", "-A"])?;
        Ok(evictions(&pods, &budgets))
    }

    /// Cordons it and ends its pods in order.
    pub fn drain(&self, node: &NodeName, line: impl FnMut(&str)) -> Result<(), Trouble> {
        let words = [
            "drain",
            node.as_str(),
            "--ignore-daemonsets",
            "--delete-emptydir-data",
            "--force",
            "--timeout=300s",
            // A machine that died a moment ago still counts as Ready.
            "--skip-wait-for-delete-timeout=60",
        ];
        self.kubectl_streaming(&words, DRAIN, line).map(drop)
    }

    /// A token that joins agents for an hour and no longer; asked again while the server is still starting.
    pub fn mint(&self) -> Result<Secret, Trouble> {
        let make = Invocation::new(K3S).args(["token", "create", "--ttl", LIFE]);
        let begun = Instant::now();
        loop {
            match self.connection.run(&self.connection.call_as_root(&make)) {
                Ok(output) => {
                    let text = output.text();
                    let token = text.lines().map(str::trim).find(|line| line.starts_with("K10"));
                    let none =
                        || Trouble::new("the server made no full token", "on it: sudo k3s token create");
                    return token.map(Secret::new).ok_or_else(none);
                }
                Err(error) if begun.elapsed() > PATIENCE => return Err(error.into()),
                Err(_) => std::thread::sleep(Duration::from_secs(2)),
            }
        }
    }

    /// The token further servers join with, which only a server has (FIELD K11, K12).
    pub fn own_token(&self) -> Result<Secret, Trouble> {
        let file = format!("{}/server/token", self.data_directory);
        let read = Invocation::new("cat").arg(file);
        Ok(Secret::new(self.connection.run(&self.connection.call_as_root(&read))?.text()))
    }

    /// Whether the cluster keeps a password for that name, with or without a node (FIELD K8).
    pub fn knows_password(&self, node: &NodeName) -> Result<bool, Trouble> {
        let name = password_secret(node);
        let found =
            self.kubectl(&["-n", "kube-system", "get", "secret", &name, "--ignore-not-found", "-o", "name"])?;
        Ok(!found.trim().is_empty())
    }

    /// Runs the rendered script of labels and taints; a node that is not registered yet is no failure.
    pub fn apply(&self, script: &[u8]) -> Result<(), Trouble> {
        let path = "PATH=/usr/local/sbin:/usr/local/bin:$PATH; export PATH; exec sh -s";
        let call = self.connection.script(path, &[]).stdin(script).accept([0, 3]);
        Ok(self.connection.run(&call).map(drop)?)
    }
}

/// The secret in `kube-system` that locks a node's name.
pub fn password_secret(node: &NodeName) -> String {
    format!("{node}.node-password.k3s")
}
