//! A node in its cluster whose k3s is to become another version.
//!
//! In: the plan of its join, what the cluster says of its nodes. Out: a refusal where the versions would not go together,
//! the pods that have to go, the node emptied where that was asked for, and given back once it is Ready. What was emptied
//! is marked in the cluster, so that a run that was cut off is ended by the next one.

use super::kube::{DRAINED_FOR, Found};
use super::membership::Membership;
use super::outcome::Trouble;
use super::server::Server;
use blueprint::model::K3sRole;
use desired::NodeName;
use desired::change::Action;
use desired::plan::PlanDocument;
use desired::preflight::skew::forbidden;
use host::report::Task;
use std::collections::BTreeMap;

/// The program among a node's resources.
const PROGRAM: &str = "artifact:/usr/local/bin/k3s";

/// One node's k3s replaced while the node is in use.
#[derive(Debug)]
pub struct Upgrade<'a> {
    server: &'a Server,
    node: &'a NodeName,
    from: String,
    to: &'a str,
    was_cordoned: bool,
}

impl<'a> Upgrade<'a> {
    /// What the plan has of that kind; nothing where the cluster does not know the node.
    ///
    /// # Errors
    /// If the server can't be asked, or forbids the version.
    pub fn pending(
        plan: &PlanDocument,
        membership: &'a Membership<'_>,
        node: &'a NodeName,
    ) -> Result<Option<Self>, Trouble> {
        let is_replaced = plan
            .changes
            .iter()
            .any(|change| change.id.as_str() == PROGRAM && change.action == Action::Update);
        let (Some(k3s), Some(part), Some(server)) = (membership.k3s, membership.part, &membership.server)
        else {
            return Ok(None);
        };
        if !is_replaced {
            return Ok(None);
        }
        let nodes = server.nodes()?;
        let Some(found) = nodes.get(node.as_str()) else { return Ok(None) };
        if let Some(trouble) = skew(&nodes, node, part, &k3s.version) {
            return Err(trouble);
        }
        let (from, was_cordoned) = (found.version.clone(), found.cordoned);
        Ok(Some(Self { server, node, from, to: &k3s.version, was_cordoned }))
    }

    /// Shows which pods have to go and empties the node of them; without `drain` its pods run on while k3s is replaced.
    ///
    /// # Errors
    /// If a pod may not go.
    pub fn prepare(&self, drain: bool, task: &Task) -> Result<(), Trouble> {
        task.step(&format!("k3s goes from {} to {}", self.from, self.to));
        if !drain {
            task.step("its pods run on meanwhile; --drain moves them away first");
            return Ok(());
        }
        for eviction in self.server.evictions(self.node)? {
            task.step(&format!("evicts {eviction}"));
        }
        let name = self.node.as_str();
        // A person's own cordon is not ours to lift.
        if !self.was_cordoned {
            let mark = format!("{DRAINED_FOR}={}", self.to);
            self.server.kubectl(&["annotate", "node", name, "--overwrite", &mark])?;
        }
        self.server.drain(self.node, |line| task.step(line)).map_err(|trouble| {
            let fix = format!(
                "let what runs there start elsewhere first; it takes no new pods meanwhile: kubectl uncordon {name}"
            );
            Trouble::new(format!("it can't be emptied: {}", trouble.why), fix)
        })
    }
}

/// Lets pods come again to a node that we have emptied, as the cluster says of it.
///
/// # Errors
/// If the server can't be asked.
pub fn use_again(
    membership: &Membership<'_>,
    node: &NodeName,
    found: &Found,
    task: &Task,
) -> Result<(), Trouble> {
    let (Some(server), Some(_)) = (&membership.server, &found.drained_for) else { return Ok(()) };
    task.step("it takes pods again");
    server.kubectl(&["uncordon", node.as_str()])?;
    server.kubectl(&["annotate", "node", node.as_str(), &format!("{DRAINED_FOR}-")]).map(drop)
}

/// Why `node` can't run k3s `to` in this cluster, if so.
fn skew(nodes: &BTreeMap<String, Found>, node: &NodeName, part: K3sRole, to: &str) -> Option<Trouble> {
    if let Some((why, fix)) = forbidden(&nodes.get(node.as_str())?.version, to) {
        return Some(Trouble::new(why, fix));
    }
    if part.is_server() {
        return None;
    }
    let to_minor = minor(to)?;
    let servers = nodes.values().filter(|found| found.is_server());
    let oldest = servers.filter_map(|found| minor(&found.version)).min()?;
    let is_newer = to_minor > oldest;
    is_newer.then(|| {
        Trouble::new(
            format!("an agent of {to} would be newer than its server of v1.{oldest}"),
            "join the servers first; cargo xtask join all does so by itself",
        )
    })
}

/// The 34 of `v1.34.1+k3s1`.
fn minor(version: &str) -> Option<u32> {
    version.strip_prefix("v1.")?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes() -> BTreeMap<String, Found> {
        let of = |version: &str, is_server: bool| Found {
            version: version.to_owned(),
            labels: if is_server {
                BTreeMap::from([("node-role.kubernetes.io/control-plane".to_owned(), "true".to_owned())])
            } else {
                BTreeMap::new()
            },
            ..Found::default()
        };
        BTreeMap::from([
            ("first".to_owned(), of("v1.34.1+k3s1", true)),
            ("second".to_owned(), of("v1.35.0+k3s1", true)),
            ("worker".to_owned(), of("v1.33.4+k3s1", false)),
            ("ahead".to_owned(), of("v1.34.1+k3s1", false)),
        ])
    }

    fn said(node: &str, part: K3sRole, to: &str) -> Option<String> {
        skew(&nodes(), &node.parse().unwrap(), part, to).map(|trouble| trouble.why)
    }

    #[test]
    fn an_agent_is_never_newer_than_the_oldest_server() {
        assert_eq!(said("worker", K3sRole::Agent, "v1.34.9+k3s1"), None);
        assert!(said("worker", K3sRole::Agent, "v1.32.0+k3s1").unwrap().contains("an older k3s"));
        // The second server is there already, the first is not.
        assert!(said("ahead", K3sRole::Agent, "v1.35.1+k3s1").unwrap().contains("newer than its server"));
    }

    #[test]
    fn a_server_goes_forward_by_one() {
        assert_eq!(said("first", K3sRole::FirstServer, "v1.35.1+k3s1"), None);
        assert!(said("first", K3sRole::FirstServer, "v1.36.0+k3s1").unwrap().contains("one minor version"));
        assert!(said("second", K3sRole::Server, "v1.34.9+k3s1").unwrap().contains("an older k3s"));
    }
}
