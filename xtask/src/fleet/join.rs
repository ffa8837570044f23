//! Many machines joined: in stages, each machine step by step, one's failure never in the way of the others.
//!
//! In: the desk, what was built, nodes that were reached. Out: how each of them ended. A node counts as converged once
//! `bootstrap` there has nothing left to do, the cluster calls it Ready, and its labels and taints are as the profile has
//! them.

use super::crew;
use super::desk::{Desk, Work};
use super::machine::Machine;
use super::membership::Membership;
use super::metadata::Metadata;
use super::order::{Stage, stages};
use super::outcome::{Ended, Outcome, Trouble};
use super::secrets;
use super::server::Server;
use super::upgrade::{self, Upgrade};
use crate::verbs::build_images::current::Built;
use blueprint::model::K3sRole;
use desired::cluster_manifest::BundleRow;
use desired::plan::PlanDocument;
use desired::{Arch, NodeName};
use host::ssh::Connection;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The token's file among a node's resources.
const TOKEN: &str = "secret-file:/etc/rancher/k3s/token";

/// One run over many nodes.
#[derive(Debug)]
pub struct Joining<'a> {
    /// The desk.
    pub desk: &'a Desk,
    /// What was built.
    pub built: &'a Built,
    /// Labels and taints.
    pub metadata: &'a Metadata,
    /// Machines whose k3s changes are emptied of pods first, and take turns.
    pub drain: Option<&'a Mutex<()>>,
}

/// What came of bringing the bundle to one machine.
#[derive(Debug)]
struct Prepared {
    /// Bytes that were sent.
    sent: Result<u64, Trouble>,
    duration: Duration,
}

/// The server for those who need it, or why it is not to be had.
type ServerState = Option<Result<Server, String>>;

impl Joining<'_> {
    /// Joins all of `nodes`. The bundles go out to all of them at once, before anybody waits for a server.
    pub fn all(&self, nodes: &[NodeName]) -> Vec<Ended> {
        let reached = self.desk.reach(nodes);
        let prepared = crew::each(self.desk.limit, &reached, |work| self.prepare(work));
        let works: BTreeMap<NodeName, (Work, Prepared)> = reached
            .into_iter()
            .zip(prepared)
            .map(|(work, ready)| (work.name.clone(), (work, ready)))
            .collect();
        let parts: Vec<_> = nodes.iter().map(|name| (name.clone(), self.desk.node(name).k3s)).collect();
        let mut server = self.other_server(nodes);
        let mut ended = Vec::new();
        for stage in stages(&parts) {
            let done = crew::each(self.desk.limit, &stage.nodes, |name| {
                let (work, prepared) = &works[name];
                self.one(work, prepared, &stage, &server)
            });
            if stage.part == Some(K3sRole::FirstServer) {
                server = self.first_server(&works[&stage.nodes[0]].0, done.first());
            }
            ended.extend(done);
        }
        self.label(&mut ended, &server);
        for (work, _) in works.into_values() {
            close(work, &ended);
        }
        ended
    }

    /// A reached machine of the right kind, with the bundle on it.
    fn prepare(&self, work: &Work) -> Prepared {
        let begun = Instant::now();
        let push = || -> Result<u64, Trouble> {
            let machine = self.machine(&work.name, work.way.as_ref().map_err(Clone::clone)?)?;
            machine.check(self.desk.node(&work.name))?;
            Ok(machine.push(&work.task)?.sent)
        };
        Prepared { sent: push(), duration: begun.elapsed() }
    }

    /// A machine and the bundle for its architecture.
    pub fn machine<'way>(
        &'way self,
        name: &'way NodeName,
        way: &'way Connection,
    ) -> Result<Machine<'way>, Trouble> {
        let bundle = self.bundle(self.desk.node(name).arch)?;
        let archive = self.built.folder.join(&bundle.file);
        Ok(Machine { connection: way, name, bundle, archive })
    }

    /// The first server where it is not among the nodes of this run and one of them needs it.
    fn other_server(&self, nodes: &[NodeName]) -> ServerState {
        let k3s = self.desk.model.k3s.as_ref()?;
        let first = self.desk.model.first_server()?;
        if nodes.contains(&first.name) || nodes.iter().all(|name| self.desk.node(name).k3s.is_none()) {
            return None;
        }
        let work = self.desk.reach(std::slice::from_ref(&first.name)).pop()?;
        let name = &first.name;
        Some(match work.way {
            Ok(way) => {
                work.task.finish("makes the tokens");
                Ok(Server::new(way, k3s))
            }
            Err(trouble) => {
                work.task.fail(&trouble.why);
                Err(format!(
                    "{name}, which makes the tokens, can't be asked: {}; {}",
                    trouble.why, trouble.fix
                ))
            }
        })
    }

    fn first_server(&self, work: &Work, ended: Option<&Ended>) -> ServerState {
        let k3s = self.desk.model.k3s.as_ref()?;
        let is_up = ended.is_some_and(|one| one.outcome == Outcome::Converged);
        Some(match &work.way {
            Ok(way) if is_up => Ok(Server::new(way.clone(), k3s)),
            _ => Err(format!("since {}, its server, failed", work.name)),
        })
    }

    fn one(&self, work: &Work, prepared: &Prepared, stage: &Stage, server: &ServerState) -> Ended {
        let begun = Instant::now();
        let arch = self.desk.node(&work.name).arch;
        let end = |outcome, changes| Ended {
            node: work.name.clone(),
            arch,
            outcome,
            changes,
            sent: *prepared.sent.as_ref().unwrap_or(&0),
            duration: prepared.duration + begun.elapsed(),
        };
        let way = match (&prepared.sent, &work.way) {
            (Err(trouble), _) | (_, Err(trouble)) => return end(Outcome::Failed(trouble.clone()), 0),
            (Ok(_), Ok(way)) => way,
        };
        let server = match server {
            Some(Err(why)) if matches!(stage.part, Some(K3sRole::Server | K3sRole::Agent)) => {
                return end(Outcome::NotTried { why: why.clone() }, 0);
            }
            Some(Ok(server)) => Some(server),
            _ => None,
        };
        match self.node(work, way, stage.part, server) {
            Ok(changes) => {
                work.task.step(if changes == 0 { "nothing to do" } else { "joined" });
                end(Outcome::Converged, changes)
            }
            Err(trouble) => {
                work.task.step(&format!("FAILED: {}", trouble.why));
                end(Outcome::Failed(trouble), 0)
            }
        }
    }

    /// The bundle for an architecture.
    fn bundle(&self, arch: Arch) -> Result<&BundleRow, Trouble> {
        let found = self.built.manifest.bundles.iter().find(|bundle| bundle.arch == arch);
        found.ok_or_else(|| {
            Trouble::new(
                format!("there is no bundle for {arch}"),
                format!("cargo xtask build-images {}", self.desk.model.name),
            )
        })
    }

    /// One node from a prepared machine to Ready; gives how many changes were made.
    pub fn node(
        &self,
        work: &Work,
        way: &Connection,
        part: Option<K3sRole>,
        server: Option<&Server>,
    ) -> Result<usize, Trouble> {
        let machine = self.machine(&work.name, way)?;
        let plan = machine.plan()?;
        let membership = Membership::of(self.desk.model.k3s.as_ref(), part, &work.name, way, server);
        let ready = membership.ready(&machine)?;
        if let Some(found) = ready.as_ref().filter(|_| pending(&plan) == 0) {
            upgrade::use_again(&membership, &work.name, found, &work.task)?;
            return Ok(0);
        }
        membership.refuse_taken_name(&machine)?;
        let secrets = self.secrets(&work.name, &plan, &membership, ready.is_some())?;
        let _turn = match Upgrade::pending(&plan, &membership, &work.name)? {
            Some(upgrade) => {
                let turn = self.drain.map(|turn| turn.lock().unwrap_or_else(PoisonError::into_inner));
                upgrade.prepare(turn.is_some(), &work.task)?;
                turn
            }
            None => None,
        };
        work.task.step(&format!("joining, {} changes", pending(&plan)));
        let joined = machine.join(&secrets, &work.task)?;
        let found = membership.wait(&machine, &work.task)?;
        upgrade::use_again(&membership, &work.name, &found, &work.task)?;
        // What the call did before its connection broke it could not tell: all that was pending is made.
        Ok(if joined.was_lost { pending(&plan).max(joined.changes) } else { joined.changes })
    }

    fn secrets(
        &self,
        name: &NodeName,
        plan: &PlanDocument,
        membership: &Membership<'_>,
        is_in: bool,
    ) -> Result<BTreeMap<desired::SecretReference, host::secret::Secret>, Trouble> {
        let resources = self.built.resources(name).map_err(|error| {
            let fix = format!("cargo xtask build-images {}", self.desk.model.name);
            Trouble::new(format!("{error:#}"), fix)
        })?;
        let references = secrets::references(&resources);
        let mut found = secrets::at_desk(&references);
        if let (Some(k3s), Some(part)) = (membership.k3s, membership.part) {
            let reference = secrets::token_reference(k3s, part);
            // A node that is in needs no token, and an agent never the one that lies at the desk.
            let token_is_pending = is_pending(plan, TOKEN);
            if part != K3sRole::FirstServer {
                found.remove(reference);
            }
            if token_is_pending || !is_in {
                let server = membership.server.as_ref();
                if let Some(token) = secrets::token(k3s, part, server)? {
                    found.insert(reference.clone(), token);
                }
            }
        }
        Ok(found)
    }

    /// Labels and taints of every node that joined; what can't be set makes its node fail.
    fn label(&self, ended: &mut [Ended], server: &ServerState) {
        let Some(Ok(server)) = server else { return };
        let is_in =
            |one: &&Ended| one.outcome == Outcome::Converged && self.desk.node(&one.node).k3s.is_some();
        let nodes: Vec<NodeName> = ended.iter().filter(is_in).map(|one| one.node.clone()).collect();
        let names: Vec<&NodeName> = nodes.iter().collect();
        if names.is_empty() {
            return;
        }
        let (differing, trouble) = match self.metadata.reconcile(server, &names) {
            Ok(differing) => (differing, None),
            Err(trouble) => (BTreeMap::new(), Some(trouble)),
        };
        let all: BTreeSet<&NodeName> = names.into_iter().collect();
        for one in ended.iter_mut().filter(|one| all.contains(&one.node)) {
            let lacks = differing.get(&one.node).map(|lacks| {
                Trouble::new(
                    format!("it still lacks {}", lacks.join(", ")),
                    "run this again, and look at the server",
                )
            });
            let unset = trouble.clone().filter(|_| self.metadata.wanted.contains_key(&one.node));
            if let Some(trouble) = lacks.or(unset) {
                one.outcome = Outcome::Failed(trouble);
            }
        }
    }
}

/// Takes the node's line off the screen with its end on it.
fn close(work: Work, ended: &[Ended]) {
    let outcome = ended.iter().find(|one| one.node == work.name).map(|one| (&one.outcome, one.changes));
    match outcome {
        Some((Outcome::Converged, 0)) => work.task.finish("nothing to do"),
        Some((Outcome::Converged, changes)) => work.task.finish(&format!("converged, {changes} changes")),
        Some((Outcome::Failed(trouble), _)) => work.task.fail(&trouble.why),
        Some((Outcome::NotTried { why }, _)) => work.task.fail(&format!("not tried, {why}")),
        None => work.task.fail("not tried"),
    }
}

fn pending(plan: &PlanDocument) -> usize {
    let counts = &plan.counts;
    counts.create + counts.update + counts.remove + counts.unknown
}

fn is_pending(plan: &PlanDocument, id: &str) -> bool {
    use desired::change::Action;
    let mut changes = plan.changes.iter();
    changes.any(|change| change.id.as_str() == id && !matches!(change.action, Action::None | Action::Left))
}
