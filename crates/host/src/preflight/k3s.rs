//! Facts about k3s: programs and modules, and who is here already.

use desired::observed::Answer;
use desired::preflight::facts::Kubernetes;
use desired::preflight::needs::{CONFIG, scalars};

use super::{NOT_LIVE, asked, kernel_text, mapped};
use crate::journal::History;
use crate::process::{Invocation, find_program};
use crate::root::Root;

/// What the program that is here says of itself.
pub(super) fn version(root: &Root) -> Answer<Option<String>> {
    const PROGRAM: &str = "/usr/local/bin/k3s";
    match root.see(PROGRAM) {
        Ok(None) => Answer::Known(None),
        Ok(Some(_)) if !root.is_live() => Answer::later(NOT_LIVE),
        Ok(Some(_)) => match asked(&Invocation::new(PROGRAM).arg("--version")) {
            Ok(output) => Answer::Known(Some(output.text())),
            Err(why) => Answer::unknown(why),
        },
        Err(error) => Answer::unknown(format!("{PROGRAM} can't be looked at: {error}")),
    }
}

pub(super) fn iptables(root: &Root) -> Answer<Option<String>> {
    if !root.is_live() {
        return Answer::later(NOT_LIVE);
    }
    // Users other than root often lack these folders in PATH.
    let places = ["iptables", "/usr/sbin/iptables", "/sbin/iptables"];
    let Some(program) = places.iter().find_map(find_program) else { return Answer::Known(None) };
    match asked(&Invocation::new(program).arg("--version")) {
        Ok(output) => Answer::Known(Some(output.text())),
        Err(why) => Answer::unknown(why),
    }
}

/// Loaded, built in, or among the modules of the kernel that runs.
pub(super) fn vxlan(root: &Root) -> Answer<bool> {
    if matches!(root.see("/sys/module/vxlan"), Ok(Some(_))) {
        return Answer::Known(true);
    }
    mapped(kernel_text(root, "/proc/sys/kernel/osrelease"), |release| {
        let folder = format!("/lib/modules/{}", release.trim());
        let read = |name: &str| root.read_text(&format!("{folder}/{name}")).ok().flatten();
        let (tree, built_in) = (read("modules.dep"), read("modules.builtin"));
        if tree.is_none() && built_in.is_none() {
            return Answer::unknown(format!("there is no {folder}, as in a container"));
        }
        let lines = [tree, built_in].into_iter().flatten();
        Answer::Known(lines.into_iter().any(|text| text.lines().any(|line| is_module(line, "vxlan"))))
    })
}

/// `kernel/drivers/net/vxlan/vxlan.ko.xz: …` is that of `vxlan`.
fn is_module(line: &str, name: &str) -> bool {
    let path = line.split(':').next().unwrap_or(line);
    let file = path.rsplit('/').next().unwrap_or(path);
    file.strip_prefix(name).is_some_and(|rest| rest.starts_with(".ko"))
}

pub(super) fn kubernetes(root: &Root, history: &History, data_directory: Option<&str>) -> Kubernetes {
    const UNITS: &str = "/etc/systemd/system";
    let is_there = |path: &str| matches!(root.see(path), Ok(Some(_)));
    let mut foreign = Vec::new();
    let has_settings = root.list("/etc/kubernetes").iter().any(|name| name.ends_with(".conf"));
    if has_settings || !root.list("/etc/kubernetes/manifests").is_empty() {
        foreign.push("/etc/kubernetes".to_owned());
    }
    for path in ["/etc/rancher/rke2", "/var/snap/microk8s", "/etc/k0s", "/var/lib/k0s"] {
        if is_there(path) {
            foreign.push(path.to_owned());
        }
    }
    let units = ["k3s.service", "k3s-agent.service"].map(str::to_owned).into_iter();
    let settings = root.read_text(CONFIG).ok().flatten().unwrap_or_default();
    let own = format!("file:{CONFIG}");
    Kubernetes {
        foreign,
        units: units.filter(|unit| is_there(&format!("{UNITS}/{unit}"))).collect(),
        server: scalars(&settings).remove("server").or_else(|| of_installer(root)),
        is_ours: history.backwards().iter().any(|(id, _)| id.as_str() == own),
        has_authority: data_directory
            .is_some_and(|folder| is_there(&format!("{folder}/server/tls/server-ca.crt"))),
    }
}

/// The server that k3s's own installer was given; it writes `K3S_URL='https://…'` beside the unit.
fn of_installer(root: &Root) -> Option<String> {
    let text = root.read_text("/etc/systemd/system/k3s-agent.service.env").ok()??;
    let value = text.lines().find_map(|line| line.trim().strip_prefix("K3S_URL="))?;
    Some(value.trim_matches(['\'', '"']).to_owned())
}
