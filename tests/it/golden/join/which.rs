//! Which node a machine is: recognised by what it carries, asked where a person sits there, never guessed.

use super::{DONE, expect, golden};
use anyhow::ensure;
use desired::NodeName;
use desired::identity::Identity;
use std::collections::BTreeMap;
use std::path::Path;
use tests::node::{NODE, Node, resources, whole_tree};
use tests::programs::{answering, folder, said};
use tests::ring::Trial;

const MAC: &str = "d8:3a:dd:00:11:22";
const SERIAL: &str = "10000000aaaa0002";
const OTHER: &str = "rpi-02";
const REFUSED: i32 = 7;

pub fn trials() -> Vec<Trial> {
    vec![
        golden("join::a_machine_is_recognised_by_each_of_its_marks", recognised),
        golden("join::two_answers_are_an_error_that_names_both", contradictions),
        golden("join::a_person_is_asked_and_nobody_else", asked),
    ]
}

/// A node whose bundle knows two machines, one by its hardware address and one by its serial number.
fn two() -> anyhow::Result<Node> {
    let node = Node::new(&resources())?;
    let (one, other): (NodeName, NodeName) = (NODE.parse()?, OTHER.parse()?);
    let nodes = BTreeMap::from([(one.clone(), resources()), (other.clone(), Vec::new())]);
    let by_mac = Identity { mac: Some(MAC.parse()?), serial: None };
    let by_serial = Identity { mac: None, serial: Some(SERIAL.parse()?) };
    node.bundle_for(nodes, BTreeMap::from([(one, by_mac), (other, by_serial)]))?;
    Ok(node)
}

fn put(node: &Node, path: &str, text: &str) -> anyhow::Result<()> {
    let path = node.at(path);
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
    Ok(std::fs::write(path, text)?)
}

/// Interfaces as the kernel shows them, a loopback with the address that all have among them.
fn has_mac(node: &Node, mac: &str) -> anyhow::Result<()> {
    put(node, "/sys/class/net/lo/address", "00:00:00:00:00:00\n")?;
    put(node, "/sys/class/net/eth0/address", &format!("{mac}\n"))
}

fn recognised() -> anyhow::Result<()> {
    let node = two()?;
    has_mac(&node, MAC)?;
    let output = node.unnamed("join")?.arg("--yes").run()?;
    expect(&output, DONE, &["node rpi-01 of cluster vnext, by its hardware address d8:3a:dd:00:11:22"])?;
    // Joined, it has its name too.
    expect(&node.unnamed("status")?.run()?, DONE, &["converged"])?;
    let node = two()?;
    put(&node, "/sys/firmware/devicetree/base/serial-number", &format!("{SERIAL}\0"))?;
    let output = node.unnamed("plan")?.run()?;
    expect(&output, DONE, &["node rpi-02 of cluster vnext, by its serial number 10000000aaaa0002"])?;
    put(&node, "/etc/hostname", "RPI-02.local\n")?;
    expect(&node.unnamed("plan")?.run()?, DONE, &["by its host name and its serial number"])
}

fn contradictions() -> anyhow::Result<()> {
    let node = two()?;
    put(&node, "/etc/hostname", "rpi-02\n")?;
    has_mac(&node, MAC)?;
    let before = whole_tree(node.root())?;
    let output = node.unnamed("join")?.arg("--yes").run()?;
    let both = ["its host name says rpi-02", "its hardware address d8:3a:dd:00:11:22 says rpi-01", "--node"];
    expect(&output, REFUSED, &both)?;
    // A card of rpi-01 in a machine that rpi-01 is not.
    put(&node, "/etc/hostname", "rpi-01\n")?;
    has_mac(&node, "d8:3a:dd:99:99:99")?;
    let output = node.unnamed("join")?.arg("--yes").run()?;
    expect(
        &output,
        REFUSED,
        &["its host name says this is rpi-01", MAC, "not here", "one of: rpi-01, rpi-02"],
    )?;
    put(&node, "/etc/hostname", "raspberrypi\n")?;
    let output = node.unnamed("join")?.arg("--yes").run()?;
    expect(&output, REFUSED, &["can't be told", "`raspberrypi`", "d8:3a:dd:99:99:99"])?;
    has_mac(&node, MAC)?;
    put(&node, "/etc/hostname", "raspberrypi\n")?;
    let mut after = whole_tree(node.root())?;
    after.retain(|path, _| !path.starts_with("sys"));
    let mut before = before;
    before.retain(|path, _| !path.starts_with("sys"));
    before.insert("etc/hostname".to_owned(), after.get("etc/hostname").cloned().unwrap_or_default());
    super::same(&before, &after, "something was changed without knowing where")?;
    // Whoever names the node is obeyed, and told.
    let output = node.unnamed("plan")?.args(["--node", OTHER]).run()?;
    expect(&output, DONE, &["named by --node, although its hardware address d8:3a:dd:00:11:22 says rpi-01"])
}

/// script(1) is a terminal for the program in it.
fn asked() -> anyhow::Result<()> {
    let node = two()?;
    let program = folder()?.join("bootstrap");
    let line = format!(
        "{} plan --root {} --bundle {}",
        program.display(),
        node.root().display(),
        node.archive().display()
    );
    let on_a_terminal = |answer: &str| {
        let call = host::process::Invocation::new("script");
        let call = call.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        answering(call).stdin(answer.as_bytes().to_vec()).run()
    };
    let output = on_a_terminal("rpi-02\n")?;
    expect(
        &output,
        DONE,
        &["can't be told", "which one is it, rpi-01, rpi-02?", "answered on the terminal"],
    )?;
    let output = on_a_terminal("rpi-03\n")?;
    expect(&output, REFUSED, &["none of them, so nothing was changed"])?;
    let output = node.unnamed("plan")?.run()?;
    ensure!(output.code == REFUSED && !said(&output).contains('?'), "{}", said(&output));
    Ok(())
}
