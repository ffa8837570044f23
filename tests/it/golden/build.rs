//! `build-images` as a person runs it: twice, killed, elsewhere, on a full disk, with a secret in the wrong place.
//!
//! The profile is a copy of `vnext`, which needs no download that could be had: what it pins is deferred everywhere.

use anyhow::{Context as _, ensure};
use host::process::Invocation;
use host::signature::{PublicKey, Signer};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tests::desk::{CLUSTER, Desk};
use tests::programs::{self, expect, said};
use tests::ring::{Ring, Trial};

/// Kills in the everyday run, and with `--long`.
const KILLS: (u64, u64) = (4, 30);

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::new(Ring::Golden, "build::a_second_run_touches_nothing", |_| a_second_run_touches_nothing()),
        Trial::new(Ring::Golden, "build::another_clone_gives_the_same_bytes", |_| another_clone()),
        Trial::new(Ring::Golden, "build::killed_anywhere_it_starts_over", |_| killed(KILLS.0)),
        Trial::new(Ring::Golden, "build::killed_thirty_times_it_starts_over", |_| killed(KILLS.1)).long(),
        Trial::new(Ring::Golden, "build::a_secret_in_the_output_is_refused", |_| secret()),
        Trial::new(Ring::Golden, "build::a_full_disk_leaves_the_old_output", |_| full_disk()),
        Trial::new(Ring::Golden, "build::air_gap_makes_deferred_an_error", |_| air_gap()),
        Trial::new(Ring::Golden, "build::a_wrong_dockerfile_is_named_before_anything_is_built", |_| {
            dockerfile()
        }),
        Trial::new(Ring::Golden, "build::a_wrong_lock_is_refused", |_| wrong_lock()),
        Trial::new(Ring::Golden, "build::what_a_key_signs_its_holder_can_tell", |_| signed()),
    ]
}

fn sums(out: &Path) -> anyhow::Result<String> {
    let path = out.join(CLUSTER).join("SHA256SUMS");
    std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))
}

fn times(folder: &Path) -> anyhow::Result<BTreeMap<PathBuf, SystemTime>> {
    let files = host::tree::files(folder)?;
    files.into_iter().map(|file| Ok((file.clone(), file.metadata()?.modified()?))).collect()
}

fn a_second_run_touches_nothing() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    expect(&desk.build()?, 0, &["bundle, 3 nodes", "bundle, 8 nodes", "DEFERRED", "--refetch"])?;
    let folder = desk.out().join(CLUSTER);
    Invocation::new("sha256sum")
        .args(["--check", "--strict", "--quiet", "SHA256SUMS"])
        .folder(&folder)
        .run()?;
    let before = times(&folder)?;
    expect(&desk.build()?, 0, &["Nothing changed"])?;
    ensure!(times(&folder)? == before, "an unchanged run touched a file");
    let answer = desk.call(&desk.out())?.arg("--json").run()?;
    let answer: serde_json::Value = serde_json::from_slice(&answer.stdout)?;
    ensure!(answer["clusters"][0]["unchanged"] == true, "{answer}");
    std::fs::write(folder.join("manifest.json"), "{}")?;
    expect(&desk.build()?, 0, &["built"])?;
    ensure!(std::fs::read(folder.join("manifest.json"))?.len() > 100, "a damaged output was taken for fresh");
    Ok(())
}

fn another_clone() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    desk.build()?;
    let clone = programs::repository_copy()?;
    let program = programs::folder()?.join("xtask");
    // Another place, time zone, locale and umask.
    let script = format!(
        "umask 077 && exec '{}' build-images {CLUSTER} --engine embedded --offline --profiles '{}' --out out",
        program.display(),
        desk.folder().join("profiles").display()
    );
    let call = Invocation::new("sh").args(["-c", &script]).folder(clone.path());
    let call = call.env("TZ", "Pacific/Kiritimati").env("LANG", "tr_TR.UTF-8");
    call.timeout(Duration::from_secs(1800)).run()?;
    let (here, there) = (sums(&desk.out())?, sums(&clone.path().join("out"))?);
    ensure!(here == there, "two clones differ:\n{here}\n{there}");
    Ok(())
}

/// Starts the verb, ends it after a while that differs each time, and lets the next run finish.
fn killed(times: u64) -> anyhow::Result<()> {
    let desk = Desk::new()?;
    desk.build()?;
    for round in 0..times {
        // Each round has other input, so there is work to interrupt.
        desk.edit("[cluster]\n", &format!("# round {round}\n[cluster]\n"))?;
        let signal = if round % 2 == 0 { "KILL" } else { "INT" };
        // An odd multiplier spreads the moments over the whole run, the same ones each time.
        let after_ms = 5 + (round * 7919) % 700;
        let seconds = format!("{}.{:03}", after_ms / 1000, after_ms % 1000);
        let call = desk.call(&desk.out())?;
        let line = format!("exec timeout --foreground --signal={signal} {seconds} {}", call.line());
        let shell =
            programs::answering(Invocation::new("sh").args(["-c", &line]).folder(tests::repository()));
        // What the ended run says does not matter; what it leaves does.
        drop(shell.run());
        expect(&desk.build()?, 0, &[])?;
        let left: Vec<_> = std::fs::read_dir(desk.out())?.flatten().map(|entry| entry.file_name()).collect();
        ensure!(left.len() == 2, "left over after {signal} at {after_ms} ms: {left:?}");
    }
    let fresh = desk.folder().join("fresh");
    desk.call(&fresh)?.run()?;
    ensure!(sums(&desk.out())? == sums(&fresh)?, "after {times} kills the output differs from a fresh one");
    Ok(())
}

fn secret() -> anyhow::Result<()> {
    const VALUE: &str = "correct-horse-battery";
    let desk = Desk::new()?;
    desk.build()?;
    let before = sums(&desk.out())?;
    desk.edit("description = \"", &format!("description = \"{VALUE} "))?;
    let output = desk.call(&desk.out())?.env("VNEXT_SERVER_TOKEN", VALUE).run()?;
    expect(&output, 7, &["env:VNEXT_SERVER_TOKEN"])?;
    ensure!(!said(&output).contains(VALUE), "the value is told");
    ensure!(sums(&desk.out())? == before, "the old output changed");
    for file in host::tree::files(&desk.out())? {
        let content = String::from_utf8_lossy(&std::fs::read(&file)?).into_owned();
        ensure!(!content.contains(VALUE), "the value is in {}", file.display());
    }
    Ok(())
}

fn full_disk() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    desk.build()?;
    let size_bytes: u64 =
        host::tree::files(&desk.out())?.iter().map(|file| file.metadata().map_or(0, |m| m.len())).sum();
    let disk = desk.folder().join("disk");
    std::fs::create_dir(&disk)?;
    // Room for one output, not for the next beside it.
    let options = format!("size={}", size_bytes + size_bytes / 3);
    Invocation::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&disk).run()?;
    let outcome = full(&desk, &disk);
    Invocation::new("umount").arg(&disk).run()?;
    outcome
}

fn full(desk: &Desk, disk: &Path) -> anyhow::Result<()> {
    let out = disk.join("dist");
    expect(&desk.call(&out)?.run()?, 0, &[])?;
    let before = sums(&out)?;
    desk.edit("description = \"", "description = \"Also ")?;
    let output = desk.call(&out)?.run()?;
    expect(&output, 1, &["No space left"])?;
    ensure!(sums(&out)? == before, "a full disk cost the old output");
    let folder = out.join(CLUSTER);
    Invocation::new("sha256sum")
        .args(["--check", "--strict", "--quiet", "SHA256SUMS"])
        .folder(folder)
        .run()?;
    Ok(())
}

fn air_gap() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let output = desk.call(&desk.out())?.arg("--air-gap").run()?;
    expect(&output, 5, &["k3s", "--air-gap"])?;
    ensure!(!desk.out().join(CLUSTER).exists(), "output in spite of the error");
    Ok(())
}

fn dockerfile() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let clone = programs::repository_copy()?;
    let folder = clone.path().join("images/broken");
    std::fs::create_dir_all(&folder)?;
    for (content, words) in [
        ("FROM scratch\nRUN apt-get update\n", ["Dockerfile:2", "--engine buildx"]),
        ("FROM scratch\nCOPPY a /\n", ["Dockerfile:2", "COPPY"]),
    ] {
        std::fs::write(folder.join("Dockerfile"), content)?;
        let output = desk.call(&desk.out())?.folder(clone.path()).run()?;
        expect(&output, 4, &words)?;
    }
    Ok(())
}

fn wrong_lock() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let path = desk.profile().with_file_name("lock.toml");
    let lock = std::fs::read_to_string(&path)?;
    for (from, to, word) in [
        ("sha256:", "sha256:XYZ", "digest"),
        ("url = \"https:", "url = \"gopher:", "gopher"),
        ("mode = \"0755\"", "mode = \"4755\"", "mode"),
    ] {
        ensure!(lock.contains(from), "the lock holds no `{from}`");
        std::fs::write(&path, lock.replacen(from, to, 1))?;
        expect(&desk.build()?, 4, &["lock.toml", word])?;
    }
    Ok(())
}

fn signed() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let (secret, public) = (desk.folder().join("key"), desk.folder().join("key.pub"));
    Signer::generate(&secret, &public)?;
    let with_key = |key: &Path| anyhow::Ok(desk.call(&desk.out())?.arg("--sign-key").arg(key).run()?);
    expect(&with_key(&desk.folder().join("none"))?, 5, &["can't read the signing key"])?;
    expect(&with_key(&public)?, 5, &["not usable as a signing key"])?;
    ensure!(!desk.out().join(CLUSTER).exists(), "something was built with a key that is none");
    expect(&with_key(&secret)?, 0, &["built"])?;
    let key = PublicKey::parse(&std::fs::read_to_string(&public)?).map_err(anyhow::Error::msg)?;
    let signature = desk.out().join(CLUSTER).join("SHA256SUMS.minisig");
    let holds = |list: &str| anyhow::Ok(key.verify(list.as_bytes(), &std::fs::read_to_string(&signature)?));
    let list = sums(&desk.out())?;
    holds(&list)?.map_err(anyhow::Error::msg)?;
    ensure!(holds(&list.replacen('0', "1", 1))?.is_err(), "the signature holds for another list");
    let bundle = desk.out().join(CLUSTER).join("bundle-amd64.tar.gz");
    let verify = || {
        let call = programs::bootstrap()?.arg("verify").arg(&bundle).arg("--public-key").arg(&public);
        anyhow::Ok(call.run()?)
    };
    expect(&verify()?, 0, &[])?;
    let inspect = |path: &Path| anyhow::Ok(programs::xtask()?.arg("inspect").arg(path).run()?);
    expect(&inspect(&bundle)?, 0, &["a bundle of cluster vnext for amd64", "joins laptop-01"])?;
    let cut = desk.folder().join("cut.tar.gz");
    std::fs::write(&cut, &std::fs::read(&bundle)?[..100_000])?;
    expect(&inspect(&cut)?, 6, &["look at", "cut.tar.gz"])?;
    expect(&inspect(&desk.out())?, 5, &["holds no bundle"])?;
    expect(&with_key(&secret)?, 0, &["Nothing changed"])?;
    // Without the key it is another build, and whoever holds the key to it is told.
    expect(&desk.build()?, 0, &["built"])?;
    ensure!(!signature.exists(), "the old signature stayed");
    expect(&verify()?, 6, &["it is not signed"])
}
