//! YAML with places: one small tree that every rule walks.
//!
//! In: text of one or several documents. Out: a [`Node`] a document, or the parser's reason with its place. Scalars are
//! text whatever their type, anchors are followed, and a value that came by an alias has the place of the alias.

use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

use crate::escape::yaml;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) span: Range<usize>,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// Text, a number or a truth value, as text.
    Scalar(String),
    /// A list.
    List(Vec<Node>),
    /// A table in the order it is written.
    Table(Vec<Entry>),
}

/// A key with its place, and its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) span: Range<usize>,
    pub(crate) value: Node,
}

/// Where a text is no YAML, and why.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) span: Range<usize>,
    pub(crate) why: String,
}

/// Every document of a text.
pub(crate) fn documents(text: &str) -> Result<Vec<Node>, Broken> {
    match serde_saphyr::from_multiple::<Spanned<Value>>(text) {
        Ok(documents) => Ok(documents.into_iter().map(node).collect()),
        Err(error) => Err(Broken {
            span: error.location().map_or(0..0, |at| place(text, &at)),
            why: yaml::reason(&error),
        }),
    }
}

impl Node {
    /// The entry of a key, with the key's place.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }
    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|entry| &entry.value)
    }
    /// The value at the end of a chain of keys.
    pub(crate) fn at(&self, keys: &[&str]) -> Option<&Self> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }
    /// Its entries; none if it is no table.
    pub(crate) fn entries(&self) -> &[Entry] {
        if let Value::Table(entries) = &self.value { entries } else { &[] }
    }
    /// Its items; none if it is no list.
    pub(crate) fn items(&self) -> &[Self] {
        if let Value::List(items) = &self.value { items } else { &[] }
    }
    /// Its text, if it is a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        if let Value::Scalar(text) = &self.value { Some(text) } else { None }
    }
    /// The text of a key's value.
    pub(crate) fn text_at(&self, key: &str) -> Option<&str> {
        self.get(key)?.text()
    }
    /// Whether a key says `true`.
    pub(crate) fn says(&self, key: &str) -> bool {
        self.text_at(key) == Some("true")
    }
    /// The first entry of that name, however deep.
    pub(crate) fn find(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Table(entries) => entries
                .iter()
                .find(|entry| entry.key == key)
                .or_else(|| entries.iter().find_map(|entry| entry.value.find(key))),
            Value::List(items) => items.iter().find_map(|item| item.find(key)),
            Value::Null | Value::Scalar(_) => None,
        }
    }
}

fn node(spanned: Spanned<Value>) -> Node {
    Node { span: span(&spanned.referenced), value: spanned.value }
}

/// Where an error is: its bytes, or its line and column where it tells no more.
fn place(text: &str, location: &Location) -> Range<usize> {
    let told = span(location);
    if !told.is_empty() || location.line() == 0 {
        return told;
    }
    let number = |value: u64| usize::try_from(value.saturating_sub(1)).unwrap_or(usize::MAX);
    let before: usize = text.split_inclusive('\n').take(number(location.line())).map(str::len).sum();
    let at = text[before..]
        .char_indices()
        .nth(number(location.column()))
        .map_or(text.len(), |(at, _)| before + at);
    at..at
}

/// In bytes; a parser that tells none has no place to point at.
fn span(location: &Location) -> Range<usize> {
    let place = location.span();
    let number = |value: Option<u64>| value.and_then(|value| usize::try_from(value).ok());
    match (number(place.byte_offset()), number(place.byte_len())) {
        (Some(start), Some(length)) => start..start.saturating_add(length),
        _ => 0..0,
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a YAML value")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Scalar(value.to_string()))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Scalar(value.to_string()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Scalar(value.to_string()))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Scalar(value.to_string()))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Scalar(value.to_owned()))
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Spanned<Value>>()? {
            list.push(node(item));
        }
        Ok(Value::List(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut table = Vec::new();
        while let Some(key) = entries.next_key::<Spanned<String>>()? {
            let value = node(entries.next_value::<Spanned<Value>>()?);
            table.push(Entry { key: key.value, span: span(&key.referenced), value });
        }
        Ok(Value::Table(table))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_know_their_bytes() {
        let text = "# \u{e9}\na: &x\n  b: [1, yes]\n---\nc: ~\nd: {e: 1.5}\n";
        let found = documents(text).unwrap();
        let entry = found[0].at(&["a"]).and_then(|node| node.entry("b")).unwrap();
        assert_eq!(&text[entry.span.clone()], "b");
        let item = &entry.value.items()[1];
        assert_eq!((&text[item.span.clone()], item.text()), ("yes", Some("true")));
        assert_eq!(found[1].find("e").and_then(|entry| entry.value.text()), Some("1.5"));
        assert!(found[1].get("c").is_some_and(|node| node.text().is_none() && node.items().is_empty()));
    }

    #[test]
    fn broken_text_has_a_place_and_a_reason() {
        let text = "services:\n  web:\n\timage: x\n";
        let broken = documents(text).unwrap_err();
        assert!(broken.span.start == text.find('\t').unwrap() + 1 && !broken.why.is_empty(), "{broken:?}");
        for odd in [
            "",
            "a: 1\na: 2\n",
            "a: *nowhere\n",
            "a: !reset null\nb: !include x\nc: !!binary aGk=\n",
            "? [a]\n: b\n",
            "- 1",
            "[",
            "\u{0}",
        ] {
            let _ = documents(odd);
        }
        assert!(documents("a: !reset null\nb: !include x\n").is_ok());
    }
}
