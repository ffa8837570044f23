//! From the text of a lock to its entries, or to every fault in it.

use std::collections::BTreeMap;
use std::ops::Range;

use desired::types::DigestAlgorithm;
use desired::{Arch, Digest, Mode};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Entry, Lock, PinnedBy, Source, SourceUrl, is_version};

/// What the spec allows beyond the ordinary.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rules {
    /// Whether plain `http:` sources are accepted.
    pub allow_http: bool,
}

/// One thing that is wrong in a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The bytes of the text it is about.
    pub span: Range<usize>,
    /// The line they start on, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
    /// What to write or do instead.
    pub help: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "line {}: {}; {}", self.line, self.message, self.help)
    }
}

/// Every fault of one lock.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Faults(pub Vec<Fault>);

const REWRITE: &str = "restore the file from version control, or delete it and run `cargo xtask lock`";
const FIELDS: [&str; 9] =
    ["name", "version", "arch", "file", "mode", "size", "digest", "pinned-by", "source"];

/// Reads a lock.
///
/// # Errors
/// With every fault: bad TOML, unknown or missing fields, values of the wrong form, unknown sources, digests nobody
/// vouches for, two entries for one file.
pub fn parse(text: &str, rules: Rules) -> Result<Lock, Faults> {
    let mut reader = Reader { text, rules, faults: Vec::new() };
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        reader.fault(error.span().unwrap_or(0..0), error.message().to_owned(), REWRITE);
    }
    let lock = if reader.faults.is_empty() { reader.lock(root.get_ref()) } else { Lock::default() };
    if reader.faults.is_empty() { Ok(lock) } else { Err(Faults(reader.faults)) }
}

struct Reader<'t> {
    text: &'t str,
    rules: Rules,
    faults: Vec<Fault>,
}

/// A table's values by key, with the place of the table itself.
struct Fields<'t, 'i> {
    place: Range<usize>,
    values: BTreeMap<&'t str, &'t Spanned<DeValue<'i>>>,
}

impl Reader<'_> {
    fn fault(&mut self, span: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        let line = 1 + self.text[..span.start.min(self.text.len())].matches('\n').count();
        self.faults.push(Fault { span, line, message: message.into(), help: help.into() });
    }

    fn lock(&mut self, root: &DeTable<'_>) -> Lock {
        let fields = self.fields(0..0, root, &["version", "artifact"]);
        match fields.values.get("version").and_then(|value| integer(value.get_ref())) {
            Some(1) => {}
            _ => {
                let place = fields.values.get("version").map_or(0..0, |value| value.span());
                self.fault(place, "this is not a lock of version 1", REWRITE);
            }
        }
        let mut entries: Vec<(Range<usize>, Entry)> = Vec::new();
        for (place, table) in self.tables(&fields, "artifact") {
            let fields = self.fields(place.clone(), table, &FIELDS);
            let Some(entry) = self.entry(&fields) else { continue };
            let twin = |(_, other): &&(Range<usize>, Entry)| {
                other.name == entry.name
                    && (other.arch == entry.arch || other.arch.is_none() || entry.arch.is_none())
            };
            if entries.iter().find(twin).is_some() {
                self.fault(
                    place,
                    format!("{} is already locked above", entry.label()),
                    "keep one of the two",
                );
            }
            entries.push((fields.place, entry));
        }
        let mut entries: Vec<_> = entries.into_iter().map(|(_, entry)| entry).collect();
        entries.sort_by(|a, b| (&a.name, a.arch).cmp(&(&b.name, b.arch)));
        Lock { entries }
    }

    fn entry(&mut self, fields: &Fields<'_, '_>) -> Option<Entry> {
        let before = self.faults.len();
        let name =
            self.required(fields, "name", |text| text.parse().map_err(|e: desired::Invalid| e.to_string()));
        let version = self.required(fields, "version", |text| match is_version(text) {
            true => Ok(text.to_owned()),
            false => Err(format!("`{}` is not a version", text.escape_debug())),
        });
        let arch = self.optional(fields, "arch", |text| text.parse::<Arch>().map_err(|e| e.to_string()));
        let file = self.required(fields, "file", |text| match is_file_name(text) {
            true => Ok(text.to_owned()),
            false => Err(format!("`{}` is not a plain file name", text.escape_debug())),
        });
        let mode = self.required(fields, "mode", |text| text.parse::<Mode>().map_err(|e| e.to_string()));
        let digest = self.optional(fields, "digest", |text| {
            let digest = text.parse::<Digest>().map_err(|e| e.to_string())?;
            match digest.algorithm() {
                DigestAlgorithm::Sha256 => Ok(digest),
                DigestAlgorithm::Sha512 => Err("the file itself is pinned by sha256".to_owned()),
            }
        });
        let pinned_by = self.optional(fields, "pinned-by", str::parse::<PinnedBy>);
        let size = self.size(fields);
        let sources = self.tables(fields, "source");
        let sources: Vec<_> =
            sources.into_iter().filter_map(|(place, table)| self.source(place, table)).collect();
        if self.faults.len() > before {
            return None;
        }
        let entry = Entry {
            name: name?,
            version: version?,
            arch,
            file: file?,
            mode: mode?,
            size,
            digest,
            pinned_by,
            sources,
        };
        self.check(fields, &entry);
        Some(entry)
    }

    /// What can only be said about a whole entry.
    fn check(&mut self, fields: &Fields<'_, '_>, entry: &Entry) {
        if entry.sources.is_empty() {
            let message = format!("{} has no source", entry.label());
            self.fault(fields.place.clone(), message, "delete the entry and run `cargo xtask lock`");
        }
        if entry.is_pinned() != entry.pinned_by.is_some() {
            let message = format!("{} has `digest` or `pinned-by`, but not both", entry.label());
            self.fault(fields.place.clone(), message, "delete the entry and run `cargo xtask lock`");
        }
    }

    fn source(&mut self, place: Range<usize>, table: &DeTable<'_>) -> Option<Source> {
        let fields = self.fields(place, table, &["url", "digest", "member"]);
        let url = self.required(&fields, "url", str::parse::<SourceUrl>)?;
        if matches!(url, SourceUrl::Http(_)) && !self.rules.allow_http {
            let place = fields.values.get("url").map_or(0..0, |value| value.span());
            self.fault(
                place,
                format!("`{url}` is plain http"),
                "use https, or set `allow-http = true` under [cluster] in cluster.toml",
            );
        }
        let digest =
            self.optional(&fields, "digest", |text| text.parse::<Digest>().map_err(|e| e.to_string()));
        let member = self.optional(&fields, "member", |text| {
            let clean = text.split('/').all(|part| !matches!(part, "" | "." | ".."));
            if clean { Ok(text.to_owned()) } else { Err(format!("`{text}` is not a clean relative path")) }
        });
        Some(Source { url, digest, member })
    }

    fn size(&mut self, fields: &Fields<'_, '_>) -> Option<u64> {
        let value = fields.values.get("size")?;
        let size = integer(value.get_ref());
        if size.is_none_or(|size| size == 0) {
            let message = "`size` is a count of bytes, a whole number above 0";
            self.fault(value.span(), message, "delete the line; `cargo xtask lock` fills it");
        }
        size
    }

    fn fields<'t, 'i>(
        &mut self,
        place: Range<usize>,
        table: &'t DeTable<'i>,
        allowed: &[&str],
    ) -> Fields<'t, 'i> {
        let mut values = BTreeMap::new();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if allowed.contains(&name) {
                values.insert(name, value);
                continue;
            }
            let near = allowed
                .iter()
                .min_by_key(|known| strsim::damerau_levenshtein(known, name))
                .expect("every table has fields");
            self.fault(
                key.span(),
                format!("unknown field `{}`", name.escape_debug()),
                format!("did you mean `{near}`?"),
            );
        }
        Fields { place, values }
    }

    fn tables<'t, 'i>(&mut self, fields: &Fields<'t, 'i>, key: &str) -> Vec<(Range<usize>, &'t DeTable<'i>)> {
        let Some(value) = fields.values.get(key) else { return Vec::new() };
        let items = value.get_ref().as_array().map(|items| items.iter()).into_iter().flatten();
        let tables: Vec<_> =
            items.filter_map(|item| Some((item.span(), item.get_ref().as_table()?))).collect();
        if value.get_ref().as_array().is_none_or(|items| items.len() != tables.len()) {
            self.fault(value.span(), format!("`{key}` is not a list of tables"), REWRITE);
        }
        tables
    }

    fn optional<T>(
        &mut self,
        fields: &Fields<'_, '_>,
        key: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let value = fields.values.get(key)?;
        let outcome = match value.get_ref().as_str() {
            Some(text) => read(text),
            None => Err(format!("`{key}` is not a string")),
        };
        match outcome {
            Ok(value) => Some(value),
            Err(message) => {
                self.fault(
                    value.span(),
                    message,
                    format!("correct `{key}`, or delete the entry and run `cargo xtask lock`"),
                );
                None
            }
        }
    }

    fn required<T>(
        &mut self,
        fields: &Fields<'_, '_>,
        key: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        if !fields.values.contains_key(key) {
            self.fault(fields.place.clone(), format!("`{key}` is missing here"), REWRITE);
        }
        self.optional(fields, key, read)
    }
}

fn integer(value: &DeValue<'_>) -> Option<u64> {
    let number = value.as_integer()?;
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// One component of a path, without anything a shell or an archive could read otherwise.
fn is_file_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.len() <= 128
        && text.chars().all(|c| c.is_ascii_alphanumeric() || ".+-_".contains(c))
}
