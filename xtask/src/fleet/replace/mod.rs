//! One node replaced under its own name, step by step.
//!
//! In: the cluster's server, the machine that takes the place, and what an earlier run did. Out: the old node drained and
//! forgotten, the machine joined from nothing and Ready. What would be lost is looked at before the first change, and
//! shown; every step that ended is noted at the desk, so that a run that was cut off goes on.

pub mod journal;

use super::desk::Work;
use super::evictions::Eviction;
use super::join::Joining;
use super::kube::{self, Found};
use super::machine::Machine;
use super::outcome::Trouble;
use super::server::{Server, password_secret};
use super::storage::{last_replicas, tied_volumes};
use crate::exit::{Code, Failure};
use blueprint::model::K3sRole;
use desired::NodeName;
use host::ssh::Connection;
use journal::{Journal, Step};
use serde::Serialize;

/// What is seen before anything is changed.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Outlook {
    /// The cluster has such a node.
    pub is_registered: bool,
    /// Its machine still answers, as far as the cluster knows.
    pub is_ready: bool,
    /// Pods that a drain ends.
    pub evictions: Vec<Eviction>,
    /// Data that is on this node and nowhere else.
    pub losses: Vec<String>,
    /// Labels of a person, which go with the node's object.
    pub own_labels: Vec<String>,
}

/// One replacement.
#[derive(Debug)]
pub struct Replacing<'a> {
    joining: &'a Joining<'a>,
    work: &'a Work,
    way: &'a Connection,
    server: &'a Server,
    machine: Machine<'a>,
    part: K3sRole,
}

impl<'a> Replacing<'a> {
    /// Prepares it: the machine is of the right kind and has the bundle. Nothing in the cluster is changed.
    pub fn new(
        joining: &'a Joining<'a>,
        work: &'a Work,
        way: &'a Connection,
        server: &'a Server,
    ) -> Result<Self, Failure> {
        let node = joining.desk.node(&work.name);
        let part = match node.k3s {
            Some(K3sRole::FirstServer) => {
                return Err(refused(
                    &work.name,
                    &Trouble::new(
                        "it is the first server, and the cluster's data goes with it",
                        "restore a backup of its data folder onto the new machine, then: cargo xtask join",
                    ),
                ));
            }
            Some(part) => part,
            None => {
                return Err(refused(
                    &work.name,
                    &Trouble::new("it has no part in k3s", "write it anew and: cargo xtask join"),
                ));
            }
        };
        let fail = |trouble: Trouble| failed(&work.name, &trouble);
        let machine = joining.machine(&work.name, way).map_err(fail)?;
        machine.check(node).map_err(fail)?;
        machine.push(&work.task).map_err(fail)?;
        Ok(Self { joining, work, way, server, machine, part })
    }

    /// Looks at what the cluster has of it.
    pub fn look(&self) -> Result<Outlook, Failure> {
        self.look_at().map_err(|trouble| failed(&self.work.name, &trouble))
    }

    fn look_at(&self) -> Result<Outlook, Trouble> {
        let name = self.work.name.as_str();
        let nodes = self.server.nodes()?;
        let found = nodes.get(name);
        let mut losses = last_replicas(&self.server.list(&["get", "replicas.longhorn.io", "-A"])?, name);
        losses.extend(tied_volumes(&self.server.list(&["get", "persistentvolumes"])?, name));
        if self.part == K3sRole::Server {
            losses.extend(quorum(&nodes, name));
        }
        let wanted = self.joining.metadata.wanted.get(&self.work.name);
        Ok(Outlook {
            is_registered: found.is_some(),
            is_ready: found.is_some_and(|node| node.ready),
            evictions: self.server.evictions(&self.work.name)?,
            losses,
            own_labels: found.map(|node| kube::own_labels(wanted, node)).unwrap_or_default(),
        })
    }

    /// Every step that is not done yet. `drain` is false where pods are to be ended without being asked.
    pub fn run(&self, journal: &mut Journal, outlook: &Outlook, drain: bool) -> Result<(), Failure> {
        let name = self.work.name.as_str();
        let server = self.server;
        let is_here = outlook.is_registered;
        self.step(journal, Step::Cordoned, "cordon", || match is_here {
            true => server.kubectl(&["cordon", name]).map(drop),
            false => Ok(()),
        })?;
        self.step(journal, Step::Drained, "drain", || self.drain(outlook, drain))?;
        self.step(journal, Step::Left, "leave", || self.machine.leave(&self.work.task))?;
        self.step(journal, Step::Deleted, "delete node", || {
            server.kubectl(&["delete", "node", name, "--ignore-not-found", "--timeout=60s"])?;
            // Kubernetes ends them after a while, but only while no node has that name; the new machine would start them
            // again, without the data they had.
            let bound = format!("spec.nodeName={name}");
            let pods = ["delete", "pods", "--all-namespaces", "--field-selector", &bound];
            server.kubectl(&[&pods[..], &["--force", "--timeout=60s"]].concat()).map(drop)
        })?;
        // Also where there was no node: a first join that failed locks its own name.
        self.step(journal, Step::Forgotten, "forget the name's password", || {
            let secret = password_secret(&self.work.name);
            server
                .kubectl(&["-n", "kube-system", "delete", "secret", &secret, "--ignore-not-found"])
                .map(drop)
        })?;
        self.step(journal, Step::Joined, "join", || {
            self.joining.node(self.work, self.way, Some(self.part), Some(server)).map(drop)
        })?;
        self.step(journal, Step::Labelled, "labels and taints", || {
            let left = self.joining.metadata.reconcile(server, &[&self.work.name])?;
            match left.into_values().next() {
                Some(lacks) => {
                    Err(Trouble::new(format!("it still lacks {}", lacks.join(", ")), "run this again"))
                }
                None => Ok(()),
            }
        })?;
        self.step(journal, Step::Uncordoned, "uncordon", || server.kubectl(&["uncordon", name]).map(drop))
    }

    fn step(
        &self,
        journal: &mut Journal,
        step: Step,
        what: &str,
        work: impl FnOnce() -> Result<(), Trouble>,
    ) -> Result<(), Failure> {
        if journal.has(step) {
            self.work.task.step(&format!("{what}: done before"));
            return Ok(());
        }
        self.work.task.step(what);
        work().map_err(|trouble| {
            let again = format!("{}; then run this again, it goes on at `{what}`", trouble.fix);
            failed(&self.work.name, &Trouble::new(format!("{what}: {}", trouble.why), again))
        })?;
        journal.note(step)
    }

    /// Pods of a machine that is gone can't end in order; deleting the node frees them.
    fn drain(&self, outlook: &Outlook, drain: bool) -> Result<(), Trouble> {
        if !outlook.is_ready || !drain {
            self.work.task.step("not drained: its pods go with the node");
            return Ok(());
        }
        let talk = |line: &str| self.work.task.step(line);
        self.server.drain(&self.work.name, talk).map_err(|trouble| {
            Trouble::new(
                trouble.why,
                "let what runs there start elsewhere first, or end it with --dangerously-skip-drain",
            )
        })
    }
}

/// A server more or less is no matter while those that are left can decide.
fn quorum(nodes: &std::collections::BTreeMap<String, Found>, name: &str) -> Option<String> {
    let all = nodes.values().filter(|node| node.is_server()).count();
    let ready = nodes.iter().filter(|(other, node)| *other != name && node.is_server() && node.ready).count();
    let is_enough = ready * 2 > all;
    (!is_enough).then(|| format!("only {ready} of {all} servers would be left, which is no majority of etcd"))
}

/// A failure of that node.
pub fn failed(node: &NodeName, trouble: &Trouble) -> Failure {
    Failure::new(Code::Unexpected, format!("{node}: {}\n  fix: {}", trouble.why, trouble.fix))
}

/// The same where nothing was changed, for safety.
pub fn refused(node: &NodeName, trouble: &Trouble) -> Failure {
    Failure { code: Code::Refused, ..failed(node, trouble) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_server_goes_only_while_a_majority_stays() {
        let server = |ready| Found {
            ready,
            labels: BTreeMap::from([("node-role.kubernetes.io/control-plane".to_owned(), "true".to_owned())]),
            ..Found::default()
        };
        let nodes = |states: [bool; 3]| {
            let names = ["a", "b", "c"].map(str::to_owned);
            names.into_iter().zip(states.map(server)).collect::<BTreeMap<_, _>>()
        };
        assert_eq!(quorum(&nodes([true, true, false]), "c"), None);
        assert!(quorum(&nodes([true, false, false]), "c").unwrap().contains("1 of 3"));
    }
}
