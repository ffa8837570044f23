//! Somebody else at work on the same node: edits in our files and blocks, a second run, links that lead out.

use super::signals::Slow;
use super::{DONE, expect, golden, same};
use anyhow::ensure;
use std::os::unix::fs::symlink;
use std::path::Path;
use tests::node::{Node, resources, whole_tree};
use tests::programs::said;
use tests::ring::Trial;

pub fn trials() -> Vec<Trial> {
    vec![
        golden("join::edits_outside_of_a_block_stay_and_inside_are_drift", edits_around_blocks),
        golden("join::a_file_somebody_edited_is_kept_by_leave", edited_file),
        golden("join::a_second_run_is_told_who_is_at_work", two_at_once),
        golden("join::links_lead_nowhere", links),
    ]
}

fn append(path: &Path, text: &str) -> anyhow::Result<()> {
    let old = std::fs::read_to_string(path)?;
    Ok(std::fs::write(path, old + text)?)
}

fn edits_around_blocks() -> anyhow::Result<()> {
    let node = Node::new(&resources())?;
    let before = whole_tree(node.root())?;
    expect(&node.join()?, DONE, &[])?;
    let hosts = node.at("/etc/hosts");
    append(&hosts, "10.0.0.9 printer\n")?;
    append(&node.at("/etc/exports"), "/other *(ro)\n")?;
    expect(&node.call("plan")?.arg("--detailed-exitcode").run()?, DONE, &["nothing to do"])?;
    let edited = std::fs::read_to_string(&hosts)?;
    std::fs::write(&hosts, edited.replace("192.168.1.10 pc", "192.168.1.66 pc"))?;
    expect(&node.call("plan")?.run()?, DONE, &["~ managed-block:/etc/hosts#cluster"])?;
    expect(&node.join()?, DONE, &["converged"])?;
    ensure!(std::fs::read_to_string(&hosts)? == edited, "our block is ours, the rest is theirs");
    expect(&node.leave()?, DONE, &["given back"])?;
    let mut left = before;
    let theirs = |tree: &mut tests::node::Tree, path: &str, text: &str| -> anyhow::Result<()> {
        tree.entry(path.to_owned()).or_insert_with(|| "100644 0:0 ".to_owned()).push_str(text);
        Ok(())
    };
    theirs(&mut left, "etc/hosts", "10.0.0.9 printer\n")?;
    theirs(&mut left, "etc/exports", "/other *(ro)\n")?;
    same(&left, &whole_tree(node.root())?, "after leave")
}

fn edited_file() -> anyhow::Result<()> {
    let node = Node::new(&resources())?;
    let before = whole_tree(node.root())?;
    expect(&node.join()?, DONE, &[])?;
    let (motd, token) = (node.at("/etc/motd"), node.at("/etc/trial/token"));
    std::fs::write(&motd, "theirs\n")?;
    std::fs::write(&token, "theirs\n")?;
    expect(
        &node.leave()?,
        7,
        &["kept      file:/etc/motd", "kept      secret-file:/etc/trial/token", "--force"],
    )?;
    ensure!(std::fs::read_to_string(&motd)? == "theirs\n", "an edit was lost");
    ensure!(std::fs::read_to_string(&token)? == "theirs\n", "an edit was lost");
    expect(&node.call("leave")?.args(["--yes", "--force"]).run()?, DONE, &["restored  file:/etc/motd"])?;
    same(&before, &whole_tree(node.root())?, "after leave --force")?;
    // What join replaces of others is kept in a copy until then.
    expect(&node.join()?, DONE, &[])?;
    std::fs::write(&motd, "precious\n")?;
    expect(&node.join()?, DONE, &["converged"])?;
    let saved = whole_tree(&node.at("/var/lib/rootstock/saved"))?;
    ensure!(saved.values().any(|copy| copy == "100600 0:0 precious\n"), "no copy of the edit");
    Ok(())
}

fn two_at_once() -> anyhow::Result<()> {
    let slow = Slow::new()?;
    let others = || -> anyhow::Result<()> {
        let second = slow.call(slow.node.call("join")?.arg("--yes"))?.run()?;
        expect(&second, 7, &["another run is at work", "`bootstrap join`, process ", "wait for it"])?;
        ensure!(!said(&second).contains("done "), "the second run changed something");
        expect(&slow.node.leave()?, 7, &["another run is at work"])
    };
    let first = slow.during(|_| {
        let told = others();
        std::fs::remove_file(slow.at("hold"))?;
        told
    })?;
    expect(&first, DONE, &["converged"])
}

fn links() -> anyhow::Result<()> {
    let node = Node::new(&resources())?;
    let outside = node.outside().join("precious");
    std::fs::create_dir_all(outside.join("deep"))?;
    std::fs::write(outside.join("file"), "precious\n")?;
    for (path, target) in
        [("/etc/motd", "file"), ("/etc/hostname", "file"), ("/srv", ""), ("/etc/trial", "deep")]
    {
        drop(std::fs::remove_file(node.at(path)));
        symlink(outside.join(target), node.at(path))?;
    }
    std::fs::remove_file(node.at("/etc/fstab"))?;
    symlink("../etc/hosts", node.at("/etc/fstab"))?;
    let untouched = whole_tree(&outside)?;
    let before = whole_tree(node.root())?;
    let output = node.join()?;
    // A block goes into a file, not through a link; what leads out of the node leads nowhere.
    expect(
        &output,
        1,
        &["/etc/fstab#mounts", "link", "done     file:/etc/motd", "FAILED   directory:/srv/deep/data"],
    )?;
    same(&untouched, &whole_tree(&outside)?, "something was written outside of the node")?;
    expect(&node.leave()?, DONE, &[])?;
    same(&untouched, &whole_tree(&outside)?, "something was removed outside of the node")?;
    same(&before, &whole_tree(node.root())?, "after leave")
}
