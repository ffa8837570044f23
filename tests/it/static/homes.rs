//! Homes: the chezmoi tree applied as every node by the real chezmoi, its tasks read by the real mise.

use anyhow::Context as _;
use blueprint::model::{Capability, Model, OsFamily};
use std::path::Path;
use tests::clusters::{models, pour, stand_in_pins};
use tests::consumers::chezmoi::{self, Machine};
use tests::consumers::mise;
use tests::lab::{Lab, Need};
use tests::programs::scratch;
use tests::ring::{Ring, Trial};

pub fn trials() -> Vec<Trial> {
    let trial = |name: &str, body: fn(&Lab) -> anyhow::Result<()>| {
        Trial::new(Ring::Static, format!("homes::{name}"), body)
    };
    vec![
        trial("every_node_is_given_its_own_files", every_node_is_given_its_own_files)
            .needs(&[Need::Chezmoi, Need::Mise]),
        trial("a_machine_nobody_knows_is_given_tools_alone", an_unknown_machine).needs(&[Need::Chezmoi]),
        trial("the_question_has_an_answer_without_a_terminal", the_question).needs(&[Need::Chezmoi]),
    ]
}

/// The clusters that have a tree, with the tree in a folder.
fn trees() -> anyhow::Result<Vec<(Model, tempfile::TempDir)>> {
    let mut trees = Vec::new();
    for model in models()? {
        let folder = scratch()?;
        pour(&blueprint::render::cluster(&model, &stand_in_pins(&model)?)?, folder.path())?;
        if folder.path().join("chezmoi").exists() {
            trees.push((model, folder));
        }
    }
    anyhow::ensure!(!trees.is_empty(), "no cluster has a chezmoi tree");
    Ok(trees)
}

fn os(family: OsFamily) -> &'static str {
    match family {
        OsFamily::Windows => "windows",
        OsFamily::Macos => "darwin",
        _ => "linux",
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
}

fn every_node_is_given_its_own_files(lab: &Lab) -> anyhow::Result<()> {
    for (model, tree) in trees()? {
        let source = tree.path().join("chezmoi");
        let nodes = model.nodes.values().filter(|node| node.can(Capability::Chezmoi));
        for node in nodes {
            let machine =
                Machine { hostname: node.name.as_str(), os: os(node.os.family), arch: node.arch.as_str() };
            let home = chezmoi::apply(lab, &source, machine)?;
            // what chezmoi wrote is what mise is meant to read, braces of mise's own included (FIELD C3, C10)
            let preview = tree.path().join("mise").join(node.name.as_str());
            let applied = read(&home.path().join(".config/mise/config.toml"))?;
            assert_eq!(applied, read(&preview.join("mise.toml"))?, "{}", node.name);
            let tasks = mise::tasks(lab, &preview)?;
            let expected = applied.matches("[tasks.").count();
            assert_eq!(tasks.len(), expected, "{}: {tasks:?}", node.name);
            assert!(tasks.iter().all(|task| task.starts_with("deploy:")), "{tasks:?}");
            let paths = home.path().join(".config/docker/compose/node.env");
            let runs = model.services_on(&node.name).any(|service| {
                service.kind == blueprint::model::ServiceKind::Compose
                    && tasks.contains(&format!("deploy:{}", service.name))
            });
            assert_eq!(paths.exists(), runs, "{}: paths for Compose files", node.name);
            if runs {
                shares_are_where_the_node_has_them(&model, node.name.as_str(), &read(&paths)?);
            }
        }
    }
    Ok(())
}

/// Document 002: the share is at another path on its server than on its clients.
fn shares_are_where_the_node_has_them(model: &Model, node: &str, text: &str) {
    for share in model.shares.values() {
        let served =
            matches!(&share.server, blueprint::model::ShareServer::Node(name) if name.as_str() == node);
        let mounted = share.clients.iter().find(|(client, _)| client.as_str() == node);
        let path = if served {
            Some(share.path.to_string())
        } else {
            mounted.map(|(_, mount_point)| mount_point.clone())
        };
        let line = path.map(|path| format!("SHARE_{}='{path}'", share.name.to_uppercase().replace('-', "_")));
        if let Some(line) = line {
            assert!(text.lines().any(|at| at == line), "{node}: no {line} in {text}");
        }
    }
}

fn an_unknown_machine(lab: &Lab) -> anyhow::Result<()> {
    for (_, tree) in trees()? {
        let machine = Machine { hostname: "raspberrypi", os: "linux", arch: "arm64" };
        let home = chezmoi::apply(lab, &tree.path().join("chezmoi"), machine)?;
        let config = read(&home.path().join(".config/mise/config.toml"))?;
        assert!(config.contains("[tools]") && !config.contains("[tasks"), "{config}");
        assert!(!home.path().join(".config/docker").exists());
        assert!(!home.path().join("README.md").exists());
    }
    Ok(())
}

/// FIELD C1, C2: `chezmoi init`'s own template, which only knows `.chezmoi`.
fn the_question(lab: &Lab) -> anyhow::Result<()> {
    for (_, tree) in trees()? {
        let source = tree.path().join("chezmoi");
        let machine = Machine { hostname: "Writer", os: "windows", arch: "amd64" };
        let home = chezmoi::init(lab, &source, machine)?;
        let config = read(&home.path().join(".config/chezmoi/chezmoi.toml"))?;
        assert_eq!(config.trim(), "[data]\nnode = \"writer\"");
    }
    Ok(())
}
