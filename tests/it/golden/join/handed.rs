//! Secrets handed over on standard input: in no file, argument or variable on the way, and never repeated.

use anyhow::ensure;
use desired::Mode;
use desired::resource::{Owner, Resource, SecretPart, Want};
use host::process::Invocation;
use tests::node::{Node, SECRET, VARIABLE, resources};
use tests::programs::{answering, expect, said};
use tests::ring::{Ring, Trial};

pub fn trials() -> Vec<Trial> {
    let trial = |name: &str, body: fn() -> anyhow::Result<()>| {
        Trial::new(Ring::Golden, format!("join::{name}"), move |_| body())
    };
    vec![
        trial("secrets_come_by_standard_input", by_input),
        trial("what_is_no_list_of_secrets_is_not_repeated", refused),
        trial("a_secret_of_infisical_comes_by_its_own_run", infisical),
        trial("a_secret_is_piped_in_and_not_typed", piped),
    ]
}

fn join(node: &Node, input: &str) -> anyhow::Result<Invocation> {
    let call = node.call("join")?.args(["--yes", "--secrets-stdin"]).env_remove(VARIABLE);
    Ok(call.stdin(input.as_bytes().to_vec()))
}

fn by_input() -> anyhow::Result<()> {
    let node = Node::new(&resources())?;
    let output = join(&node, &format!("{{\"env:{VARIABLE}\": \"handed-over\"}}"))?.run()?;
    ensure!(output.code == 0, "{}", said(&output));
    ensure!(std::fs::read_to_string(node.at("/etc/trial/token"))? == "token=handed-over\n", "another secret");
    ensure!(!said(&output).contains("handed-over"), "{}", said(&output));
    // Over what the reference leads to on this machine, and without it the file is as it was left (decision 0042).
    let output = node.call("plan")?.arg("--detailed-exitcode").env_remove(VARIABLE).run()?;
    ensure!(output.code == 0, "{}", said(&output));
    let call = join(&node, &format!("{{\"env:{VARIABLE}\": \"another\"}}"))?.env(VARIABLE, SECRET);
    let output = call.run()?;
    ensure!(output.code == 0, "{}", said(&output));
    ensure!(std::fs::read_to_string(node.at("/etc/trial/token"))? == "token=another\n", "the variable won");
    Ok(())
}

fn refused() -> anyhow::Result<()> {
    let node = Node::new(&resources())?;
    let before = node.tree()?;
    for input in ["hunter2", "{\"hunter2\": 1}", "{\"env:A\": hunter2}", "[\"hunter2\"]", ""] {
        let output = join(&node, input)?.run()?;
        ensure!(output.code == 2, "{input}: exit {}: {}", output.code, said(&output));
        ensure!(!said(&output).contains("hunter2"), "it is repeated: {}", said(&output));
    }
    ensure!(node.tree()? == before, "something was changed");
    Ok(())
}

/// No vault is asked by a node: its own command does, around ours, here or at the desk.
fn infisical() -> anyhow::Result<()> {
    let file = Resource::new(Want::SecretFile {
        path: "/etc/trial/samba".parse()?,
        mode: Mode::PRIVATE,
        owner: Owner::root(),
        parts: vec![SecretPart::Secret("infisical:/samba/NAS_PASSWORD".parse()?)],
    });
    let node = Node::new(&[file])?;
    let output = node.join()?;
    ensure!(output.code == 1, "exit {}: {}", output.code, said(&output));
    for words in
        ["infisical:/samba/NAS_PASSWORD", "`infisical run --path=/samba --`", "--preserve-env=NAS_PASSWORD"]
    {
        ensure!(said(&output).contains(words), "nothing is said of {words}: {}", said(&output));
    }
    let output = node.call("join")?.arg("--yes").env("NAS_PASSWORD", "by-its-run").run()?;
    ensure!(output.code == 0, "exit {}: {}", output.code, said(&output));
    ensure!(std::fs::read_to_string(node.at("/etc/trial/samba"))? == "by-its-run", "another secret");
    let output = join(&node, "{\"infisical:/samba/NAS_PASSWORD\": \"handed\"}")?.run()?;
    ensure!(output.code == 0, "exit {}: {}", output.code, said(&output));
    ensure!(std::fs::read_to_string(node.at("/etc/trial/samba"))? == "handed", "another secret");
    Ok(())
}

/// The reference `stdin`: the whole of standard input less one newline.
fn piped() -> anyhow::Result<()> {
    let file = Resource::new(Want::SecretFile {
        path: "/etc/trial/token".parse()?,
        mode: Mode::PRIVATE,
        owner: Owner::root(),
        parts: vec![SecretPart::Secret("stdin".parse()?)],
    });
    let node = Node::new(&[file])?;
    let call = || anyhow::Ok(node.call("join")?.arg("--yes"));
    let output = call()?.stdin(Vec::new()).run()?;
    expect(&output, 1, &["which is empty; pipe the secret in"])?;
    let terminal = answering(Invocation::new("script").args(["-qec", &call()?.line(), "/dev/null"]));
    expect(&terminal.run()?, 1, &["it would be shown while it is typed", "pipe it in"])?;
    ensure!(!node.at("/etc/trial/token").exists(), "something was written");
    let output = call()?.stdin(format!("{SECRET}\n").into_bytes()).run()?;
    expect(&output, 0, &["converged"])?;
    ensure!(!said(&output).contains(SECRET), "the secret is told");
    ensure!(std::fs::read_to_string(node.at("/etc/trial/token"))? == SECRET, "another secret");
    Ok(())
}
