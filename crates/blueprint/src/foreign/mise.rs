//! `mise.toml`: tools and tasks.
//!
//! In: TOML. Out: its table, or the parser's reasons at their lines; findings on tasks and on what their commands do.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::report::Report;
use super::script;
use crate::finding::rules::foreign as rule;

/// What mise knows of a task.
const KEYS: &[&str] = &[
    "alias",
    "aliases",
    "choices",
    "confirm",
    "depends",
    "depends_post",
    "deps",
    "description",
    "dir",
    "env",
    "extends",
    "file",
    "hide",
    "interactive",
    "output",
    "outputs",
    "quiet",
    "raw",
    "raw_args",
    "redactions",
    "run",
    "run_windows",
    "shell",
    "silent",
    "sources",
    "timeout",
    "tools",
    "usage",
    "vars",
    "wait_for",
];

pub(crate) fn read<'a>(text: &'a str, report: &mut Report<'_>) -> Option<Spanned<DeTable<'a>>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        report.at(&rule::NOT_ITS_KIND, error.span().unwrap_or(0..0), error.message());
    }
    errors.is_empty().then_some(table)
}

pub(crate) fn judge(table: &Spanned<DeTable<'_>>, report: &mut Report<'_>) {
    let section = |name: &str| match table.get_ref().get(name).map(Spanned::get_ref) {
        Some(DeValue::Table(section)) => Some(section),
        _ => None,
    };
    for (tool, _) in section("tools").into_iter().flatten() {
        if tool.get_ref() == "docker-compose" {
            let message = "mise installs it as a program of its own";
            report.at(&rule::COMPOSE_NOT_PLUGIN, tool.span(), message);
        }
    }
    for (name, task) in section("tasks").into_iter().flatten() {
        match task.get_ref() {
            DeValue::Table(keys) => {
                for (key, value) in keys {
                    let word = key.get_ref().as_ref();
                    if !KEYS.contains(&word) {
                        let message = format!("the task `{}` has no key `{word}`", name.get_ref());
                        report.at(&rule::MISE_TASK, key.span(), message);
                    }
                    if !KEYS.contains(&word) || word.starts_with("run") {
                        commands(value, report);
                    }
                }
            }
            _ => commands(task, report),
        }
    }
}

/// What a task runs: one script or several.
fn commands(value: &Spanned<DeValue<'_>>, report: &mut Report<'_>) {
    match value.get_ref() {
        DeValue::String(text) => one(text, &value.span(), report),
        DeValue::Array(items) => items.iter().for_each(|item| commands(item, report)),
        _ => {}
    }
}

fn one(text: &str, span: &Range<usize>, report: &mut Report<'_>) {
    for mut command in script::commands(text) {
        // Escapes make the text shorter than it is written: the whole value is the place.
        command.span = span.clone();
        script::infisical(&command, report);
    }
}
