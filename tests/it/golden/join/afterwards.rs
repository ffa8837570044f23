//! A joined node without its bundle: its program is there, it knows what it is, and it can leave.

use super::{DONE, expect, golden, same};
use anyhow::{Context as _, ensure};
use host::process::Invocation;
use std::os::unix::fs::PermissionsExt as _;
use tests::node::{Node, resources, whole_tree};
use tests::programs;
use tests::ring::Trial;

const PENDING: i32 = 3;
const MISSING: i32 = 5;
const REFUSED: i32 = 7;
const INSTALLED: &str = "/usr/local/bin/bootstrap";

pub fn trials() -> Vec<Trial> {
    vec![
        golden("join::the_bundle_may_be_gone_afterwards", without_the_bundle),
        golden("join::an_unpacked_bundle_is_as_good_as_its_archive", unpacked),
        golden("join::a_running_system_out_of_reach_is_left_alone", out_of_reach),
    ]
}

fn bare(node: &Node, verb: &str) -> anyhow::Result<Invocation> {
    Ok(programs::bootstrap()?.args([verb, "--root"]).arg(node.root()))
}

fn without_the_bundle() -> anyhow::Result<()> {
    let node = Node::new(&resources())?;
    let before = whole_tree(node.root())?;
    for verb in ["status", "plan"] {
        expect(&bare(&node, verb)?.run()?, MISSING, &["not usable", "no manifest.json"])?;
    }
    expect(&node.join()?, DONE, &["done     artifact:/usr/local/bin/bootstrap", "converged"])?;
    let mode = node.at(INSTALLED).metadata()?.permissions().mode();
    ensure!(mode & 0o7777 == 0o755, "the program has mode {mode:o}");
    let private = node.at("/var/lib/rootstock/node.json").metadata()?.permissions().mode();
    ensure!(private & 0o7777 == 0o600, "what is remembered has mode {private:o}");
    std::fs::remove_file(node.archive())?;
    expect(&bare(&node, "status")?.run()?, DONE, &["node         rpi-01 of cluster vnext", "converged"])?;
    expect(&bare(&node, "plan")?.run()?, DONE, &["as it was joined", "nothing to do"])?;
    expect(&bare(&node, "plan")?.args(["--node", "rpi-02"]).run()?, REFUSED, &["joined as rpi-01"])?;
    std::fs::write(node.at("/etc/motd"), "somebody's\n")?;
    expect(&bare(&node, "status")?.run()?, 3, &["1 changes pending"])?;
    // A join needs the bundle's files.
    expect(&bare(&node, "join")?.arg("--yes").run()?, MISSING, &["no manifest.json"])?;
    expect(&node.leave()?, REFUSED, &["kept      file:/etc/motd"])?;
    expect(&bare(&node, "leave")?.args(["--yes", "--force"]).run()?, DONE, &["the journal is gone"])?;
    same(&before, &whole_tree(node.root())?, "after leave")
}

fn unpacked() -> anyhow::Result<()> {
    let node = Node::new(&resources())?;
    expect(&node.join()?, DONE, &["converged"])?;
    let joined = node.tree()?;
    expect(&node.leave()?, DONE, &["given back"])?;
    let folder = node.outside().join("unpacked");
    std::fs::create_dir(&folder)?;
    Invocation::new("tar").args(["-x", "-p", "-C"]).arg(&folder).arg("-f").arg(node.archive()).run()?;
    let from_folder = |verb: &str| -> anyhow::Result<_> {
        let call = bare(&node, verb)?.args(["--node", tests::node::NODE, "--bundle"]);
        Ok(call.arg(folder.join("rootstock")).env(tests::node::VARIABLE, tests::node::SECRET))
    };
    expect(&from_folder("join")?.arg("--yes").run()?, DONE, &["converged"])?;
    same(&joined, &node.tree()?, "from the folder and from the archive")?;
    // Here what lies in the folder is compared byte by byte: one flipped bit at the end is drift.
    let tool = node.at("/usr/local/bin/tool");
    let mut bytes = std::fs::read(&tool)?;
    *bytes.last_mut().context("the tool is not empty")? ^= 1;
    std::fs::write(&tool, bytes)?;
    let plan = from_folder("plan")?.arg("--detailed-exitcode").run()?;
    expect(&plan, PENDING, &["artifact:/usr/local/bin/tool"])?;
    expect(&from_folder("join")?.arg("--yes").run()?, DONE, &["converged"])?;
    same(&joined, &node.tree()?, "after the tool was mended")
}

/// As a container sees the machine it runs on when it is given its files and not its processes.
fn out_of_reach() -> anyhow::Result<()> {
    let node = Node::new(&resources())?;
    std::fs::create_dir_all(node.at("/run/systemd/system"))?;
    let before = whole_tree(node.root())?;
    for verb in ["join", "leave"] {
        let output = node.call(verb)?.arg("--yes").run()?;
        expect(&output, MISSING, &["a running system seen from a container", "--pid host"])?;
    }
    same(&before, &whole_tree(node.root())?, "something was changed")
}
