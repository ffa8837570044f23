//! In what order nodes join.
//!
//! In: nodes with their parts in k3s. Out: stages. The first server makes the cluster, further servers come one after the
//! other since each changes the membership of etcd, and everybody else comes side by side. Nodes without k3s need nobody.

use blueprint::model::K3sRole;
use desired::NodeName;

/// Nodes that may be worked on side by side once the stage before is through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Its nodes.
    pub nodes: Vec<NodeName>,
    /// What they need the first server for; nodes without k3s don't.
    pub part: Option<K3sRole>,
}

/// The stages of `nodes`, none of them empty.
#[must_use]
pub fn stages(nodes: &[(NodeName, Option<K3sRole>)]) -> Vec<Stage> {
    let of = |wanted: Option<K3sRole>| -> Vec<NodeName> {
        nodes.iter().filter(|(_, part)| *part == wanted).map(|(name, _)| name.clone()).collect()
    };
    let alone = |part: K3sRole| {
        let nodes = of(Some(part)).into_iter();
        nodes.map(move |node| Stage { nodes: vec![node], part: Some(part) }).collect::<Vec<_>>()
    };
    let together = |part| Some(Stage { nodes: of(part), part }).filter(|stage| !stage.nodes.is_empty());
    let mut stages = alone(K3sRole::FirstServer);
    stages.extend(alone(K3sRole::Server));
    stages.extend(together(Some(K3sRole::Agent)));
    stages.extend(together(None));
    stages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_come_first_and_alone_agents_together() {
        let node = |name: &str, part| (name.parse::<NodeName>().unwrap(), part);
        let nodes = [
            node("a1", Some(K3sRole::Agent)),
            node("a2", Some(K3sRole::Agent)),
            node("nas", None),
            node("s2", Some(K3sRole::Server)),
            node("s3", Some(K3sRole::Server)),
            node("z", Some(K3sRole::FirstServer)),
        ];
        let stages = stages(&nodes);
        let names: Vec<String> = stages
            .iter()
            .map(|stage| stage.nodes.iter().map(NodeName::as_str).collect::<Vec<_>>().join("+"))
            .collect();
        assert_eq!(names, ["z", "s2", "s3", "a1+a2", "nas"]);
    }
}
