//! The desk: which cluster, what was built for it, and the way to its machines.
//!
//! In: the command line's words. Out: [`Desk`] with the cluster's model, and machines that are reached side by side; where
//! ssh wants to know something, a person at the terminal is asked, one machine after the other.

use super::crew;
use super::outcome::Trouble;
use super::selection::{self, Clusters};
use crate::common::Common;
use crate::exit::{Code, Failure};
use crate::load;
use blueprint::model::{Model, Node};
use desired::NodeName;
use host::report::{Kind, Report, Style, Task};
use host::ssh::{Asking, Connection, Destination, Ssh, SshError};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// One cluster, and connections to its machines.
#[derive(Debug)]
pub struct Desk {
    /// The cluster.
    pub model: Model,
    /// Progress.
    pub report: Report,
    /// At most so many machines at the same time.
    pub limit: usize,
    ssh: Ssh,
    /// A machine that is looked at again is gone to by the same connection.
    ways: Mutex<BTreeMap<NodeName, Connection>>,
}

/// How work on machines is shown.
pub const fn style(common: &Common) -> Style {
    if common.json { Style::Json } else { Style::Auto }
}

/// One node that is worked on.
#[derive(Debug)]
pub struct Work {
    /// Which.
    pub name: NodeName,
    /// Its line on the screen.
    pub task: Task,
    /// The way to it, if there is one.
    pub way: Result<Connection, Trouble>,
}

/// A way that did not open by itself.
#[derive(Debug)]
struct Closed {
    trouble: Trouble,
    /// The way, where an answer of a person may open it.
    way: Option<Box<Connection>>,
}

impl Closed {
    fn new(error: SshError, way: Option<Connection>) -> Self {
        Self { trouble: error.into(), way: way.map(Box::new) }
    }
}

impl Desk {
    /// The cluster and nodes that `words` mean.
    pub fn open(
        common: &Common,
        words: &[String],
        limit: usize,
        style: Style,
    ) -> Result<(Self, Vec<NodeName>), Failure> {
        let profiles = load::profiles_folder(common)?;
        let is_cluster = |word: &&String| profiles.join(word).join("cluster.toml").is_file();
        let named: Vec<String> = words.iter().filter(is_cluster).cloned().collect();
        let models = load::load_valid(common, &named)?;
        let clusters: Clusters = models
            .iter()
            .map(|(_, model)| {
                (model.name.to_string(), model.linux_nodes().map(|node| node.name.clone()).collect())
            })
            .collect();
        let (cluster, nodes) =
            selection::select(words, &clusters).map_err(|why| Failure::new(Code::Usage, why))?;
        let model = models.into_iter().map(|(_, model)| model).find(|model| model.name.as_str() == cluster);
        let model = model.expect("the selection is one of the loaded clusters");
        let ssh = Ssh::new().map_err(Failure::with(Code::Missing))?;
        let report = Report::new(style);
        Ok((Self { model, report, limit, ssh, ways: Mutex::default() }, nodes))
    }

    /// The model of a node of this cluster.
    pub fn node(&self, name: &NodeName) -> &Node {
        &self.model.nodes[name]
    }

    /// Reaches `nodes` side by side; each has its line from now on.
    pub fn reach(&self, nodes: &[NodeName]) -> Vec<Work> {
        let tasks: Vec<(NodeName, Task)> = nodes
            .iter()
            .map(|name| (name.clone(), self.report.task(Kind::Node, name.as_str(), None)))
            .collect();
        let ways = crew::each(self.limit, &tasks, |(name, task)| self.try_way(name, task));
        tasks.into_iter().zip(ways).map(|((name, task), way)| self.ask(name, task, way)).collect()
    }

    /// The way without a question, or why there is none, and the way that a question could open.
    fn try_way(&self, name: &NodeName, task: &Task) -> Result<Connection, Closed> {
        let connection = self.connection(name)?;
        task.step(&format!("reaching {}", connection.destination()));
        match connection.reach() {
            Ok(_) => Ok(connection),
            Err(error) => {
                let way = error.wants_answer().then_some(connection);
                Err(Closed::new(error, way))
            }
        }
    }

    fn connection(&self, name: &NodeName) -> Result<Connection, Closed> {
        let ways = || self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = ways().get(name) {
            return Ok(known.clone());
        }
        let node = self.node(name);
        let destination = Destination::of(name.as_str(), &node.address.to_string(), &self.model.admin_user)
            .map_err(|error| Closed::new(error, None))?;
        let connection = self.ssh.to(destination, Asking::Never);
        ways().insert(name.clone(), connection.clone());
        Ok(connection)
    }

    fn ask(&self, name: NodeName, task: Task, way: Result<Connection, Closed>) -> Work {
        let way = match way {
            Err(Closed { way: Some(way), .. }) if Asking::possible() => {
                let connection = way.asking(Asking::Allowed);
                let reached = self.report.suspend(|| connection.reach().map(drop));
                reached.map(|()| connection.asking(Asking::Never)).map_err(Trouble::from)
            }
            other => other.map_err(|closed| closed.trouble),
        };
        Work { name, task, way }
    }
}
