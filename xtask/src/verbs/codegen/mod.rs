//! `codegen`: the files that are made from the code: schemas for editors, the pages of rules, coverage and commands.
//!
//! In: the spec's types, the tables of rules and coverage, both command lines. Out: `profiles/schema/*.json`, `docs/rules.md`,
//! `docs/coverage.md` and `docs/cli.md`, written only where they differ; `--check` shows the difference and exits 3.

mod commands;
mod coverage;
mod rules;

use crate::common::Common;
use crate::exit::{Code, Outcome};
use crate::repository;
use anyhow::Context as _;
use clap::{Args, Command};
use std::io::Write as _;
use std::path::Path;

/// Arguments of `codegen`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Change nothing; show what would change and exit 3
    #[arg(long)]
    pub check: bool,
}

/// A file that is made, and what it shall hold.
struct Made {
    /// From the root of the repository.
    path: String,
    text: String,
}

/// Writes what differs, or shows it.
pub fn run(common: &Common, arguments: &Arguments, command: Command) -> Outcome {
    let root = repository::root()?;
    let pending = differing(&root, made(&root, command)?)?;
    if !arguments.check {
        for (_, file) in &pending {
            write(&root, file)?;
        }
    }
    if common.json {
        let files: Vec<&str> = pending.iter().map(|(_, file)| file.path.as_str()).collect();
        let answer = serde_json::json!({ "format": 1, "verb": "codegen", "changed": files });
        writeln!(anstream::stdout().lock(), "{answer:#}").context("write to stdout")?;
    } else {
        for (before, file) in &pending {
            let line = if arguments.check { diff(before, file) } else { format!("wrote {}\n", file.path) };
            write!(anstream::stdout().lock(), "{line}").context("write to stdout")?;
        }
    }
    Ok(if arguments.check && !pending.is_empty() { Code::Pending } else { Code::Done })
}

/// The paths that differ from what the code says; for `ci`.
pub fn stale(root: &Path, command: Command) -> anyhow::Result<Vec<String>> {
    let differing = differing(root, made(root, command)?)?;
    Ok(differing.into_iter().map(|(_, file)| file.path).collect())
}

fn made(root: &Path, command: Command) -> anyhow::Result<Vec<Made>> {
    let schemas = blueprint::spec::schemas()
        .map(|(name, text)| Made { path: format!("profiles/schema/{name}.schema.json"), text });
    let mut files = Vec::from(schemas);
    files.push(Made { path: "docs/rules.md".to_owned(), text: rules::page() });
    files.push(Made { path: "docs/coverage.md".to_owned(), text: coverage::page(root)? });
    files.push(Made { path: "docs/cli.md".to_owned(), text: commands::page(root, command)? });
    Ok(files)
}

/// Those that differ, each with what is there now; a file that is not there is empty.
fn differing(root: &Path, files: Vec<Made>) -> anyhow::Result<Vec<(String, Made)>> {
    let mut found = Vec::new();
    for file in files {
        let before = match std::fs::read_to_string(root.join(&file.path)) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| format!("read {}", file.path)),
        };
        if before != file.text {
            found.push((before, file));
        }
    }
    Ok(found)
}

fn write(root: &Path, file: &Made) -> anyhow::Result<()> {
    let path = root.join(&file.path);
    let folder = path.parent().context("every generated file lies in a folder")?;
    std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    std::fs::write(&path, &file.text).with_context(|| format!("write {}", path.display()))
}

fn diff(before: &str, file: &Made) -> String {
    let diff = similar::TextDiff::from_lines(before, file.text.as_str());
    diff.unified_diff().header(&file.path, &format!("{} (generated)", file.path)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_differs_no_more_and_what_is_changed_by_hand_shows_in_the_diff() {
        let root = tempfile::tempdir().unwrap();
        let file = || vec![Made { path: "docs/a.md".to_owned(), text: "one\ntwo\n".to_owned() }];
        let pending = differing(root.path(), file()).unwrap();
        write(root.path(), &pending[0].1).unwrap();
        assert!(differing(root.path(), file()).unwrap().is_empty());
        std::fs::write(root.path().join("docs/a.md"), "one\n2\n").unwrap();
        let pending = differing(root.path(), file()).unwrap();
        let shown = diff(&pending[0].0, &pending[0].1);
        assert!(shown.starts_with("--- docs/a.md\n+++ docs/a.md (generated)\n"), "{shown}");
        assert!(shown.contains("-2\n+two\n"), "{shown}");
    }
}
