//! What can't be done: bundles that can't be trusted, changes that fail, artifacts that can't be had.

use super::{DONE, expect, golden, same};
use anyhow::{Context as _, ensure};
use desired::Mode;
use desired::resource::{Owner, Resource, Want};
use host::process::{Invocation, Output};
use tests::node::{ADDRESS, Artifact, Node, VARIABLE, resources, tool, whole_tree};
use tests::ring::Trial;

pub fn trials() -> Vec<Trial> {
    vec![
        golden("join::a_broken_bundle_is_refused_before_the_first_change", broken_bundle),
        golden("join::a_hostile_bundle_is_refused_before_the_first_change", hostile_bundle),
        golden("join::a_failed_change_stops_only_what_needs_it", failed_change),
        golden("join::a_missing_secret_is_named_and_made_up_for", missing_secret),
        golden("join::a_deferred_artifact_is_fetched_verified_and_tried_again", deferred),
        golden("join::a_folder_in_the_way_is_not_destroyed", in_the_way),
    ]
}

fn broken_bundle() -> anyhow::Result<()> {
    let node = Node::new(&resources())?;
    let before = whole_tree(node.root())?;
    let good = std::fs::read(node.archive())?;
    for (what, bytes) in [
        ("cut", good[..good.len() / 2].to_vec()),
        ("flipped", {
            let mut bytes = good.clone();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            bytes
        }),
        ("longer", [&good[..], b"x"].concat()),
    ] {
        std::fs::write(node.archive(), bytes)?;
        expect(&node.join()?, 6, &["is not usable"])?;
        same(&before, &whole_tree(node.root())?, what)?;
    }
    std::fs::remove_file(node.archive())?;
    expect(&node.join()?, 5, &["can't read"])?;
    same(&before, &whole_tree(node.root())?, "no bundle")
}

/// A bundle that somebody has added to, with everything else in it as it was.
fn hostile_bundle() -> anyhow::Result<()> {
    let node = Node::new(&resources())?;
    let before = whole_tree(node.root())?;
    let good = Invocation::new("gzip").arg("-dc").arg(node.archive()).run()?.stdout;
    let many = || (0..100_000).flat_map(|number| member(&format!("rootstock/many/{number}"), b'0', 0o644, 0));
    for (why, added) in [
        ("climbs", member("rootstock/../../etc/cron.d/mine", b'0', 0o644, 0)),
        ("symbolic link", member("rootstock/link", b'2', 0o777, 0)),
        ("device", member("rootstock/disk", b'4', 0o600, 0)),
        ("setuid", member("rootstock/shell", b'0', 0o4755, 0)),
        ("sparse", member("rootstock/holes", b'S', 0o644, 10 << 30)),
        ("more than 50000 entries", many().collect()),
    ] {
        let tar = [added, good.clone()].concat();
        let mut packed = Invocation::new("gzip").args(["-n", "-1"]).stdin(tar).run()?.stdout;
        // As the product writes it, or it is refused for that.
        packed[8..10].copy_from_slice(&[0, 255]);
        std::fs::write(node.archive(), packed)?;
        expect(&node.join()?, 6, &["is not usable", why])?;
        same(&before, &whole_tree(node.root())?, why)?;
    }
    Ok(())
}

/// A header of a tar file (tar(5), ustar) whose content, if it has any, does not follow.
fn member(path: &str, kind: u8, mode: u32, size: u64) -> Vec<u8> {
    let mut header = vec![0; 512];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, path.as_bytes());
    put(100, format!("{mode:07o}").as_bytes());
    for at in [108, 116] {
        put(at, b"0000000");
    }
    put(124, format!("{size:011o}").as_bytes());
    put(136, b"00000000000");
    put(148, b"        ");
    put(156, &[kind]);
    put(257, b"ustar  ");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    header
}

fn failed_change() -> anyhow::Result<()> {
    let mut all = resources();
    let owner = Owner { user: "ghost".to_owned(), group: "root".to_owned() };
    let folder =
        Resource::new(Want::Directory { path: "/srv/ghost".parse()?, mode: Mode::EXECUTABLE, owner });
    let file = |path: &str, owner: &Owner| -> anyhow::Result<Resource> {
        let (path, owner, content) = (path.parse()?, owner.clone(), "x\n".to_owned());
        Ok(Resource::new(Want::File { path, mode: Mode::PUBLIC, owner, content }))
    };
    all.extend([folder, file("/srv/ghost/in", &Owner::root())?, file("/srv/beside", &Owner::root())?]);
    let node = Node::new(&all)?;
    let output = node.join()?;
    expect(
        &output,
        1,
        &[
            "FAILED   directory:/srv/ghost",
            "no user `ghost`",
            "skipped  file:/srv/ghost/in",
            "it needs directory:/srv/ghost, which is not done",
            "done     file:/srv/beside",
            "not converged, this remains:\n",
            "2 to create, 0 to update, 0 to remove, 0 unknown",
        ],
    )?;
    ensure!(!node.at("/srv/ghost").exists(), "made for nobody");
    let passwd = std::fs::read_to_string(node.at("/etc/passwd"))?;
    std::fs::write(node.at("/etc/passwd"), passwd + "ghost:x:1001:1001::/:/bin/sh\n")?;
    expect(&node.join()?, DONE, &["done     file:/srv/ghost/in", "converged"])
}

fn missing_secret() -> anyhow::Result<()> {
    let node = Node::new(&resources())?;
    let join = || node.call("join").map(|call| call.arg("--yes"));
    let output = join()?.env_remove(VARIABLE).run()?;
    let told =
        ["FAILED   secret-file:/etc/trial/token", "env:TRIAL_TOKEN", "not set", "--preserve-env=TRIAL_TOKEN"];
    expect(&output, 1, &told)?;
    expect(&output, 1, &["done     file:/etc/motd"])?;
    expect(&node.join()?, DONE, &["converged"])?;
    // Another secret later is drift, and what it was is not asked for again.
    expect(&join()?.env(VARIABLE, "another").run()?, DONE, &["done     secret-file:/etc/trial/token"])?;
    ensure!(std::fs::read_to_string(node.at("/etc/trial/token"))? == "token=another\n");
    expect(&join()?.env_remove(VARIABLE).run()?, DONE, &["nothing to do"])
}

fn deferred() -> anyhow::Result<()> {
    let node = Node::with(&resources(), Artifact::Deferred)?;
    let folder = node.outside().join("programs");
    let install = |script: &str| -> anyhow::Result<Output> {
        std::fs::create_dir_all(&folder)?;
        host::tree::write_file(&folder.join("curl"), Mode::EXECUTABLE, script.as_bytes())?;
        let path = format!("{}:{}", folder.display(), std::env::var("PATH").context("there is a PATH")?);
        Ok(node.call("join")?.arg("--yes").env("PATH", path).run()?)
    };
    let output = install("#!/bin/sh\necho 'curl: (6) Could not resolve host' >&2\nexit 6\n")?;
    let told =
        ["FAILED   artifact:/usr/local/bin/tool", "artifact tool 1.2.3", ADDRESS, "Could not resolve host"];
    expect(&output, 1, &told)?;
    // The unit does not name the program, so it need not wait for it.
    expect(&output, 1, &["put this node on a network", "done     unit:trial.service"])?;
    let write = |text: &str| format!("#!/bin/sh\nwhile [ \"$1\" != --output ]; do shift; done\n{text}\n");
    let output = install(&write("echo evil > \"$2\""))?;
    expect(&output, 1, &["has digest", "instead of", ADDRESS])?;
    ensure!(!node.at("/usr/local/bin/tool").exists(), "unverified bytes were installed");
    ensure!(node.tree()?.values().all(|entry| !entry.contains("evil")), "unverified bytes are left");
    let source = node.outside().join("source");
    std::fs::write(&source, tool())?;
    expect(&install(&write(&format!("cp {} \"$2\"", source.display())))?, DONE, &["converged"])?;
    ensure!(std::fs::read(node.at("/usr/local/bin/tool"))? == tool(), "other bytes than fetched");
    ensure!(std::fs::read_dir(node.at("/var/lib/rootstock/incoming"))?.count() == 0, "the download is left");
    Ok(())
}

fn in_the_way() -> anyhow::Result<()> {
    let node = Node::new(&resources())?;
    let motd = node.at("/etc/motd");
    std::fs::remove_file(&motd)?;
    std::fs::create_dir(&motd)?;
    std::fs::write(motd.join("precious"), "x")?;
    expect(&node.join()?, 1, &["FAILED   file:/etc/motd", "a folder with something in it; move it away"])?;
    ensure!(motd.join("precious").exists(), "a folder was destroyed");
    std::fs::remove_file(motd.join("precious"))?;
    let before = whole_tree(&motd)?;
    expect(&node.join()?, DONE, &["converged"])?;
    expect(&node.leave()?, DONE, &[])?;
    ensure!(motd.is_dir() && whole_tree(&motd)? == before, "the folder is not back");
    Ok(())
}
