//! One mistake, one finding: each value of our own profiles is made wrong in turn, and nothing but that is told.
//!
//! A person who wrote `roles = 7` is not helped by being told as well what a node without roles lacks.

use anyhow::{Context as _, ensure};
use blueprint::parse::Source;
use std::ops::Range;
use tests::clusters::{self, CLUSTERS};
use tests::ring::{Ring, Trial};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub fn trials() -> Vec<Trial> {
    let trial = |name: &str, body: fn() -> anyhow::Result<()>| {
        Trial::new(Ring::Golden, format!("mistakes::{name}"), move |_| body())
    };
    vec![
        trial("a_value_of_the_wrong_kind_is_told_once", || everywhere(wrong_kind, 1..=1)),
        // Keys that a person chooses, such as those of labels, can't be misspelt.
        trial("a_misspelt_key_is_told_once", || everywhere(misspelt, 0..=1)),
    ]
}

/// What is written in place of which bytes.
type Edit = (Range<usize>, String);

/// Makes each of the mistakes in each cluster, alone, and counts what is told.
fn everywhere(
    mistakes: fn(&Spanned<DeTable<'_>>, &str) -> Vec<Edit>,
    expected: std::ops::RangeInclusive<usize>,
) -> anyhow::Result<()> {
    let mut wrong = Vec::new();
    for folder in CLUSTERS {
        let (clean, roles) = clusters::profile(folder)?;
        let tree = DeTable::parse(&clean.text).with_context(|| format!("read {}", clean.path))?;
        let edits = mistakes(&tree, &clean.text);
        ensure!(edits.len() > 50, "only {} mistakes to make in {folder}", edits.len());
        for (span, text) in edits {
            let mut spoiled = clean.text.to_string();
            spoiled.replace_range(span.clone(), &text);
            let cluster = Source::new(clean.path.as_ref(), spoiled);
            let findings = clusters::resolved(folder, &cluster, &roles).findings;
            if !expected.contains(&findings.len()) {
                let line = clean.text[..span.start].lines().count();
                let told: Vec<String> = findings
                    .iter()
                    .map(|finding| format!("{} {}", finding.rule.code, finding.message))
                    .collect();
                wrong.push(format!("{}:{line}: `{text}` tells {told:#?}", clean.path));
            }
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// A number for text, lists and their first entries; text for everything else.
fn wrong_kind(tree: &Spanned<DeTable<'_>>, _: &str) -> Vec<Edit> {
    let mut edits = Vec::new();
    for value in tree.get_ref().values() {
        spoil(value, &mut edits);
    }
    edits
}

fn spoil(value: &Spanned<DeValue<'_>>, edits: &mut Vec<Edit>) {
    match value.get_ref() {
        DeValue::Table(table) => table.values().for_each(|value| spoil(value, edits)),
        DeValue::Array(list) if list.iter().any(|item| item.get_ref().is_table()) => {
            list.iter().for_each(|item| spoil(item, edits));
        }
        DeValue::Array(list) => {
            edits.push((value.span(), "7".to_owned()));
            edits.extend(list.iter().take(1).map(|item| (item.span(), "7".to_owned())));
        }
        DeValue::String(_) => edits.push((value.span(), "7".to_owned())),
        _ => edits.push((value.span(), "\"x\"".to_owned())),
    }
}

/// Each key with a letter too many behind its second one.
fn misspelt(tree: &Spanned<DeTable<'_>>, text: &str) -> Vec<Edit> {
    let mut edits = Vec::new();
    misspell(tree.get_ref(), text, &mut edits);
    edits
}

fn misspell(table: &DeTable<'_>, text: &str, edits: &mut Vec<Edit>) {
    for (key, value) in table {
        match value.get_ref() {
            // A table may be written in several places, under its own heading each time.
            DeValue::Table(inner) => misspell(inner, text, edits),
            _ if text[key.span()].starts_with(|first: char| first.is_ascii_lowercase())
                && key.span().len() > 2 =>
            {
                let written = &text[key.span()];
                edits.push((key.span(), format!("{}x{}", &written[..2], &written[2..])));
            }
            _ => {}
        }
    }
}
