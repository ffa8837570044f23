//! Which nodes a command line means.
//!
//! In: words (`all`, names of nodes, at most one name of a cluster) and the clusters there are. Out: one cluster and its
//! nodes in order of names, or a sentence. A node of two clusters is never guessed.

use desired::NodeName;
use std::collections::{BTreeMap, BTreeSet};

/// The nodes of each cluster that run Linux themselves, and so can take a bundle.
pub type Clusters = BTreeMap<String, BTreeSet<NodeName>>;

/// The cluster and nodes that `words` mean.
///
/// # Errors
/// What can't be told, as a sentence.
pub fn select(words: &[String], clusters: &Clusters) -> Result<(String, Vec<NodeName>), String> {
    let (named, rest): (Vec<&String>, Vec<&String>) =
        words.iter().partition(|word| clusters.contains_key(*word));
    let cluster = match named[..] {
        [] => None,
        [one] => Some(one),
        [one, two, ..] => return Err(format!("{one} and {two} are two clusters; one at a time")),
    };
    let wants_all = rest.iter().any(|word| *word == "all");
    if wants_all || rest.is_empty() {
        let cluster = cluster.or_else(|| clusters.keys().next().filter(|_| clusters.len() == 1));
        let Some(cluster) = cluster else {
            return Err(format!("nodes of which cluster? add one of: {}", list(clusters.keys())));
        };
        if rest.is_empty() {
            return Err(format!("which nodes of {cluster}? name them, or write all"));
        }
        return match rest.iter().find(|word| **word != "all" && !has(&clusters[cluster], word)) {
            Some(unknown) => Err(unknown_node(unknown, clusters, Some(cluster))),
            None => Ok((cluster.clone(), clusters[cluster].iter().cloned().collect())),
        };
    }
    let homes: Vec<&String> = match cluster {
        Some(cluster) => vec![cluster],
        None => clusters.iter().filter(|(_, nodes)| has(nodes, rest[0])).map(|(name, _)| name).collect(),
    };
    let cluster = match homes[..] {
        [] => return Err(unknown_node(rest[0], clusters, None)),
        [cluster] => cluster,
        _ => return Err(format!("{} is a node of {}; add the cluster", rest[0], list(homes.into_iter()))),
    };
    let nodes = &clusters[cluster];
    if let Some(unknown) = rest.iter().find(|word| !has(nodes, word)) {
        return Err(unknown_node(unknown, clusters, Some(cluster)));
    }
    Ok((
        cluster.clone(),
        nodes.iter().filter(|node| rest.iter().any(|word| *word == node.as_str())).cloned().collect(),
    ))
}

fn has(nodes: &BTreeSet<NodeName>, word: &str) -> bool {
    nodes.iter().any(|node| node.as_str() == word)
}

fn unknown_node(word: &str, clusters: &Clusters, cluster: Option<&String>) -> String {
    let place = cluster.map_or_else(|| "any cluster".to_owned(), |cluster| format!("cluster {cluster}"));
    let nodes = clusters.iter().filter(|(name, _)| cluster.is_none_or(|cluster| cluster == *name));
    let names: BTreeSet<&NodeName> = nodes.flat_map(|(_, nodes)| nodes).collect();
    format!(
        "`{}` is no node of {place} that takes a bundle; there are: {}",
        word.escape_debug(),
        list(names.into_iter())
    )
}

fn list<T: ToString>(names: impl Iterator<Item = T>) -> String {
    names.map(|name| name.to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clusters() -> Clusters {
        let of = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect();
        Clusters::from([
            ("lab".to_owned(), of(&["server", "w1", "w2"])),
            ("home".to_owned(), of(&["pc", "w1"])),
        ])
    }

    fn told(words: &str) -> Result<String, String> {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        let (cluster, nodes) = select(&words, &clusters())?;
        Ok(format!("{cluster}: {}", list(nodes.iter())))
    }

    #[test]
    fn words_mean_nodes_of_one_cluster() {
        assert_eq!(told("all lab").unwrap(), "lab: server, w1, w2");
        assert_eq!(told("lab all").unwrap(), "lab: server, w1, w2");
        assert_eq!(told("w2 server").unwrap(), "lab: server, w2");
        assert_eq!(told("w1 home").unwrap(), "home: w1");
        assert_eq!(told("w2 w2").unwrap(), "lab: w2");
    }

    #[test]
    fn what_can_mean_two_things_is_asked() {
        for (words, part) in [
            ("all", "nodes of which cluster? add one of: home, lab"),
            ("w1", "a node of home, lab"),
            ("lab home all", "two clusters"),
            ("lab", "which nodes of lab?"),
            ("", "nodes of which cluster?"),
            ("w9", "`w9` is no node of any cluster"),
            ("w2 pc", "`pc` is no node of cluster lab"),
            ("all lab w9", "`w9` is no node"),
        ] {
            let error = told(words).unwrap_err();
            assert!(error.contains(part), "{words}: {error}");
        }
    }
}
