//! A node's part in its cluster, as the cluster itself sees it.
//!
//! In: the profile's part of a node, the first server, the machine. Out: whether the node is Ready, whether its name is
//! free, and a wait that ends with the reason where it does not become Ready.

use super::kube::Found;
use super::machine::Machine;
use super::outcome::Trouble;
use super::server::Server;
use blueprint::model::{K3s, K3sRole};
use desired::NodeName;
use host::ssh::Connection;
use std::time::{Duration, Instant};

/// How long a node may take from a joined machine to Ready: 8 s on a fast one, minutes on a Pi that unpacks images.
const READY: Duration = Duration::from_secs(300);
/// How often it is looked at.
const GLANCE: Duration = Duration::from_secs(2);

/// A node's part in its cluster, and whom to ask about it.
#[derive(Debug)]
pub struct Membership<'a> {
    /// The cluster's k3s.
    pub k3s: Option<&'a K3s>,
    /// What the node does in it.
    pub part: Option<K3sRole>,
    name: &'a NodeName,
    /// The first server; for that one itself its own way.
    pub server: Option<Server>,
}

impl<'a> Membership<'a> {
    /// Of this node.
    pub fn of(
        k3s: Option<&'a K3s>,
        part: Option<K3sRole>,
        name: &'a NodeName,
        way: &Connection,
        server: Option<&Server>,
    ) -> Self {
        let own =
            || k3s.filter(|_| part == Some(K3sRole::FirstServer)).map(|k3s| Server::new(way.clone(), k3s));
        Self { k3s, part, name, server: server.cloned().or_else(own) }
    }

    fn unit(&self) -> &'static str {
        if self.part.is_some_and(K3sRole::is_server) { "k3s.service" } else { "k3s-agent.service" }
    }

    /// What the cluster says of it, if it is Ready and its unit runs: either alone can be stale. Without k3s there is
    /// nothing to be.
    pub fn ready(&self, machine: &Machine<'_>) -> Result<Option<Found>, Trouble> {
        let (Some(_), Some(server)) = (self.part, &self.server) else { return Ok(Some(Found::default())) };
        if !machine.is_active(self.unit()) {
            return Ok(None);
        }
        Ok(server.nodes()?.remove(self.name.as_str()).filter(|node| node.ready))
    }

    /// The cluster calls a node Ready for most of a minute after its last word, so also while its k3s is restarted: it has
    /// come back once it tells the version that it was given.
    fn is_renewed(&self, found: &Found) -> bool {
        self.k3s.is_none_or(|k3s| k3s.version == found.version)
    }

    /// A machine without the password of its name would be rejected, and nobody would see why (FIELD K8).
    pub fn refuse_taken_name(&self, machine: &Machine<'_>) -> Result<(), Trouble> {
        let (Some(K3sRole::Agent | K3sRole::Server), Some(server)) = (self.part, &self.server) else {
            return Ok(());
        };
        if machine.has_node_password()? || !server.knows_password(self.name)? {
            return Ok(());
        }
        Err(Trouble::new(
            "the cluster knows another machine by this name [K8]",
            format!("if this one takes its place: cargo xtask replace {}", self.name),
        ))
    }

    /// Waits until it is Ready, or tells why it is not.
    pub fn wait(&self, machine: &Machine<'_>, task: &host::report::Task) -> Result<Found, Trouble> {
        if self.part.is_none() {
            return Ok(Found::default());
        }
        task.step("waiting until the cluster calls it Ready");
        let (begun, mut silent) = (Instant::now(), None);
        while begun.elapsed() < READY {
            // A server that has just started does not answer at once.
            match self.ready(machine) {
                Ok(Some(found)) if self.is_renewed(&found) => return Ok(found),
                Ok(_) => silent = None,
                Err(trouble) => silent = Some(trouble),
            }
            std::thread::sleep(GLANCE);
        }
        Err(machine.doctor().or(silent).unwrap_or_else(|| {
            let unit = self.unit();
            Trouble::new(
                format!("it joined, and is not Ready after {} s", READY.as_secs()),
                format!("look at its journal: journalctl -u {unit}"),
            )
        }))
    }
}
