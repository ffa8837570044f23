//! From entries to the text of a lock; the same entries always give the same bytes.

use std::fmt::Write as _;

use super::{Entry, Lock, Source};

const HEADER: &str = "\
# Which exact third-party files this cluster's bundles hold. Written by `cargo xtask lock`; commit it.
# An entry without `digest` is not pinned yet: the lock fills it on a machine that reaches a source.

version = 1
";

/// The text of `lock.toml`.
#[must_use]
pub fn print(lock: &Lock) -> String {
    let mut entries: Vec<&Entry> = lock.entries.iter().collect();
    entries.sort_by(|a, b| (&a.name, a.arch).cmp(&(&b.name, b.arch)));
    entries.into_iter().fold(HEADER.to_owned(), |mut text, entry| {
        text.push_str("\n[[artifact]]\n");
        field(&mut text, "name", entry.name.as_str());
        field(&mut text, "version", &entry.version);
        if let Some(arch) = entry.arch {
            field(&mut text, "arch", arch.as_str());
        }
        field(&mut text, "file", &entry.file);
        field(&mut text, "mode", &entry.mode.to_string());
        if let Some(size) = entry.size {
            writeln!(text, "size = {size}").expect("a string takes everything");
        }
        if let Some(digest) = &entry.digest {
            field(&mut text, "digest", &digest.to_string());
        }
        if let Some(by) = &entry.pinned_by {
            field(&mut text, "pinned-by", &by.to_string());
        }
        entry.sources.iter().for_each(|source| self::source(&mut text, source));
        text
    })
}

fn source(text: &mut String, source: &Source) {
    text.push_str("[[artifact.source]]\n");
    field(text, "url", &source.url.to_string());
    if let Some(digest) = &source.digest {
        field(text, "digest", &digest.to_string());
    }
    if let Some(member) = &source.member {
        field(text, "member", member);
    }
}

fn field(text: &mut String, key: &str, value: &str) {
    writeln!(text, "{key} = {}", toml::Value::from(value)).expect("a string takes everything");
}
