//! TOML, by its serializer: keys with colons and dots come out quoted, strings escaped.
//!
//! In: any value that serializes to a table. Out: the document.

use serde::Serialize;

use super::Inexpressible;

/// The document of `value`, tables spread over lines.
///
/// # Errors
/// If `value` has no form in TOML: not a table at the top, a key that is no string, an integer above 2^63.
pub fn document<T: Serialize + std::fmt::Debug>(value: &T) -> Result<String, Inexpressible> {
    toml::to_string_pretty(value)
        .map_err(|_| Inexpressible::new("TOML", &format!("{value:?}"), "its shape has no form there"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_with_colons_stay_one_key() {
        // FIELD C10: a bare `deploy.gitea` or an unquoted colon would break the whole file
        let task = BTreeMap::from([("deploy:gitea", BTreeMap::from([("run", "a \"b\" \\")]))]);
        let document = document(&BTreeMap::from([("tasks", task)])).unwrap();
        assert!(document.contains("[tasks.\"deploy:gitea\"]"), "{document}");
        assert!(super::document(&7).is_err());
    }

    proptest! {
        #[test]
        fn documents_read_back(key in ".{0,12}", value in ".{0,24}") {
            let table = BTreeMap::from([(key, value)]);
            let read: BTreeMap<String, String> = toml::from_str(&document(&table).unwrap()).unwrap();
            prop_assert_eq!(read, table);
        }
    }
}
