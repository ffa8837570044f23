//! Docker's Compose and what runs of a project: the calls that observing, performing and undoing share.
//!
//! In: a project's file, its variables, the files that hold its secrets. Out: calls of `docker compose` in which nothing
//! of our own environment decides what the file is filled in with, and the containers there are, by Compose's labels.
//! Secrets are in the environment of those calls alone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use desired::resource::Want;
use desired::{AbsPath, SecretReference};
use serde::Deserialize;

use crate::process::{Invocation, ProcessError};
use crate::root::Root;
use crate::secret;

/// Of our environment these say where Docker is and who asks; a file must not be filled in with any other.
const KEPT: [&str; 2] = ["PATH", "HOME"];
/// Images come over slow lines, and databases take their time to be healthy.
const LONGEST: Duration = Duration::from_secs(3600);

/// A container, as `docker inspect` tells it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Container {
    /// Its identity.
    pub(crate) id: String,
    config: Config,
    state: State,
    host_config: HostConfig,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    status: String,
    exit_code: i64,
    health: Option<Health>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Health {
    status: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HostConfig {
    restart_policy: RestartPolicy,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RestartPolicy {
    name: String,
}

impl Container {
    /// The service it is of.
    pub(crate) fn service(&self) -> Option<&str> {
        self.label("service")
    }
    /// The digest of the configuration it was made from, as Compose made it.
    pub(crate) fn configuration(&self) -> Option<&str> {
        self.label("config-hash")
    }
    fn label(&self, name: &str) -> Option<&str> {
        self.config.labels.get(&format!("com.docker.compose.{name}")).map(String::as_str)
    }
    /// Why it is not what it is meant to be, in words; nothing where it runs, or has ended well and is not started again.
    pub(crate) fn trouble(&self) -> Option<String> {
        let State { status, exit_code, health } = &self.state;
        match (status.as_str(), health.as_ref().map(|health| health.status.as_str())) {
            ("running", Some("unhealthy")) => Some("unhealthy".to_owned()),
            ("running", _) => None,
            ("exited", _) if *exit_code == 0 && self.host_config.restart_policy.name == "no" => None,
            ("exited", _) => Some(format!("exited ({exit_code})")),
            (other, _) => Some(other.to_owned()),
        }
    }
}

/// A call of `docker` with nothing of our environment but where Docker is.
fn docker() -> Invocation {
    let ours = std::env::vars_os().map(|(name, _)| name);
    let strange = ours.filter(|name| {
        let name = name.to_string_lossy();
        !KEPT.contains(&name.as_ref()) && !name.starts_with("DOCKER_")
    });
    let call = Invocation::new("docker").if_missing("apt-get install -y docker.io docker-cli");
    strange.fold(call, Invocation::env_remove)
}

/// `docker compose` for the project that `want` is.
///
/// # Errors
/// Why its file or a secret of it can't be had, as a clause.
pub(crate) fn of_project(root: &Root, want: &Want) -> Result<Invocation, String> {
    let Want::Compose { project, file, environment, secrets, .. } = want else {
        return Err("it is no project".to_owned());
    };
    if !matches!(root.see(file.as_str()), Ok(Some(_))) {
        return Err(format!("its file {file} is not here yet"));
    }
    let call =
        docker().args(["compose", "--ansi", "never", "--project-name", project, "--file", file.as_str()]);
    let call = environment.iter().fold(call, |call, (name, value)| call.env(name, value));
    let folded = secrets.iter().try_fold(call, |call, (name, path)| {
        let value =
            value(root, path).map_err(|why| format!("the secret {name} is not here yet: {path}, {why}"))?;
        Ok::<Invocation, String>(call.env_secret(name, value))
    });
    folded.map(|call| call.timeout(LONGEST))
}

fn value(root: &Root, path: &AbsPath) -> Result<secret::Secret, String> {
    secret::read(root, &SecretReference::File(path.clone()))
}

/// Digests of the configuration that each service of the project has now.
///
/// # Errors
/// If Compose can't read its file.
pub(crate) fn configurations(project: &Invocation) -> Result<BTreeMap<String, String>, ProcessError> {
    let output = project.clone().args(["config", "--hash", "*"]).run()?;
    let pair =
        |line: &str| line.split_once(' ').map(|(name, hash)| (name.to_owned(), hash.trim().to_owned()));
    Ok(output.text().lines().filter_map(pair).collect())
}

/// Every container of the project, those that a person ran once left out.
///
/// # Errors
/// If Docker does not answer.
pub(crate) fn containers(project: &str) -> Result<Vec<Container>, ProcessError> {
    let list = docker().args(["ps", "--all", "--quiet", "--no-trunc", "--filter"]);
    let list = list.arg(format!("label=com.docker.compose.project={project}"));
    let list = list.args(["--filter", "label=com.docker.compose.oneoff=False"]).run()?.text();
    if list.is_empty() {
        return Ok(Vec::new());
    }
    let call = docker().args(["container", "inspect", "--"]).args(list.lines());
    let output = call.run()?;
    serde_json::from_slice(&output.stdout).map_err(|error| ProcessError::System {
        line: call.line(),
        source: std::io::Error::other(format!("its answer is none that is known: {error}")),
    })
}

/// Takes down what a project has beyond the services that were `there` before: all of it where none was.
///
/// # Errors
/// If Docker does not do it.
pub(crate) fn take_down(project: &str, there: &BTreeSet<String>) -> Result<bool, ProcessError> {
    let all = containers(project)?;
    let of_others =
        |container: &&Container| container.service().is_some_and(|service| there.contains(service));
    let (others, ours): (Vec<&Container>, Vec<&Container>) = all.iter().partition(of_others);
    if ours.is_empty() {
        return Ok(false);
    }
    if others.is_empty() {
        // By its labels, whatever became of its file; volumes are kept unless they are asked for.
        let down = docker().args(["compose", "--ansi", "never", "--project-name", project, "down"]);
        down.timeout(LONGEST).run()?;
    } else {
        let ours = ours.iter().map(|container| container.id.as_str());
        docker().args(["container", "rm", "--force", "--"]).args(ours).timeout(LONGEST).run()?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(state: &str, policy: &str) -> Container {
        let text = format!(
            r#"{{"Id":"a","Config":{{"Labels":{{"com.docker.compose.service":"web","com.docker.compose.config-hash":"h"}}}},
            "State":{state},"HostConfig":{{"RestartPolicy":{{"Name":"{policy}"}}}}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn what_runs_or_has_ended_as_meant_is_no_trouble() {
        let running = r#"{"Status":"running","ExitCode":0}"#;
        assert_eq!(container(running, "always").trouble(), None);
        let sick = r#"{"Status":"running","ExitCode":0,"Health":{"Status":"unhealthy"}}"#;
        assert_eq!(container(sick, "no").trouble().as_deref(), Some("unhealthy"));
        let ended = r#"{"Status":"exited","ExitCode":0}"#;
        assert_eq!(container(ended, "no").trouble(), None);
        assert_eq!(container(ended, "unless-stopped").trouble().as_deref(), Some("exited (0)"));
        let failed = r#"{"Status":"exited","ExitCode":3}"#;
        assert_eq!(container(failed, "no").trouble().as_deref(), Some("exited (3)"));
        let web = container(running, "no");
        assert_eq!((web.service(), web.configuration()), (Some("web"), Some("h")));
    }
}
