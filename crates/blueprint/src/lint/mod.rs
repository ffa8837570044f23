//! Rules over a whole cluster: what is well formed and still cannot work.
//!
//! In: the spec (for places) and the draft of the model, also when it has errors, so that one run tells all.
//! Out: findings. Each rule only judges what was understood: placeholders are passed over.

mod card;
mod chart;
mod hardware;
mod k3s;
mod network;
pub(crate) mod service;
mod share;
mod version;

use std::collections::BTreeSet;

use crate::model::{Model, Orchestrator};
use crate::resolve::node::DraftNodes;
use crate::resolve::place::Findings;
use crate::spec::{At, ClusterSpec};

/// What the rules look at.
pub(crate) struct Context<'a> {
    pub(crate) spec: &'a ClusterSpec,
    pub(crate) nodes: &'a DraftNodes,
    pub(crate) model: &'a Model,
    /// Shares of which something was not understood, and told.
    pub(crate) doubtful_shares: &'a BTreeSet<String>,
}

impl Context<'_> {
    /// Whether the cluster was surely meant to be run by k3s.
    fn is_k3s(&self) -> bool {
        let orchestrator = &self.spec.cluster.orchestrator;
        !orchestrator.span.is_empty() && orchestrator.value == Orchestrator::K3s
    }
}

/// Whether every entry of a list was understood.
fn is_known<T>(list: &[At<T>]) -> bool {
    !list.iter().any(|at| at.span.is_empty())
}

/// Runs every rule.
pub(crate) fn run(context: &Context<'_>, findings: &mut Findings) {
    hardware::lint(context, findings);
    card::lint(context, findings);
    network::lint(context, findings);
    k3s::lint(context, findings);
    share::lint(context, findings);
    service::lint(context, findings);
    chart::lint(context, findings);
    version::lint(context, findings);
}

#[cfg(test)]
pub(crate) mod tests;
