//! `bootstrap join` and `leave` as a person runs them, on a node that is a folder: twice, changed by others, cut off.

use anyhow::{Context as _, ensure};
use host::process::Output;
use std::path::Path;
use tests::node::{Node, SECRET, Tree, VARIABLE, difference, resources, whole_tree};
use tests::programs::said;
use tests::ring::{Ring, Trial};

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::new(Ring::Golden, "join::it_converges_and_the_second_time_touches_nothing", |_| converges()),
        Trial::new(Ring::Golden, "join::leave_gives_back_every_byte", |_| leave_gives_back()),
    ]
}

const DONE: i32 = 0;

fn expect(output: &Output, code: i32, words: &[&str]) -> anyhow::Result<()> {
    ensure!(output.code == code, "exit {}, not {code}:\n{}", output.code, said(output));
    for word in words {
        ensure!(said(output).contains(word), "nothing is said of `{word}`:\n{}", said(output));
    }
    Ok(())
}

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
