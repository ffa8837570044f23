//! Links between our documents: each relative one must lead to a file, and to a heading if it names one.
//!
//! In: the repository. Out: one finding a broken link, with file and line. Links to the web are not followed.

use anyhow::Context as _;
use std::path::{Path, PathBuf};

/// Every broken link in `README.md` and the other documents at the root, and in `docs/**/*.md`.
///
/// # Errors
/// If a document can't be read.
pub fn broken(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut documents = markdown(root, false)?;
    documents.extend(markdown(&root.join("docs"), true)?);
    let mut found = Vec::new();
    for document in documents {
        let text = read(&document)?;
        let folder = document.parent().unwrap_or(root);
        for (line, target) in links(&text) {
            if let Some(what) = fault(&document, folder, target)? {
                let name = document.strip_prefix(root).unwrap_or(&document);
                found.push(format!("{}:{line}: {target}: {what}", name.display()));
            }
        }
    }
    Ok(found)
}

fn fault(document: &Path, folder: &Path, target: &str) -> anyhow::Result<Option<&'static str>> {
    if target.contains("://") || target.starts_with("mailto:") {
        return Ok(None);
    }
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    if path.starts_with('/') {
        return Ok(Some("not relative"));
    }
    let file = if path.is_empty() { document.to_owned() } else { folder.join(path) };
    if !file.exists() {
        return Ok(Some("no such file"));
    }
    if heading.is_empty() || file.extension().is_none_or(|kind| kind != "md") {
        return Ok(None);
    }
    let known = read(&file)?.lines().filter_map(anchor).any(|anchor| anchor == heading);
    Ok((!known).then_some("no such heading"))
}

/// The Markdown files of a folder, sorted; none if it does not exist.
fn markdown(folder: &Path, deep: bool) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if !folder.is_dir() {
        return Ok(found);
    }
    for entry in std::fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry?.path();
        if deep && path.is_dir() {
            found.extend(markdown(&path, deep)?);
        } else if path.extension().is_some_and(|kind| kind == "md") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
}

/// The targets of `[text](target)`, with their lines; code is not looked into.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut in_code = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            // Between backticks is code: with the line cut at them, every other piece is text.
            let prose = line.split('`').step_by(2);
            found.extend(prose.flat_map(targets).map(|target| (number + 1, target)));
        }
    }
    found
}

/// A link whose text is code has lost its opening bracket with that code, so only `](target)` is looked for.
fn targets(prose: &str) -> impl Iterator<Item = &str> {
    prose
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .filter_map(|(inside, _)| inside.split(' ').next())
}

/// The anchor that Git hosts give a heading: lower case, spaces as dashes, punctuation gone.
fn anchor(line: &str) -> Option<String> {
    let title = line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' ')?;
    let kept = title.trim().chars().filter(|&c| c.is_alphanumeric() || c == ' ' || c == '-' || c == '_');
    Some(kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_links_and_leaves_code() {
        let text = "see [a](b.md) and `[x](no.md)` and [`code`](c.md#d \"t\")\n```\n[z](no.md)\n```\n";
        assert_eq!(links(text), [(1, "b.md"), (1, "c.md#d")]);
    }

    #[test]
    fn anchors_are_what_git_hosts_make_of_headings() {
        assert_eq!(anchor("## The data's way: `plan`!").as_deref(), Some("the-datas-way-plan"));
        assert_eq!(anchor("#!/bin/sh"), None);
    }

    #[test]
    fn every_kind_of_broken_link_is_named_with_its_place() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("docs/guide")).unwrap();
        std::fs::write(
            root.path().join("docs/guide/a.md"),
            "# One\n[up](../../README.md#two)\n[gone](b.md)\n",
        )
        .unwrap();
        let readme = "# Two\n[a](docs/guide/a.md#one) [w](https://x.example/y)\n[bad](docs/guide/a.md#three)\n[abs](/etc)\n";
        std::fs::write(root.path().join("README.md"), readme).unwrap();
        assert_eq!(
            broken(root.path()).unwrap(),
            [
                "README.md:3: docs/guide/a.md#three: no such heading",
                "README.md:4: /etc: not relative",
                "docs/guide/a.md:3: b.md: no such file",
            ]
        );
    }
}
