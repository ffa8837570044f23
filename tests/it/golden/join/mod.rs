//! `bootstrap join` and `leave` as a person runs them, on a node that is a folder: twice, changed by others, cut off.

mod afterwards;
mod cut_off;
mod faults;
mod handed;
mod kernel_line;
mod others;
mod signals;
mod signed;
mod which;

use anyhow::{Context as _, ensure};
use desired::resource::{Resource, Want};
use std::path::Path;
use tests::node::{Node, SECRET, Tree, VARIABLE, artifact, difference, resources, whole_tree};
use tests::programs::{expect, said};
use tests::ring::{Ring, Trial};

pub fn trials() -> Vec<Trial> {
    let own = vec![
        golden("join::it_converges_and_the_second_time_touches_nothing", converges),
        golden("join::leave_gives_back_every_byte", leave_gives_back),
        golden("join::a_node_of_a_real_profile_converges", real_profile),
        golden("join::only_takes_what_is_named_and_what_it_needs", only),
    ];
    [
        own,
        afterwards::trials(),
        cut_off::trials(),
        faults::trials(),
        handed::trials(),
        others::trials(),
        kernel_line::trials(),
        signals::trials(),
        signed::trials(),
        which::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A trial that needs nothing.
fn golden(name: &str, body: fn() -> anyhow::Result<()>) -> Trial {
    Trial::new(Ring::Golden, name, move |_| body())
}

const DONE: i32 = 0;

fn same(one: &Tree, other: &Tree, what: &str) -> anyhow::Result<()> {
    ensure!(one == other, "{what}:\n{}", difference(one, other));
    Ok(())
}

fn modified(folder: &Path) -> anyhow::Result<Vec<(String, std::time::SystemTime)>> {
    let mut times = Vec::new();
    for name in whole_tree(folder)?.into_keys() {
        times.push((name.clone(), folder.join(&name).symlink_metadata()?.modified()?));
    }
    Ok(times)
}

fn converges() -> anyhow::Result<()> {
    let node = Node::new(&resources())?;
    let before = whole_tree(node.root())?;
    let output = node.call("join")?.run()?;
    expect(&output, 7, &["no terminal", "--yes"])?;
    same(&before, &whole_tree(node.root())?, "changed without consent")?;
    let output = node.join()?;
    expect(&output, DONE, &["converged", "done     file:/etc/motd", "left to others"])?;
    ensure!(!said(&output).contains(SECRET), "the secret is told");
    let journal = std::fs::read_to_string(node.at("/var/lib/rootstock/journal.jsonl"))?;
    ensure!(!journal.contains(SECRET), "the secret is journaled");
    let digest = desired::Digest::sha256_of(format!("token={SECRET}\n").as_bytes());
    ensure!(!journal.contains(digest.hex()), "a digest of the secret can be guessed from the journal");
    let token = whole_tree(node.root())?.remove("etc/trial/token").context("there is a token")?;
    ensure!(token == format!("100600 0:0 token={SECRET}\n"), "the token is {token}");
    // Once more, and without the secret, which was used once.
    let times = modified(node.root())?;
    let output = node.call("join")?.env_remove(VARIABLE).run()?;
    expect(&output, DONE, &["nothing to do", "converged"])?;
    ensure!(times == modified(node.root())?, "the second join touched something");
    let output = node.call("plan")?.arg("--detailed-exitcode").env_remove(VARIABLE).run()?;
    expect(&output, DONE, &["nothing to do"])
}

fn leave_gives_back() -> anyhow::Result<()> {
    let node = Node::new(&resources())?;
    let before = whole_tree(node.root())?;
    expect(&node.leave()?, DONE, &["nothing to give back"])?;
    same(&before, &whole_tree(node.root())?, "leave changed a node that never joined")?;
    expect(&node.join()?, DONE, &["converged"])?;
    let joined = node.tree()?;
    expect(&node.leave()?, DONE, &["given back", "restored  hostname"])?;
    same(&before, &whole_tree(node.root())?, "after leave")?;
    expect(&node.join()?, DONE, &["converged"])?;
    same(&joined, &node.tree()?, "after joining again")
}

/// The node `rpi-03` of `vnext` as the golden tree has it; its artifacts are a small one, since the real ones are fetched.
fn real_profile() -> anyhow::Result<()> {
    let path = tests::repository().join("tests/golden/vnext/nodes/rpi-03/resources.json");
    let text = std::fs::read_to_string(&path).context("read the golden resources")?;
    let value: serde_json::Value = serde_json::from_str(&text)?;
    let list = value.get("resources").unwrap_or(&value).clone();
    let mut resources: Vec<Resource> = serde_json::from_value(list)?;
    for resource in &mut resources {
        if let Want::Artifact { path, .. } = &resource.want {
            *resource = Resource { after: resource.after.clone(), ..artifact(path.as_str()) };
        }
        // It belongs to the node of that name, here it is another one's.
        resource.after.clear();
    }
    let node = Node::new(&resources)?;
    let before = whole_tree(node.root())?;
    // Preflight takes only a token of the kind that agents join with.
    let token = format!("K10{}::abcdef.0123456789abcdef", "a".repeat(64));
    let join = || {
        let call = node.call("join")?.arg("--yes").env("GHCR_TOKEN", "a");
        anyhow::Ok(call.env("VNEXT_JOIN_TOKEN", &token))
    };
    expect(&join()?.run()?, DONE, &["converged", "done     file:/etc/rancher/k3s/config.yaml"])?;
    expect(&node.call("join")?.run()?, DONE, &["nothing to do"])?;
    expect(&node.leave()?, DONE, &["given back"])?;
    same(&before, &whole_tree(node.root())?, "after leave")
}

fn only() -> anyhow::Result<()> {
    let node = Node::new(&resources())?;
    let before = whole_tree(node.root())?;
    let output = node.call("join")?.args(["--yes", "--only", "file:/etc/mod"]).run()?;
    expect(&output, 2, &["file:/etc/mod", "bootstrap plan"])?;
    let output = node.call("join")?.args(["--yes", "--only", "file:/home/pi/.config/trial.toml"]).run()?;
    expect(&output, DONE, &["directory:/home/pi/.config", "as far as --only goes"])?;
    let added: Vec<String> = node.tree()?.into_keys().filter(|path| !before.contains_key(path)).collect();
    ensure!(added == ["home/pi/.config", "home/pi/.config/trial.toml"], "{added:?}");
    let output = node.call("plan")?.arg("--detailed-exitcode").run()?;
    expect(&output, 3, &["~ file:/etc/motd"])
}
