//! YAML through its serializer.
//!
//! In: any serializable value. Out: block style text that ends in a newline; strings that another type could be read
//! from (`yes`, `1.30`, `*`) are quoted.

use serde::Serialize;

use super::Inexpressible;

/// `value` as a YAML document.
///
/// # Errors
/// If the value has no YAML form (a map with maps as keys).
pub fn document<T: Serialize>(value: &T) -> Result<String, Inexpressible> {
    let mut options = serde_saphyr::SerializerOptions::default();
    options.prefer_block_scalars = false;
    options.compact_list_indent = false;
    let mut text = serde_saphyr::to_string_with_options(value, options)
        .map_err(|error| Inexpressible::new("YAML", &error.to_string(), "its serializer refused"))?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

/// Where a document is no YAML, and why.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

/// The value a YAML document holds.
///
/// # Errors
/// If it is not YAML, or not of this type: the line and what is wrong there.
pub fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Unreadable> {
    serde_saphyr::from_str(text).map_err(|error| Unreadable(reason(&error)))
}

/// What the parser says, in one line and without its picture.
pub(crate) fn reason(error: &serde_saphyr::Error) -> String {
    let said = error.without_snippet().to_string();
    said.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_stay_strings() {
        let awkward =
            ["yes", "no", "1.30", "0x1F", "*", "null", "a: b", "# x", "", "- a", "12:30", "~", "@a"];
        let map: std::collections::BTreeMap<&str, &str> = awkward.iter().map(|text| (*text, *text)).collect();
        let text = document(&map).unwrap();
        let back: std::collections::BTreeMap<String, serde_json::Value> =
            serde_saphyr::from_str(&text).unwrap();
        for (key, value) in back {
            assert_eq!(value, serde_json::Value::String(key), "{text}");
        }
    }
}
