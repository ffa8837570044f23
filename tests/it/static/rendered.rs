//! Real readers over the committed output of the three clusters.

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tests::consumers::{engine, shell, units};
use tests::lab::{Lab, Need};
use tests::programs::scratch;
use tests::ring::{Ring, Trial};

/// Programs that are on the node and not here.
const ON_NODES: [&str; 1] = ["/usr/local/bin/k3s"];

pub fn trials() -> Vec<Trial> {
    let trial = |name: &str, body: fn(&Lab) -> anyhow::Result<()>| {
        Trial::new(Ring::Static, format!("rendered::{name}"), body)
    };
    vec![
        trial("every_script_holds", every_script_holds).needs(&[Need::Shellcheck]),
        trial("dockerd_takes_every_daemon_json", dockerd_takes_every_daemon_json).needs(&[Need::Dockerd]),
        trial("systemd_takes_the_units_of_k3s", systemd_takes_the_units_of_k3s)
            .needs(&[Need::SystemdAnalyze]),
        trial("k3s_reads_one_value_a_key", k3s_reads_one_value_a_key),
    ]
}

/// Files of all golden trees that `wanted` says yes to.
fn files(wanted: fn(&Path) -> bool) -> anyhow::Result<Vec<PathBuf>> {
    let golden = tests::repository().join("tests/golden");
    let all: Vec<PathBuf> = host::tree::files(&golden)?.into_iter().filter(|path| wanted(path)).collect();
    anyhow::ensure!(!all.is_empty(), "no such file in any golden tree");
    Ok(all)
}

fn every_script_holds(lab: &Lab) -> anyhow::Result<()> {
    for script in files(|path| {
        path.extension().is_some_and(|extension| extension == "sh")
            && path.parent().is_some_and(|parent| !parent.ends_with("chezmoi"))
    })? {
        // Scripts whose name ends in `.tmpl` are chezmoi's; its own reader judges those.
        shell::verify(lab, &script)?;
    }
    Ok(())
}

fn dockerd_takes_every_daemon_json(lab: &Lab) -> anyhow::Result<()> {
    for settings in files(|path| path.ends_with("etc/docker/daemon.json"))? {
        engine::verify(lab, &settings)?;
    }
    Ok(())
}

fn systemd_takes_the_units_of_k3s(lab: &Lab) -> anyhow::Result<()> {
    let all = files(|path| {
        path.file_name().is_some_and(|name| name == "k3s.service" || name == "k3s-agent.service")
            && path.to_string_lossy().contains("/rootfs/etc/systemd/system/")
    })?;
    for unit in all {
        let folder = scratch()?;
        std::fs::copy(&unit, folder.path().join(unit.file_name().unwrap_or_default()))?;
        units::verify(lab, folder.path(), &ON_NODES)?;
    }
    Ok(())
}

/// FIELD K26: files of `config.yaml.d` replace a key of `config.yaml`, unless it ends in `+`. Ours are in one file, so
/// what stands there is what k3s uses; and lists are lists, or k3s would take a text apart at its commas.
fn k3s_reads_one_value_a_key(_: &Lab) -> anyhow::Result<()> {
    const LISTS: [&str; 5] = ["disable", "kubelet-arg", "node-label", "node-taint", "tls-san"];
    for path in files(|path| path.ends_with("etc/rancher/k3s/config.yaml"))? {
        let keys: BTreeMap<String, Value> = blueprint::escape::yaml::read(&std::fs::read_to_string(&path)?)?;
        anyhow::ensure!(keys.contains_key("token-file"), "{}: no token-file", path.display());
        for (key, value) in keys {
            anyhow::ensure!(!key.ends_with('+') && key != "token", "{}: {key}", path.display());
            anyhow::ensure!(
                LISTS.contains(&key.as_str()) == value.is_array(),
                "{}: {key} is {value}",
                path.display()
            );
        }
    }
    Ok(())
}
