//! Our reading, by k3s's rules, of its settings: `config.yaml`, then `config.yaml.d/` (FIELD K26).
//!
//! In: texts, or a node's `/etc/rancher/k3s`. Out: what k3s uses in the end, and a remark where a later file takes
//! entries of a list away. Written after the rules in FIELD K26; the program itself is not asked.

use anyhow::Context as _;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// What k3s uses, by key.
pub type Settings = BTreeMap<String, Value>;

/// Settings of several files and what is odd about them.
#[derive(Debug, Default)]
pub struct Effective {
    /// What k3s uses in the end.
    pub settings: Settings,
    /// Lists that a later file replaced instead of extending them.
    pub remarks: Vec<String>,
}

/// The settings of a node, from its `/etc/rancher/k3s`.
///
/// # Errors
/// If `config.yaml` is missing, or a file is no YAML mapping.
pub fn effective(folder: &Path) -> anyhow::Result<Effective> {
    let mut paths = vec![folder.join("config.yaml")];
    let drop_ins = folder.join("config.yaml.d");
    if drop_ins.exists() {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&drop_ins)? {
            names.push(entry?.path());
        }
        names.retain(|path| path.extension().is_some_and(|kind| kind == "yaml" || kind == "yml"));
        names.sort();
        paths.extend(names);
    }
    let mut files = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        files.push((path.display().to_string(), text));
    }
    merge(&files)
}

/// Merges files in order, each with its name for remarks: the last value of a key wins, whole, unless the key ends in
/// `+`. Then it is added to what is there so far, so one later file without `+` undoes the ones before it.
///
/// # Errors
/// If a file is no YAML mapping.
pub fn merge(files: &[(String, String)]) -> anyhow::Result<Effective> {
    let mut all = Effective::default();
    for (name, text) in files {
        let keys: Settings = blueprint::escape::yaml::read(text).with_context(|| name.clone())?;
        for (written, value) in keys {
            let (key, adds) = written.strip_suffix('+').map_or((written.as_str(), false), |key| (key, true));
            let Some(before) = all.settings.remove(key) else {
                all.settings.insert(key.to_owned(), value);
                continue;
            };
            let value = if adds {
                Value::Array([entries(before), entries(value)].concat())
            } else {
                if before.is_array() {
                    all.remarks
                        .push(format!("{name}: `{key}` replaces the list of an earlier file; `{key}+` adds"));
                }
                value
            };
            all.settings.insert(key.to_owned(), value);
        }
    }
    Ok(all)
}

/// A single value counts as a list of one; the rules don't say so, it is the reading that loses nothing.
fn entries(value: Value) -> Vec<Value> {
    match value {
        Value::Array(list) => list,
        one => vec![one],
    }
}
