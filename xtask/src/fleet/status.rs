//! How the machines of a cluster are, as they say themselves and as the cluster sees them.
//!
//! In: what `bootstrap status` answers on each, and the server's list of nodes. Out: a table, or JSON. A machine that can't
//! be reached is not converged, it is unknown.

use super::crew;
use super::desk::{Desk, Work};
use super::kube::Found;
use super::outcome::Trouble;
use super::server::Server;
use crate::exit::Code;
use crate::table;
use desired::NodeName;
use host::ssh::Connection;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// A look over every file of a node.
const PATIENCE: Duration = Duration::from_secs(300);
/// The program that the join left there, by what it remembers.
const ASK: &str = "PATH=/usr/local/sbin:/usr/local/bin:$PATH; export PATH
command -v bootstrap >/dev/null || exit 90
exec bootstrap status --json";

/// What is known of one node.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Which.
    pub node: NodeName,
    /// What it says of itself: nothing where it never joined; else why it can't be asked.
    pub own: Result<Option<Value>, Trouble>,
    /// What the cluster says of it; nothing where it is not asked, or does not know it.
    pub cluster: Option<Found>,
    /// It should be known to the cluster.
    pub is_member: bool,
}

/// Asks all of `works`.
pub fn look(desk: &Desk, works: &[Work], server: Option<&Server>) -> Vec<Seen> {
    let nodes = server.and_then(|server| server.nodes().ok());
    crew::each(desk.limit, works, |work| {
        let own = match &work.way {
            Ok(way) => ask(way),
            Err(trouble) => Err(trouble.clone()),
        };
        Seen {
            node: work.name.clone(),
            own,
            cluster: nodes
                .as_ref()
                .and_then(|nodes: &BTreeMap<String, Found>| nodes.get(work.name.as_str()).cloned()),
            is_member: nodes.is_some() && desk.node(&work.name).k3s.is_some(),
        }
    })
}

fn ask(way: &Connection) -> Result<Option<Value>, Trouble> {
    way.reach()?;
    let output = way.run(&way.script(ASK, &[]).timeout(PATIENCE).accept([0, 1, 3, 5, 6, 7, 90]))?;
    match output.code {
        90 => Ok(None),
        0 | 3 => serde_json::from_slice(&output.stdout)
            .map(Some)
            .map_err(|error| Trouble::new(format!("its answer can't be read: {error}"), "run this again")),
        // It has the program, and nothing was ever joined with it.
        _ if output.stderr_tail.contains("holds no bundle") => Ok(None),
        _ => Err(Trouble::new(output.stderr_tail.trim(), "on it: sudo bootstrap doctor")),
    }
}

impl Seen {
    /// As its profile wanted it when it joined; nothing where that is not known.
    fn converged(&self) -> Option<bool> {
        match &self.own {
            Ok(Some(own)) => Some(own["converged"] == true),
            Ok(None) => Some(false),
            Err(_) => None,
        }
    }
    fn drift(&self) -> String {
        match &self.own {
            Ok(Some(own)) if own["converged"] == true => "none".to_owned(),
            Ok(Some(own)) => format!("{} changes", own["pending"]),
            Ok(None) => "never joined".to_owned(),
            Err(_) => "?".to_owned(),
        }
    }
    fn version(&self) -> &str {
        self.cluster.as_ref().map_or("-", |node| node.version.as_str())
    }
    /// What is not well, or that all is.
    fn health(&self) -> String {
        let mut found = Vec::new();
        match &self.cluster {
            Some(node) if !node.ready => found.push("not Ready".to_owned()),
            Some(node) if node.cordoned => found.push("cordoned".to_owned()),
            None if self.is_member => found.push("not in the cluster".to_owned()),
            _ => {}
        }
        match &self.own {
            Ok(Some(own)) => found.extend(complaints(own)),
            Ok(None) => {}
            Err(trouble) => found.push(trouble.why.clone()),
        }
        if found.is_empty() { "good".to_owned() } else { found.join(", ") }
    }
    fn row(&self) -> [String; 6] {
        let reachable = if self.own.is_ok() { "yes" } else { "NO" };
        let converged = match self.converged() {
            Some(true) => "yes",
            Some(false) => "no",
            None => "?",
        };
        let version = self.version().to_owned();
        [
            self.node.to_string(),
            reachable.to_owned(),
            converged.to_owned(),
            self.drift(),
            version,
            self.health(),
        ]
    }
}

/// What a node complains of: units that do not run, shares that are not mounted, its power and heat.
fn complaints(own: &Value) -> Vec<String> {
    let units = own["units"].as_object().into_iter().flatten();
    let units = units.filter(|(_, state)| **state != "active");
    let units = units.map(|(unit, state)| format!("{unit} is {}", state.as_str().unwrap_or("?")));
    let mounts = own["mounts"].as_array().into_iter().flatten().filter(|mount| mount["why"].is_string());
    let mounts = mounts.map(|mount| format!("{}: {}", text(&mount["path"]), text(&mount["why"])));
    let clock =
        Some(&own["clock"]).filter(|clock| matches!(clock["mark"].as_str(), Some("warning" | "refuse")));
    let clock = clock.map(|clock| format!("clock: {}", text(&clock["evidence"])));
    let power =
        own["throttling"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
    units.chain(mounts).chain(clock).chain(power).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

/// 3 where a node drifted, else 5 where one can't be asked.
pub fn code(seen: &[Seen]) -> Code {
    if seen.iter().any(|one| one.converged() == Some(false)) {
        Code::Pending
    } else if seen.iter().any(|one| one.converged().is_none()) {
        Code::Missing
    } else {
        Code::Done
    }
}

/// The table, and below it what to try where a node can't be asked.
pub fn table(seen: &[Seen]) -> String {
    let rows: Vec<_> = seen.iter().map(Seen::row).collect();
    let mut text = table::aligned(["node", "reachable", "converged", "drift", "k3s", "health"], &rows);
    for one in seen {
        if let Err(trouble) = &one.own {
            text.push_str(&format!("\n{}: {}\n  fix: {}\n", one.node, trouble.why, trouble.fix));
        }
    }
    text
}

/// The same for programs.
pub fn document(cluster: &str, seen: &[Seen]) -> Value {
    let nodes: Vec<Value> = seen
        .iter()
        .map(|one| {
            json!({
                "node": one.node, "reachable": one.own.is_ok(), "converged": one.converged(), "drift": one.drift(),
                "k3s": one.cluster.as_ref().map(|node| &node.version), "ready": one.cluster.as_ref().map(|node| node.ready),
                "health": one.health(), "why": one.own.as_ref().err().map(|trouble| &trouble.why),
                "fix": one.own.as_ref().err().map(|trouble| &trouble.fix),
                "status": one.own.as_ref().ok().and_then(Option::as_ref),
            })
        })
        .collect();
    json!({ "format": 1, "cluster": cluster, "nodes": nodes, "converged": code(seen) == Code::Done })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(own: Result<Option<Value>, Trouble>, ready: Option<bool>) -> Seen {
        let cluster =
            ready.map(|ready| Found { ready, version: "v1.34.1+k3s1".to_owned(), ..Found::default() });
        Seen { node: "w1".parse().unwrap(), own, cluster, is_member: true }
    }

    fn well() -> Value {
        json!({ "converged": true, "pending": 0, "units": { "k3s-agent.service": "active" }, "mounts": [], "clock": null })
    }

    #[test]
    fn unreachable_is_not_converged_and_drift_counts_more() {
        let good = seen(Ok(Some(well())), Some(true));
        let gone = seen(Err(Trouble::new("it does not answer", "is it on?")), Some(false));
        let mut own = well();
        (own["converged"], own["pending"]) = (json!(false), json!(2));
        let drifted = seen(Ok(Some(own)), Some(true));
        assert_eq!(code(std::slice::from_ref(&good)), Code::Done);
        assert_eq!(code(&[good.clone(), gone.clone()]), Code::Missing);
        assert_eq!(code(&[gone.clone(), drifted.clone()]), Code::Pending);
        assert_eq!(code(&[seen(Ok(None), None)]), Code::Pending);
        let text = table(&[good, gone, drifted]);
        assert!(
            text.contains("2 changes") && text.contains("NO") && text.contains("fix: is it on?"),
            "{text}"
        );
    }

    #[test]
    fn health_tells_what_is_not_well() {
        assert_eq!(seen(Ok(Some(well())), Some(true)).health(), "good");
        assert_eq!(seen(Ok(Some(well())), None).health(), "not in the cluster");
        let mut own = well();
        own["units"]["k3s-agent.service"] = json!("activating");
        own["mounts"] = json!([{ "path": "/srv", "why": "only its automount is there" }]);
        own["throttling"] = json!(["under-voltage now"]);
        let health = seen(Ok(Some(own)), Some(false)).health();
        for part in ["not Ready", "k3s-agent.service is activating", "/srv: only", "under-voltage now"] {
            assert!(health.contains(part), "{health}");
        }
    }
}
