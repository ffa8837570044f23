//! Every mistake in a file is found, alone, and what only looks like it is not.

use std::collections::BTreeSet;

use crate::finding::{Finding, rules};
use crate::lint::tests::BASE;
use crate::parse::Source;
use crate::resolve::{Profile, resolve};

const CASES: &str = include_str!("cases.txt");

struct Case<'a> {
    code: &'a str,
    is_bad: bool,
    /// What the service says in `cluster.toml`.
    says: &'a str,
    files: Vec<Source>,
}

fn cases() -> Vec<Case<'static>> {
    let cases = CASES.split("\n## ").skip(1);
    let case = |text: &'static str| {
        let (head, files) = text.split_once('\n').unwrap_or((text, ""));
        let (head, says) = head.split_once(": ").unwrap_or((head, ""));
        let (code, word) = head.split_once(' ').expect("a case has a code and a word");
        let files = format!("\n{}\n", files.trim_end_matches('\n'));
        let files = files.split("\n=== ").skip(1).map(|file| {
            let (name, text) = file.split_once('\n').unwrap_or((file, ""));
            Source::new(format!("demo/services/web/{name}"), text)
        });
        Case { code, is_bad: word == "bad", says, files: files.collect() }
    };
    cases.map(case).collect()
}

fn findings(says: &str, files: &[Source]) -> Vec<Finding> {
    let mut base =
        BASE.replace("[services.web]\n", &format!("[services.web]\n{}\n", says.replace("; ", "\n")));
    if says.contains("nodes = ") {
        base = base.replace("nodes = [\"work\"]\n", "");
    }
    let cluster = Source::new("demo/cluster.toml", base);
    resolve(&Profile { folder: "demo", cluster: &cluster, roles: &[], files }).findings
}

#[test]
fn each_mistake_is_found_alone_and_what_is_like_it_is_not() {
    let mut wrong = Vec::new();
    for case in cases() {
        let found = findings(case.says, &case.files);
        let codes: BTreeSet<&str> = found.iter().map(|finding| finding.rule.code).collect();
        let expected = if case.is_bad { BTreeSet::from([case.code]) } else { BTreeSet::new() };
        if codes != expected {
            wrong.push(format!("{} bad={}: {found:#?}", case.code, case.is_bad));
        }
        for finding in &found {
            let file = case
                .files
                .iter()
                .find(|file| file.path == finding.file)
                .expect("it is about one of the files");
            assert!(!finding.span.is_empty(), "{finding:?}");
            assert!(!file.text[finding.span.clone()].contains('\n'), "{finding:?}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_rule_of_files_has_a_mistake_and_a_near_miss() {
    for rule in rules::foreign::GROUP {
        for is_bad in [true, false] {
            let shown = cases().iter().any(|case| case.code == rule.code && case.is_bad == is_bad);
            assert!(shown, "{} has no case with bad={is_bad}", rule.code);
        }
    }
}

/// What people break: lines cut, doubled, without their last byte, and put under another file's name.
#[test]
fn nothing_that_is_broken_stops_the_rest() {
    for case in cases() {
        for file in &case.files {
            let text = &file.text;
            let cuts = (0..text.len()).step_by(7).map(|at| text[..text.floor_char_boundary(at)].to_owned());
            let quotes = [text.replace('\n', "\n\t'\"{[("), text.replace([':', '=', '"'], "\u{e9}")];
            for broken in cuts.chain(quotes) {
                for name in [
                    "compose.yaml",
                    "a.yaml",
                    "daemon.json",
                    "mise.toml",
                    "a.service",
                    "exports",
                    "fstab",
                    "run_a.sh.tmpl",
                    "Caddyfile",
                    "a.tmpl",
                ] {
                    let source = [Source::new(format!("demo/services/web/{name}"), broken.as_str())];
                    for finding in findings("", &source) {
                        assert!(
                            finding.span.end <= broken.len() && broken.is_char_boundary(finding.span.start)
                        );
                    }
                }
            }
        }
    }
}
