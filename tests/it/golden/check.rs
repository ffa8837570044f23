//! `cargo xtask check` as a person runs it: each folder of `tests/fixtures/check/` is a profile with one mistake, and
//! exactly the rule of that name is reported. What git does not keep (links, folders, size) is made on the spot.

use anyhow::{Context as _, ensure};
use blueprint::finding::rules;
use host::process::Output;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::collections::BTreeSet;
use std::path::Path;
use tests::programs;
use tests::ring::{Ring, Trial};

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::new(Ring::Golden, "check::every_mistake_is_found_alone", |_| every_mistake_is_found_alone()),
        Trial::new(Ring::Golden, "check::mistakes_git_does_not_keep", |_| mistakes_git_does_not_keep()),
        Trial::new(Ring::Golden, "check::every_rule_has_a_mistake_that_shows_it", |_| every_rule_is_shown()),
        Trial::new(Ring::Golden, "check::our_profiles_and_the_example_hold", |_| ours_hold()),
        Trial::new(Ring::Golden, "check::a_picture_points_at_the_mistake", |_| picture()),
    ]
}

const FIXTURES: &str = "tests/fixtures/check";
const DONE: i32 = 0;
const INVALID_PROFILE: i32 = 4;

fn check(profiles: &Path, json: bool) -> anyhow::Result<Output> {
    let call = programs::xtask()?.args(["check", "--profiles"]).arg(profiles);
    let call = if json { call.arg("--json") } else { call };
    call.run().context("run xtask check")
}

/// Says what is wrong when `profiles` is not answered with `code` alone.
fn fault(code: &str, profiles: &Path) -> anyhow::Result<Option<String>> {
    let output = check(profiles, true)?;
    let answer: serde_json::Value = serde_json::from_str(&output.text())
        .with_context(|| format!("{code}: {}", programs::said(&output)))?;
    let findings = answer["findings"].as_array().context("an answer has findings")?;
    let found: BTreeSet<&str> = findings.iter().filter_map(|finding| finding["code"].as_str()).collect();
    let is_error = findings.iter().any(|finding| finding["severity"] == "error");
    let expected = if is_error { INVALID_PROFILE } else { DONE };
    let told = findings.iter().all(|finding| finding["message"] != "" && finding["help"] != "");
    let right = found == BTreeSet::from([code]) && output.code == expected && told;
    Ok((!right).then(|| format!("{code}: exit {}, found {found:?}", output.code)))
}

/// The rules that a committed profile breaks, by the names of the folders.
fn committed() -> anyhow::Result<BTreeSet<String>> {
    let mut codes = BTreeSet::new();
    for entry in std::fs::read_dir(tests::repository().join(FIXTURES)).context("list the fixtures")? {
        codes.insert(entry?.file_name().to_string_lossy().into_owned());
    }
    ensure!(codes.remove("clean"), "there is a profile without a mistake");
    Ok(codes)
}

fn every_mistake_is_found_alone() -> anyhow::Result<()> {
    let folder = tests::repository().join(FIXTURES);
    let mut wrong = Vec::new();
    for code in &committed()? {
        wrong.extend(fault(code, &folder.join(code).join("profiles"))?);
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// A rule that nobody can break is no rule: each has a profile here that does, and each profile a rule.
fn every_rule_is_shown() -> anyhow::Result<()> {
    let mut shown = committed()?;
    shown.extend(MADE.iter().map(|(code, _)| (*code).to_owned()));
    let rules: BTreeSet<String> = rules::all().map(|rule| rule.code.to_owned()).collect();
    let unshown: Vec<_> = rules.difference(&shown).collect();
    ensure!(unshown.is_empty(), "no profile breaks {unshown:?}: add one to {FIXTURES} or delete the rule");
    let stray: Vec<_> = shown.difference(&rules).collect();
    ensure!(stray.is_empty(), "there are profiles, but no rules {stray:?}");
    let page = std::fs::read_to_string(tests::repository().join("docs/rules.md")).context("read the page")?;
    let unexplained: Vec<_> = rules.iter().filter(|code| !page.contains(&format!("\n### {code} "))).collect();
    ensure!(unexplained.is_empty(), "docs/rules.md does not explain {unexplained:?}");
    Ok(())
}

/// Puts a mistake into a cluster's folder; the second folder lies outside of the profiles.
type Spoil = fn(&Path, &Path) -> std::io::Result<()>;

/// Mistakes that git does not keep, each with the rule that finds it.
const MADE: [(&str, Spoil); 7] = [
    // A comment, so that only its length is wrong.
    ("RS006", |demo, _| std::fs::write(demo.join("cluster.toml"), "#".repeat(1024 * 1024 + 1))),
    // A folder, a link to nowhere and a pipe can't be read whoever asks; a mode would not stop root.
    ("RS007", |demo, _| {
        std::fs::remove_file(demo.join("cluster.toml"))?;
        std::fs::create_dir(demo.join("cluster.toml"))
    }),
    ("RS007", |demo, _| {
        std::fs::remove_file(demo.join("cluster.toml"))?;
        std::os::unix::fs::symlink("nowhere", demo.join("cluster.toml"))
    }),
    ("RS007", |demo, _| {
        let services = demo.join("services");
        std::fs::create_dir(&services)?;
        mknodat(CWD, services.join("pipe"), FileType::Fifo, Mode::RUSR, 0)?;
        Ok(())
    }),
    ("RS008", |demo, outside| {
        std::fs::create_dir(demo.join("services"))?;
        std::os::unix::fs::symlink(outside.join("secret"), demo.join("services/secret"))
    }),
    ("RS008", |demo, outside| {
        std::fs::rename(demo.join("cluster.toml"), outside.join("cluster.toml"))?;
        std::os::unix::fs::symlink(outside.join("cluster.toml"), demo.join("cluster.toml"))
    }),
    ("RS008", |demo, outside| {
        std::fs::rename(demo.join("cluster.toml"), outside.join("cluster.toml"))?;
        std::fs::remove_dir(demo)?;
        std::os::unix::fs::symlink(outside, demo)
    }),
];

fn mistakes_git_does_not_keep() -> anyhow::Result<()> {
    let clean = tests::repository().join(FIXTURES).join("clean/profiles/demo/cluster.toml");
    let clean = std::fs::read(clean).context("read the clean profile")?;
    let mut wrong = Vec::new();
    for (code, spoil) in MADE {
        let (profiles, outside) = (programs::scratch()?, programs::scratch()?);
        let demo = profiles.path().join("demo");
        std::fs::create_dir(&demo)?;
        std::fs::write(demo.join("cluster.toml"), &clean)?;
        std::fs::write(outside.path().join("secret"), "x\n")?;
        spoil(&demo, outside.path()).with_context(|| format!("make a profile for {code}"))?;
        wrong.extend(fault(code, profiles.path())?);
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

fn ours_hold() -> anyhow::Result<()> {
    for folder in ["profiles", "docs/guide/example", "tests/fixtures/check/clean/profiles"] {
        let output = check(Path::new(folder), true)?;
        let answer: serde_json::Value = serde_json::from_str(&output.text()).context("read the answer")?;
        let silent = answer["findings"].as_array().is_some_and(Vec::is_empty);
        ensure!(output.code == DONE && silent, "{folder}: {}", programs::said(&output));
    }
    Ok(())
}

fn picture() -> anyhow::Result<()> {
    let output = check(Path::new("tests/fixtures/check/RS102/profiles"), false)?;
    let said = programs::said(&output);
    for part in
        ["error[RS102]", "tests/fixtures/check/RS102/profiles/demo/cluster.toml:8:1", "^^^^^^", "gateway"]
    {
        ensure!(said.contains(part), "`{part}` is not in:\n{said}");
    }
    ensure!(output.code == INVALID_PROFILE, "exit {}", output.code);
    Ok(())
}
