//! Compose projects: each service's container, and whether it was made from the configuration the file gives it now.

use std::collections::BTreeMap;

use desired::observed::{Answer, Observed, ServiceState};
use desired::resource::Want;

use crate::compose::{Container, configurations, containers, of_project};
use crate::process::{ProcessError, find_program};
use crate::root::Root;

/// Looks at the project that `want` is.
pub(crate) fn observe(root: &Root, want: &Want) -> Observed {
    if !root.is_live() {
        return Observed::Compose { services: Answer::later("containers run on the running node alone") };
    }
    if find_program("docker").is_none() {
        return Observed::Compose { services: Answer::unknown("docker is not here yet") };
    }
    let services = match (of_project(root, want), want) {
        (Ok(call), Want::Compose { project, .. }) => {
            let asked = configurations(&call).and_then(|wanted| Ok((wanted, containers(project)?)));
            asked.map_or_else(
                |error| unanswered(&error),
                |(wanted, seen)| Answer::Known(states(wanted, &seen)),
            )
        }
        (Err(why), _) => Answer::unknown(why),
        (Ok(_), _) => Answer::unknown("it is no project"),
    };
    Observed::Compose { services }
}

fn unanswered<T>(error: &ProcessError) -> Answer<T> {
    Answer::unknown(format!("Docker gave no answer: {error}"))
}

/// One state a service: the worst of its containers'.
fn states(wanted: BTreeMap<String, String>, seen: &[Container]) -> BTreeMap<String, ServiceState> {
    let state = |(name, configuration): (String, String)| {
        let own: Vec<&Container> =
            seen.iter().filter(|container| container.service() == Some(name.as_str())).collect();
        let is_old = |container: &&Container| container.configuration() != Some(configuration.as_str());
        let state = match own.iter().find_map(|container| container.trouble()) {
            _ if own.is_empty() => ServiceState::Missing,
            _ if own.iter().any(is_old) => ServiceState::Outdated,
            Some(trouble) => ServiceState::Down(trouble),
            None => ServiceState::Up,
        };
        (name, state)
    };
    wanted.into_iter().map(state).collect()
}
