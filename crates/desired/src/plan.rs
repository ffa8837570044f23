//! The plan: every change a node needs, in order, as text for people and JSON for programs.
//!
//! In: a node's resources and what was observed of each. Out: a [`Plan`]. An empty plan is the definition of a
//! converged node; what is unknown keeps it from being empty, what is left to others does not.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::change::{Action, Change, Difference, compare};
use crate::observed::Observed;
use crate::order::{OrderError, order};
use crate::resource::{Resource, ResourceId, Want};
use crate::types::{ClusterName, NodeName};

/// The version of the JSON form.
pub const FORMAT: u32 = 1;

/// All changes of one node, those that are none included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    changes: Vec<Change>,
}

/// How many changes of each sort.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// To create.
    pub create: usize,
    /// To update.
    pub update: usize,
    /// To remove.
    pub remove: usize,
    /// Not known before join.
    pub unknown: usize,
    /// Left to somebody else, or to the node's next start.
    pub left: usize,
    /// As desired.
    pub unchanged: usize,
}

/// The JSON form of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanDocument {
    /// [`FORMAT`].
    pub format: u32,
    /// The cluster.
    pub cluster: ClusterName,
    /// The node.
    pub node: NodeName,
    /// Every resource, in order.
    pub changes: Vec<Change>,
    /// The sums.
    pub counts: Counts,
}

impl Plan {
    /// Compares every resource with what was observed of it.
    ///
    /// # Errors
    /// If the resources have no order.
    pub fn make(
        resources: &[Resource],
        observed: &BTreeMap<ResourceId, Observed>,
    ) -> Result<Self, OrderError> {
        Self::from_ordered(resources, |resource| match observed.get(&resource.id) {
            Some(observed) => compare(&resource.want, observed),
            None => Change::unknown(resource.id.clone(), "it was not observed"),
        })
    }

    /// The plan of a machine that has nothing yet.
    ///
    /// # Errors
    /// If the resources have no order.
    pub fn from_nothing(resources: &[Resource]) -> Result<Self, OrderError> {
        Self::from_ordered(resources, |resource| compare(&resource.want, &Observed::nothing(&resource.want)))
    }

    fn from_ordered(
        resources: &[Resource],
        change_of: impl Fn(&Resource) -> Change,
    ) -> Result<Self, OrderError> {
        let (mut changes, mut touched) = (Vec::with_capacity(resources.len()), BTreeSet::new());
        for resource in order(resources)? {
            let mut change = change_of(resource);
            restart(&resource.want, &touched, &mut change);
            if matches!(change.action, Action::Create | Action::Update | Action::Remove) {
                touched.insert(&resource.id);
            }
            changes.push(change);
        }
        Ok(Self { changes })
    }

    /// The changes in the order they would be made.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// How many of each sort.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for change in &self.changes {
            *match change.action {
                Action::Create => &mut counts.create,
                Action::Update => &mut counts.update,
                Action::Remove => &mut counts.remove,
                Action::Unknown => &mut counts.unknown,
                Action::Left => &mut counts.left,
                Action::None => &mut counts.unchanged,
            } += 1;
        }
        counts
    }

    /// Whether the node is as desired, and known to be, as far as that is for it to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.iter().all(|change| matches!(change.action, Action::None | Action::Left))
    }

    /// One aligned line for each change, and a line with the sums.
    #[must_use]
    pub fn to_text(&self) -> String {
        let pending: Vec<&Change> =
            self.changes.iter().filter(|change| change.action != Action::None).collect();
        let lengths = pending.iter().map(|change| change.id.as_str().chars().count());
        // One very long name must not push all others off the screen.
        let width = lengths.filter(|length| *length <= 60).max().unwrap_or(0);
        let line = |change: &&Change| {
            format!("{} {:width$}  {}\n", change.action.symbol(), change.id, change.summary())
        };
        let lines: String = pending.iter().map(line).collect();
        let Counts { create, update, remove, unknown, left, unchanged } = self.counts();
        let left = if left == 0 { String::new() } else { format!(", {left} left to others") };
        if self.is_empty() {
            return format!("{lines}nothing to do, {unchanged} as desired{left}\n");
        }
        format!(
            "{lines}{create} to create, {update} to update, {remove} to remove, {unknown} unknown, {unchanged} as desired{left}\n"
        )
    }

    /// The JSON form.
    #[must_use]
    pub fn document(&self, cluster: &ClusterName, node: &NodeName) -> PlanDocument {
        PlanDocument {
            format: FORMAT,
            cluster: cluster.clone(),
            node: node.clone(),
            changes: self.changes.clone(),
            counts: self.counts(),
        }
    }
}

/// A unit or project that runs on something that changes is restarted, although its own state is as desired.
fn restart(want: &Want, touched: &BTreeSet<&ResourceId>, change: &mut Change) {
    let (Want::Unit { active: true, restart_on, .. } | Want::Compose { restart_on, .. }) = want else {
        return;
    };
    let Some(cause) = restart_on.iter().find(|id| touched.contains(id)) else { return };
    if matches!(change.action, Action::None | Action::Unknown) {
        change.action = Action::Update;
        change.differences =
            vec![Difference { field: "restart, for".to_owned(), from: None, to: Some(cause.to_string()) }];
        change.why = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::Answer;
    use crate::resource::Owner;
    use crate::types::{Digest, Mode};

    fn resources() -> Vec<Resource> {
        let config = Resource::new(Want::File {
            path: "/etc/rancher/k3s/config.yaml".parse().unwrap(),
            mode: Mode::PRIVATE,
            owner: Owner::root(),
            content: "token-file: /etc/rancher/k3s/token\n".to_owned(),
        });
        let unit = Resource::new(Want::Unit {
            name: "k3s.service".parse().unwrap(),
            enabled: true,
            active: true,
            waits: false,
            restart_on: [config.id.clone()].into(),
        });
        vec![unit, Resource::new(Want::Hostname { name: "rpi-01".parse().unwrap() }), config]
    }

    fn seen(content: &str) -> BTreeMap<ResourceId, Observed> {
        let resources = resources();
        let access = crate::observed::Access { bits: 0o600, user: "root".into(), group: "root".into() };
        BTreeMap::from([
            (
                resources[0].id.clone(),
                Observed::Unit {
                    enabled: true,
                    masked: false,
                    active: Answer::Known(true),
                    outdated: BTreeSet::new(),
                },
            ),
            (
                resources[1].id.clone(),
                Observed::Hostname {
                    name: Some("rpi-01".to_owned()),
                    now: Answer::Known("rpi-01".to_owned()),
                },
            ),
            (
                resources[2].id.clone(),
                Observed::File {
                    entry: crate::observed::Entry::File {
                        access,
                        size: crate::types::ByteSize(content.len() as u64),
                        digest: Answer::Known(Digest::sha256_of(content.as_bytes())),
                    },
                },
            ),
        ])
    }

    #[test]
    fn from_nothing_everything_is_made_in_order() {
        let plan = Plan::from_nothing(&resources()).unwrap();
        let digest = Digest::sha256_of(b"token-file: /etc/rancher/k3s/token\n");
        assert_eq!(
            plan.to_text(),
            format!(
                "+ hostname                           name rpi-01\n\
                 + file:/etc/rancher/k3s/config.yaml  mode 0600, content 35 B {}\n\
                 + unit:k3s.service                   enabled no → yes, active no → yes\n\
                 3 to create, 0 to update, 0 to remove, 0 unknown, 0 as desired\n",
                digest.short()
            )
        );
    }

    #[test]
    fn a_converged_node_has_an_empty_plan() {
        let plan = Plan::make(&resources(), &seen("token-file: /etc/rancher/k3s/token\n")).unwrap();
        assert!(plan.is_empty());
        assert_eq!(plan.to_text(), "nothing to do, 3 as desired\n");
    }

    #[test]
    fn a_changed_file_restarts_its_unit() {
        let plan = Plan::make(&resources(), &seen("x")).unwrap();
        let text = plan.to_text();
        assert!(text.contains("~ file:/etc/rancher/k3s/config.yaml  content 1 B → 35 B "), "{text}");
        assert!(text.contains("~ unit:k3s.service"), "{text}");
        assert!(text.contains("restart, for file:/etc/rancher/k3s/config.yaml"), "{text}");
        assert_eq!(plan.counts(), Counts { update: 2, unchanged: 1, ..Counts::default() });
    }

    #[test]
    fn what_is_left_to_others_is_shown_and_keeps_nothing_open() {
        let mut seen = seen("token-file: /etc/rancher/k3s/token\n");
        let why = Observed::NODE_METADATA;
        seen.insert(resources()[1].id.clone(), Observed::Elsewhere { why: why.to_owned() });
        let plan = Plan::make(&resources(), &seen).unwrap();
        assert!(plan.is_empty());
        let text = format!("> hostname  {why}\nnothing to do, 2 as desired, 1 left to others\n");
        assert_eq!(plan.to_text(), text);
    }

    #[test]
    fn a_restart_that_was_cut_off_is_made_up_for() {
        let (resources, mut seen) = (resources(), seen("token-file: /etc/rancher/k3s/token\n"));
        let outdated = [resources[2].id.clone()].into();
        let unit = Observed::Unit { enabled: true, masked: false, active: Answer::Known(true), outdated };
        seen.insert(resources[0].id.clone(), unit);
        let text = Plan::make(&resources, &seen).unwrap().to_text();
        assert!(
            text.contains("~ unit:k3s.service  restart, for file:/etc/rancher/k3s/config.yaml"),
            "{text}"
        );
    }

    #[test]
    fn what_was_not_observed_is_unknown_and_keeps_the_plan_open() {
        let mut seen = seen("token-file: /etc/rancher/k3s/token\n");
        seen.remove(&resources()[1].id);
        let plan = Plan::make(&resources(), &seen).unwrap();
        assert!(!plan.is_empty());
        assert!(plan.to_text().starts_with("? hostname  it was not observed\n"), "{}", plan.to_text());
    }

    #[test]
    fn the_document_reads_back() {
        let plan = Plan::from_nothing(&resources()).unwrap();
        let document = plan.document(&"vnext".parse().unwrap(), &"rpi-01".parse().unwrap());
        let json = serde_json::to_string(&document).unwrap();
        assert!(json.starts_with(r#"{"format":1,"cluster":"vnext","node":"rpi-01","changes":[{"#), "{json}");
        assert_eq!(serde_json::from_str::<PlanDocument>(&json).unwrap(), document);
    }
}
