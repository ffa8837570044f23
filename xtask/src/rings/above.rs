//! The rings above unit: trials of the package `tests`, which prints talk on stderr and a JSON line a trial into a file.

use super::tally::{Note, Tally};
use super::{LIMIT, Ring, Settings, say};
use anyhow::Context as _;
use host::process::Invocation;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A line of the report: the contract with `tests/ring.rs`.
#[derive(Debug, Deserialize)]
struct Record {
    name: String,
    outcome: Outcome,
    why: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    Passed,
    Failed,
    Skipped,
}

pub(super) fn run(ring: Ring, settings: &Settings) -> Tally {
    let started = Instant::now();
    let mut tally = Tally::new(ring);
    if let Err(error) = trials(ring, settings, &mut tally) {
        tally.fail(ring.name(), format!("{error:#}"));
    }
    tally.seconds = started.elapsed().as_secs_f64();
    tally
}

fn trials(ring: Ring, settings: &Settings, tally: &mut Tally) -> anyhow::Result<()> {
    let cargo = |arguments: &[&str]| {
        Invocation::new("cargo").args(arguments.iter().copied()).folder(&settings.root).timeout(LIMIT)
    };
    cargo(&["build", "--workspace", "--bins"]).run_streaming(say).context("build both programs")?;
    let folder = tempfile::tempdir().context("make a folder for the report")?;
    let report = folder.path().join("report.jsonl");
    let filter = format!("{}::{}", ring.name(), settings.only);
    let call = cargo(&["test", "--workspace", "--test", "it", "--", &filter]).accept([0, 101]);
    let call = call.env("ROOTSTOCK_TEST_REPORT", &report).env("ROOTSTOCK_PROGRAMS", programs()?);
    let call = call.env("ROOTSTOCK_LAB_INSTALL", if settings.offline { "0" } else { "1" });
    let call = call.env("ROOTSTOCK_TEST_LONG", if settings.long { "1" } else { "0" });
    let call = match &settings.rehearsals {
        Some(folder) => call.env("ROOTSTOCK_REHEARSALS", folder),
        None => call,
    };
    let output = call.run_streaming(say).context("run the trials")?;
    read(&report, tally)?;
    let explained = output.code == 0 || !tally.failed.is_empty();
    anyhow::ensure!(
        explained,
        "the trials ended with an error and named none:\n{}\n{}",
        output.text(),
        output.stderr_tail
    );
    Ok(())
}

/// Where cargo puts the programs: beside this one.
fn programs() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("find this program")?;
    Ok(own.parent().context("a program lies in a folder")?.to_owned())
}

fn read(report: &Path, tally: &mut Tally) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(report).context("the trials left no report")?;
    for line in text.lines() {
        let Record { name, outcome, why } =
            serde_json::from_str(line).with_context(|| format!("read the report: {line}"))?;
        match outcome {
            Outcome::Passed => tally.passed += 1,
            Outcome::Failed => tally.failed.push(Note { name, why }),
            Outcome::Skipped => tally.skip(&name, why),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_report_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r");
        let line = |outcome: &str| {
            format!(
                "{{\"ring\":\"static\",\"name\":\"static::a\",\"outcome\":\"{outcome}\",\"why\":\"w\",\"seconds\":0.1}}\n"
            )
        };
        std::fs::write(&path, line("passed") + &line("failed") + &line("skipped") + &line("skipped"))
            .unwrap();
        let mut tally = Tally::new(Ring::Static);
        read(&path, &mut tally).unwrap();
        assert_eq!((tally.passed, tally.failed.len(), tally.skipped.len()), (1, 1, 2));
        std::fs::write(&path, line("melted")).unwrap();
        assert!(read(&path, &mut tally).is_err());
    }
}
