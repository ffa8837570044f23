//! Labels and taints, set from the server once nodes are registered (FIELD K15, K16).
//!
//! In: the list and the script that `build-images` rendered. Out: the script run on the server where anything differs, and
//! what still differs afterwards, by node.

use super::kube::{Wanted, lacking};
use super::outcome::Trouble;
use super::server::Server;
use crate::exit::{Code, Failure};
use crate::verbs::build_images::current::Built;
use anyhow::Context as _;
use desired::NodeName;
use std::collections::BTreeMap;

/// The rendered list and script.
#[derive(Debug)]
pub struct Metadata {
    /// What the profile wants, by node.
    pub wanted: BTreeMap<NodeName, Wanted>,
    script: Vec<u8>,
}

impl Metadata {
    /// Reads both; a cluster without k3s has neither.
    pub fn read(built: &Built) -> Result<Self, Failure> {
        let folder = built.folder.join("cluster/k3s");
        if !folder.is_dir() {
            return Ok(Self { wanted: BTreeMap::new(), script: Vec::new() });
        }
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read(&path)
                .with_context(|| format!("read {}", path.display()))
                .map_err(Failure::with(Code::Missing))
        };
        let list: Vec<Wanted> =
            serde_json::from_slice(&read("node-metadata.json")?).context("read node-metadata.json")?;
        let wanted = list.into_iter().map(|one| (one.node.clone(), one)).collect();
        Ok(Self { wanted, script: read("apply-node-metadata.sh")? })
    }

    /// Sets what differs on `nodes`; gives what differs all the same.
    pub fn reconcile(
        &self,
        server: &Server,
        nodes: &[&NodeName],
    ) -> Result<BTreeMap<NodeName, Vec<String>>, Trouble> {
        if self.differing(server, nodes)?.is_empty() {
            return Ok(BTreeMap::new());
        }
        server.apply(&self.script)?;
        self.differing(server, nodes)
    }

    fn differing(
        &self,
        server: &Server,
        nodes: &[&NodeName],
    ) -> Result<BTreeMap<NodeName, Vec<String>>, Trouble> {
        let found = server.nodes()?;
        let mut differing = BTreeMap::new();
        for wanted in nodes.iter().filter_map(|node| self.wanted.get(*node)) {
            let lacks = match found.get(wanted.node.as_str()) {
                Some(found) => lacking(wanted, found),
                None => vec!["its registration".to_owned()],
            };
            if !lacks.is_empty() {
                differing.insert(wanted.node.clone(), lacks);
            }
        }
        Ok(differing)
    }
}
