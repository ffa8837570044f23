//! Kubernetes names: labels, taints and their parts.

use super::place::{Findings, Placed};
use crate::finding::rules::k3s as rule;
use crate::model::{Taint, TaintEffect};

/// `key=value:Effect` or `key:Effect`, typed; reports anything else.
pub(crate) fn parse(placed: &Placed<String>, findings: &mut Findings) -> Option<Taint> {
    match read(&placed.value) {
        Ok(taint) => Some(taint),
        Err(why) => {
            findings.at(&rule::TAINT, placed.place, format!("`{}` is not a taint: {why}", placed.value));
            None
        }
    }
}

fn read(text: &str) -> Result<Taint, String> {
    let (left, effect) = text.rsplit_once(':').ok_or("it has no `:Effect`")?;
    let effect = match effect {
        "NoSchedule" => TaintEffect::NoSchedule,
        "PreferNoSchedule" => TaintEffect::PreferNoSchedule,
        "NoExecute" => TaintEffect::NoExecute,
        other => return Err(format!("`{other}` is not NoSchedule, PreferNoSchedule or NoExecute")),
    };
    let (key, value) = left.split_once('=').unwrap_or((left, ""));
    key_fault(key).or_else(|| value_fault(value)).map_or(Ok(()), Err)?;
    Ok(Taint { key: key.to_owned(), value: value.to_owned(), effect })
}

/// Why `key` is no label or taint key: an optional DNS prefix, a slash and a name.
pub(crate) fn key_fault(key: &str) -> Option<String> {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    if let Some(prefix) = prefix {
        let labels = prefix.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        });
        if !labels || prefix.len() > 253 {
            return Some(format!("the prefix `{prefix}` is not a DNS name in lower case"));
        }
    }
    if name.is_empty() {
        return Some("the key's name is empty".to_owned());
    }
    word_fault("key", name)
}

/// Why `value` is no label or taint value; an empty one is allowed.
pub(crate) fn value_fault(value: &str) -> Option<String> {
    if value.is_empty() { None } else { word_fault("value", value) }
}

fn word_fault(what: &str, word: &str) -> Option<String> {
    if word.len() > 63 {
        return Some(format!("the {what} `{word}` has {} characters, at most 63 are allowed", word.len()));
    }
    if let Some(bad) = word.chars().find(|c| !(c.is_ascii_alphanumeric() || "-_.".contains(*c))) {
        return Some(format!("`{}` is not allowed in a {what}", bad.escape_debug()));
    }
    let end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    if end(word.chars().next()) && end(word.chars().last()) {
        None
    } else {
        Some(format!("the {what} `{word}` must begin and end with a letter or digit"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taints_read_and_print_the_same() {
        for text in ["storage=enabled:NoSchedule", "a/b:NoExecute", "x=1:PreferNoSchedule"] {
            assert_eq!(read(text).unwrap().to_string(), text);
        }
        for bad in
            ["a", "a=b", "a=b:Never", "=b:NoSchedule", "a b=c:NoSchedule", "A/b:NoSchedule", "a=-:NoSchedule"]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
