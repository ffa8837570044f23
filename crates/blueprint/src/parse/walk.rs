//! A file's tree held against its shape: every unknown key, wrong type, missing key and bad choice in one go.
//!
//! In: the tree of the recovering TOML parser. Out: findings, and the tree made to fit: unknown keys taken out,
//! placeholders (with empty spans) where something is missing or wrong. Serde alone stops at the first mistake.

use std::borrow::Cow;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue};

use super::shape::{Field, Shape};
use crate::finding::{Finding, rules::shape as rule};

type Key<'i> = Spanned<DeString<'i>>;
type Node<'i> = Spanned<DeValue<'i>>;

/// Findings of one file.
pub(super) struct Walk<'a> {
    pub(super) file: &'a Arc<str>,
    pub(super) findings: &'a mut Vec<Finding>,
}

impl Walk<'_> {
    /// Holds `table`, which stands at `place`, against `fields` and makes it fit.
    pub(super) fn table(
        &mut self,
        table: &mut DeTable<'_>,
        fields: &[Field],
        place: &std::ops::Range<usize>,
    ) {
        let mut meant: Vec<String> = Vec::new();
        for key in unknown_keys(table, fields) {
            let near = self.unknown(&key, table, fields);
            table.remove::<str>(key.get_ref().as_ref());
            meant.extend(near);
        }
        for field in fields {
            if let Some(value) = table.get_mut(field.key.as_str()) {
                self.value(value, &field.shape);
                continue;
            }
            let misspelt = meant.contains(&field.key);
            if field.required && !misspelt {
                let message = format!("`{}` is missing here", field.key);
                let mut finding = Finding::new(&rule::MISSING_KEY, self.file, place.clone(), message);
                finding.help(format!("add `{} = …`: {}", field.key, field.shape.in_words()));
                self.findings.push(finding);
            }
            if field.required || misspelt {
                let key = Spanned::new(place.start..place.start, Cow::Owned(field.key.clone()));
                table.insert(key, placeholder(&field.shape, place.start));
            }
        }
    }

    /// Reports a key that is not known, and names the one that was probably meant.
    fn unknown(&mut self, key: &Key<'_>, table: &DeTable<'_>, fields: &[Field]) -> Option<String> {
        let name = key.get_ref().as_ref();
        let absent =
            fields.iter().map(|field| field.key.as_str()).filter(|known| !table.contains_key(*known));
        let near = crate::finding::nearest(name, absent);
        let message = format!("there is no key `{name}` here");
        let mut finding = Finding::new(&rule::UNKNOWN_KEY, self.file, key.span(), message);
        finding.help(match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                let known: Vec<&str> = fields.iter().map(|field| field.key.as_str()).collect();
                format!("keys here are {}", known.join(", "))
            }
        });
        self.findings.push(finding);
        near.map(str::to_owned)
    }

    fn value(&mut self, node: &mut Node<'_>, shape: &Shape) {
        let span = node.span();
        let fits = match (node.get_mut(), shape) {
            (DeValue::Table(table), Shape::Table(fields)) => {
                self.table(table, fields, &span);
                true
            }
            (DeValue::Table(table), Shape::Named(inner)) => {
                for (_, value) in table.iter_mut() {
                    self.value(value, inner);
                }
                true
            }
            (DeValue::Array(list), Shape::List(inner)) => {
                self.list(list, inner);
                true
            }
            (DeValue::String(word), Shape::Choice(words)) => {
                let known = words.iter().any(|known| known == word.as_ref());
                if !known {
                    self.choice(word.as_ref(), words, &span);
                    *node = placeholder(shape, span.start);
                }
                true
            }
            (DeValue::String(_), Shape::Text) | (DeValue::Boolean(_), Shape::Boolean) => true,
            (DeValue::Integer(number), Shape::Number(most)) => {
                u64::from_str_radix(number.as_str(), number.radix()).is_ok_and(|number| number <= *most)
            }
            _ => false,
        };
        if !fits {
            let found = node.get_ref().type_str();
            let message = format!("here belongs {}, not {}", shape.in_words(), article(found));
            let rule = if matches!((node.get_ref(), shape), (DeValue::Integer(_), Shape::Number(_))) {
                &rule::BAD_VALUE
            } else {
                &rule::WRONG_TYPE
            };
            self.findings.push(Finding::new(rule, self.file, span.clone(), message));
            *node = placeholder(shape, span.start);
        }
    }

    /// Entries of the wrong kind are reported and become placeholders, which resolve passes over.
    fn list(&mut self, list: &mut DeArray<'_>, inner: &Shape) {
        for value in list.iter_mut() {
            self.value(value, inner);
        }
    }

    fn choice(&mut self, word: &str, words: &[String], span: &std::ops::Range<usize>) {
        let message = format!("`{word}` is not a choice here");
        let mut finding = Finding::new(&rule::UNKNOWN_CHOICE, self.file, span.clone(), message);
        let list = words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        finding.help(match crate::finding::nearest(word, words.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`? choices are {list}"),
            None => format!("choices are {list}"),
        });
        self.findings.push(finding);
    }
}

fn unknown_keys<'i>(table: &DeTable<'i>, fields: &[Field]) -> Vec<Key<'i>> {
    table
        .keys()
        .filter(|key| !fields.iter().any(|field| field.key == key.get_ref().as_ref()))
        .cloned()
        .collect()
}

fn article(kind: &str) -> String {
    match kind {
        "integer" | "array" => format!("an {kind}"),
        _ => format!("a {kind}"),
    }
}

/// A value that deserializes and that nobody wrote: its span is empty, so no finding ever points at it.
fn placeholder<'i>(shape: &Shape, at: usize) -> Node<'i> {
    let value = match shape {
        Shape::Text => DeValue::String(Cow::Borrowed("")),
        Shape::Choice(words) => DeValue::String(Cow::Owned(words.first().cloned().unwrap_or_default())),
        Shape::Boolean => DeValue::Boolean(false),
        Shape::Number(_) => return number(at),
        // Not an empty list: that would be one a person left empty, and be judged.
        Shape::List(inner) => {
            let mut list = DeArray::new();
            list.push(placeholder(inner, at));
            DeValue::Array(list)
        }
        Shape::Named(_) => DeValue::Table(DeTable::new()),
        Shape::Table(fields) => {
            let mut table = DeTable::new();
            for field in fields.iter().filter(|field| field.required) {
                let key = Spanned::new(at..at, Cow::Owned(field.key.clone()));
                table.insert(key, placeholder(&field.shape, at));
            }
            DeValue::Table(table)
        }
    };
    Spanned::new(at..at, value)
}

/// The parser alone makes numbers; this one is parsed.
fn number<'i>(at: usize) -> Node<'i> {
    let value = DeValue::parse("1").expect("1 is a TOML value").into_inner();
    Spanned::new(at..at, value)
}
