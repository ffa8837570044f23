//! Three servers: each joins the etcd of the one before, and no one of them is needed.

use super::trial;
use anyhow::ensure;
use std::time::Duration;
use tests::lab::Lab;
use tests::lab::bundle::TRIO;
use tests::lab::fleet::{Fleet, ends_with, of_node};
use tests::lab::node::wait_for;
use tests::ring::Trial;

pub fn trials() -> Vec<Trial> {
    vec![trial("three_servers_keep_the_cluster_together", trio).long()]
}

const NAMES: [&str; 3] = ["server", "second", "third"];

fn trio(lab: &Lab) -> anyhow::Result<()> {
    let fleet = Fleet::of_cluster(lab, TRIO)?;
    let [first, second, _third] =
        [fleet.machine(NAMES[0])?, fleet.machine(NAMES[1])?, fleet.machine(NAMES[2])?];
    let said = ends_with(&fleet.xtask(&["join", "all"])?.run()?, 0)?;
    ensure!(said.contains("3 of 3 converged"), "{said}");
    for name in NAMES {
        let node = fleet.kubectl(&second, &["get", "node", name])?;
        let mut conditions = node["status"]["conditions"].as_array().into_iter().flatten();
        ensure!(conditions.any(|one| one["type"] == "Ready" && one["status"] == "True"), "{name}: {node:#}");
        for role in ["control-plane", "etcd"] {
            let label = format!("node-role.kubernetes.io/{role}");
            ensure!(node["metadata"]["labels"][&label] == "true", "{name} is no {role}: {node:#}");
        }
    }
    let (code, answer) = fleet.answer(&["join", "all"])?;
    ensure!(code == 0 && answer["converged"] == true, "{answer:#}");
    for name in NAMES {
        ensure!(of_node(&answer, name)?["result"] == "nothing-to-do", "{answer:#}");
    }
    // Two of three decide, so what one of them writes is there without the first.
    first.destroy()?;
    wait_for("the cluster takes a change without its first server", Duration::from_secs(120), || {
        let make = ["create", "configmap", "after", "--from-literal=a=b"];
        Ok(second.said("kubectl", &make).ok().map(drop))
    })
}
