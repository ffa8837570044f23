//! A node with a key takes only what that key signed, and says so before anything else.

use super::{DONE, expect, golden, same};
use anyhow::Context as _;
use host::process::Invocation;
use host::signature::Signer;
use std::path::{Path, PathBuf};
use tests::node::{Node, resources, whole_tree};
use tests::ring::Trial;

const WRONG: i32 = 6;

pub fn trials() -> Vec<Trial> {
    vec![
        golden("join::a_pinned_key_wants_its_signature", pinned),
        golden("join::a_key_that_can_not_be_read_believes_nobody", unreadable),
    ]
}

/// A key pair in two files beside the node: (secret, public).
fn pair(node: &Node, name: &str) -> anyhow::Result<(PathBuf, PathBuf)> {
    let (secret, public) =
        (node.outside().join(format!("{name}.key")), node.outside().join(format!("{name}.pub")));
    Signer::generate(&secret, &public).context("make a key pair")?;
    Ok((secret, public))
}

fn pin(node: &Node, public: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(node.at("/etc/rootstock"))?;
    std::fs::copy(public, node.at("/etc/rootstock/key.pub"))?;
    Ok(())
}

fn pinned() -> anyhow::Result<()> {
    let node = Node::new(&resources())?;
    let (secret, public) = pair(&node, "own")?;
    let (other_secret, _) = pair(&node, "stranger")?;
    pin(&node, &public)?;
    let before = whole_tree(node.root())?;
    for verb in ["join", "plan", "status"] {
        let call = node.call(verb)?;
        let call = if verb == "join" { call.arg("--yes") } else { call };
        expect(&call.run()?, WRONG, &["it is not signed", "--sign-key"])?;
    }
    node.signed_bundle(&resources(), &other_secret)?;
    expect(&node.join()?, WRONG, &["signed with another key"])?;
    // The signature of one bundle on another: unpacked, its manifest exchanged for that of the next.
    node.signed_bundle(&resources(), &secret)?;
    let folder = unpacked(&node, "one")?;
    node.signed_bundle(&resources()[1..], &secret)?;
    let next = unpacked(&node, "next")?;
    for name in ["manifest.json", "nodes/rpi-01/resources.json"] {
        std::fs::copy(next.join(name), folder.join(name))?;
    }
    let swapped =
        tests::programs::bootstrap()?.args(["join", "--yes", "--node", tests::node::NODE, "--root"]);
    let swapped = swapped.arg(node.root()).arg("--bundle").arg(&folder);
    expect(&swapped.run()?, WRONG, &["its signature is not of this content"])?;
    same(&before, &whole_tree(node.root())?, "a bundle nobody signed changed something")?;
    // Signed as it should be; the key can also be named.
    node.signed_bundle(&resources(), &secret)?;
    expect(&node.join()?, DONE, &["converged"])?;
    std::fs::remove_dir_all(node.at("/etc/rootstock"))?;
    expect(&node.call("plan")?.arg("--public-key").arg(&public).run()?, DONE, &["nothing to do"])?;
    // Without a key a signed bundle is as good as any.
    expect(&node.call("plan")?.run()?, DONE, &["nothing to do"])
}

fn unpacked(node: &Node, name: &str) -> anyhow::Result<PathBuf> {
    let folder = node.outside().join(name);
    std::fs::create_dir(&folder)?;
    Invocation::new("tar").args(["-x", "-p", "-C"]).arg(&folder).arg("-f").arg(node.archive()).run()?;
    Ok(folder.join("rootstock"))
}

fn unreadable() -> anyhow::Result<()> {
    let node = Node::new(&resources())?;
    let before = whole_tree(node.root())?;
    let broken = node.outside().join("broken.pub");
    std::fs::write(&broken, "untrusted comment: minisign public key\nRWQ\n")?;
    let output = node.call("join")?.args(["--yes", "--public-key"]).arg(&broken).run()?;
    expect(&output, WRONG, &["broken.pub is not usable", "no minisign public key"])?;
    let output = node.call("join")?.args(["--yes", "--public-key", "/nothing/here.pub"]).run()?;
    expect(&output, 5, &["read the public key /nothing/here.pub"])?;
    same(&before, &whole_tree(node.root())?, "changed all the same")
}
