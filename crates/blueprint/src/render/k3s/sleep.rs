//! Laptops that sleep: no new pods while they do (decision 0032).
//!
//! In: a burst node that is a k3s agent. Out: a script and two units, hooked before sleep, and after it or a start. The
//! script uses the kubelet's own credentials, so no further one lies on a machine that is carried about.

use desired::resource::{Owner, Resource, Want};
use desired::{AbsPath, Mode};
use serde::Serialize;

use super::PROGRAM;
use crate::model::{K3s, K3sRole, Node, Power};
use crate::render::{RenderError, template};

const SCRIPT: &str = "/usr/local/lib/rootstock/sleep-cordon";
const UNITS: [(&str, &str); 2] = [
    ("rootstock-asleep.service", "k3s/rootstock-asleep.service"),
    ("rootstock-awake.service", "k3s/rootstock-awake.service"),
];

/// What the script is told.
#[derive(Debug, Serialize)]
struct Context<'a> {
    node: &'a str,
    program: &'static str,
    /// k3s: pkg/agent/config, where it writes the kubelet's.
    kubeconfig: String,
}

/// What the units are told.
#[derive(Debug, Serialize)]
struct UnitContext {
    script: &'static str,
}

/// Nothing where the node does not come and go.
///
/// # Errors
/// If a template fails.
pub fn resources(k3s: &K3s, node: &Node, role: K3sRole) -> Result<Vec<Resource>, RenderError> {
    if node.power != Power::Burst || role.is_server() {
        return Ok(Vec::new());
    }
    let kubeconfig = format!("{}/agent/kubelet.kubeconfig", k3s.data_dir);
    let context = Context { node: node.name.as_str(), program: PROGRAM, kubeconfig };
    let folder = SCRIPT.rsplit_once('/').map_or(SCRIPT, |(folder, _)| folder);
    let folder =
        Resource::new(Want::Directory { path: path(folder)?, mode: Mode::EXECUTABLE, owner: Owner::root() });
    let text = template::render("k3s/sleep-cordon.sh", &context)?;
    let script = file(SCRIPT, Mode::EXECUTABLE, text)?.after(&folder.id);
    let mut all = vec![folder, script];
    for (name, template) in UNITS {
        let text = template::render(template, &UnitContext { script: SCRIPT })?;
        let file = file(&format!("/etc/systemd/system/{name}"), Mode::PUBLIC, text)?;
        // They do their work when a target pulls them in, and are no longer there afterwards.
        let unit = Want::Unit {
            name: name.parse().map_err(RenderError::invalid(name))?,
            enabled: true,
            active: false,
            waits: false,
            restart_on: [].into(),
        };
        let unit = Resource::new(unit).after(&file.id).after(&all[1].id);
        all.extend([file, unit]);
    }
    Ok(all)
}

fn path(text: &str) -> Result<AbsPath, RenderError> {
    text.parse().map_err(RenderError::invalid(text))
}

fn file(place: &str, mode: Mode, content: String) -> Result<Resource, RenderError> {
    Ok(Resource::new(Want::File { path: path(place)?, mode, owner: Owner::root(), content }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::testing;

    #[test]
    fn laptops_that_come_and_go_are_cordoned_by_themselves_alone() {
        let mut model = testing::model();
        let k3s = model.k3s.clone().unwrap();
        let node = model.nodes.values_mut().find(|node| node.name.as_str() == "pi-1").unwrap();
        assert!(resources(&k3s, node, K3sRole::Agent).unwrap().is_empty());
        node.power = Power::Burst;
        let all = resources(&k3s, node, K3sRole::Agent).unwrap();
        let ids: Vec<&str> = all.iter().map(|resource| resource.id.as_str()).collect();
        assert_eq!(
            ids,
            [
                "directory:/usr/local/lib/rootstock",
                "file:/usr/local/lib/rootstock/sleep-cordon",
                "file:/etc/systemd/system/rootstock-asleep.service",
                "unit:rootstock-asleep.service",
                "file:/etc/systemd/system/rootstock-awake.service",
                "unit:rootstock-awake.service"
            ]
        );
        let Want::File { content, .. } = &all[1].want else { panic!() };
        assert!(content.contains("/var/lib/rancher/k3s/agent/kubelet.kubeconfig"), "{content}");
        assert!(resources(&k3s, node, K3sRole::FirstServer).unwrap().is_empty());
    }
}
