//! The fuzz targets of `fuzz/`, built with the compiler that builds everything else and run for a minute each.

use anyhow::{Context as _, ensure};
use host::process::Invocation;
use std::time::Duration;
use tests::programs::{answering, said, scratch};
use tests::ring::{Ring, Trial};

pub fn trials() -> Vec<Trial> {
    vec![Trial::new(Ring::Static, "fuzz::every_target_runs_for_a_minute", |_| targets()).long()]
}

/// Target, and a folder of inputs outside of `fuzz/corpus`.
const TARGETS: [(&str, &str); 9] = [
    ("table", ""),
    ("fat", ""),
    ("ext4", ""),
    ("insight", ""),
    ("streamed", ""),
    ("xz_index", ""),
    ("passport", ""),
    ("lsblk", "crates/host/src/disk/inventory/fixtures"),
    ("catalogue", "images/bases"),
];

/// What cargo-fuzz gives rustc, without the sanitizer, which is all that asks for a nightly compiler (decision 0079).
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing";

fn targets() -> anyhow::Result<()> {
    let folder = tests::repository().join("fuzz");
    // With a target named, the flags reach no build script, which would not link with them.
    let machine = desired::Arch::of_this_program().context("one of our architectures")?.machine();
    let triple = format!("{machine}-unknown-linux-gnu");
    let build =
        Invocation::new("cargo").args(["build", "--release", "--locked", "--quiet", "--target", &triple]);
    build.folder(&folder).env("RUSTFLAGS", FLAGS).timeout(Duration::from_secs(3600)).run()?;
    let programs = folder.join("target").join(&triple).join("release");
    for (name, inputs) in TARGETS {
        let found = scratch()?;
        let mut call =
            Invocation::new(programs.join(name)).arg("-max_total_time=60").arg("-rss_limit_mb=1024");
        // What is new goes to the first folder; the others are only read.
        call = call.arg("-timeout=20").arg(format!("-artifact_prefix={}/", found.path().display()));
        call = call.arg("-max_len=300000").arg(found.path()).timeout(Duration::from_secs(180));
        let corpus = folder.join("corpus").join(name);
        let known = [corpus, tests::repository().join(inputs)];
        let known = known.into_iter().filter(|path| path.is_dir() && *path != *tests::repository());
        let output = answering(call.args(known)).folder(&folder).run()?;
        ensure!(output.code == 0, "{name} ends with {}:\n{}", output.code, said(&output));
        ensure!(said(&output).contains("Done "), "{name} did not run: {}", said(&output));
    }
    Ok(())
}
