//! POSIX shell words.
//!
//! In: a value. Out: one word that any POSIX shell reads back as exactly that value, bare where that is safe.

use super::Inexpressible;

/// `value` as one shell word: bare if every character is harmless, else in single quotes.
///
/// # Errors
/// If it holds NUL, which no argument can, or another control character, which has no place in our scripts.
pub fn word(value: &str) -> Result<String, Inexpressible> {
    if value.chars().any(char::is_control) {
        return Err(Inexpressible::new("POSIX shell", value, "it holds a control character"));
    }
    if !value.is_empty() && value.bytes().all(is_harmless) {
        return Ok(value.to_owned());
    }
    Ok(format!("'{}'", value.replace('\'', r"'\''")))
}

/// `value` for places that take no quotes (comments, messages inside quotes).
///
/// # Errors
/// If it holds anything but letters, digits and `_ - . / : @ % + = ,`.
pub fn plain(value: &str) -> Result<String, Inexpressible> {
    if value.bytes().all(is_harmless) {
        Ok(value.to_owned())
    } else {
        Err(Inexpressible::new("a place without quotes", value, "only letters, digits and _-./:@%+=, fit"))
    }
}

/// `value` for a comment or other running text: words and punctuation that mean nothing to the shell.
///
/// # Errors
/// If it holds anything but printable ASCII without quotes, `$`, backquote and backslash.
pub fn message(value: &str) -> Result<String, Inexpressible> {
    let harmless =
        |c: char| c == ' ' || (c.is_ascii_graphic() && !matches!(c, '\'' | '"' | '$' | '`' | '\\'));
    if value.chars().all(harmless) {
        Ok(value.to_owned())
    } else {
        Err(Inexpressible::new("a comment of a script", value, "only plain words and punctuation fit"))
    }
}

const fn is_harmless(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'_' | b'-' | b'.' | b'/' | b':' | b'@' | b'%' | b'+' | b'=' | b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_bare_or_single_quoted() {
        for (value, word_of_it) in [
            ("k3s-w1", "k3s-w1"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("$(rm -rf /)", "'$(rm -rf /)'"),
            ("~", "'~'"),
            ("é", "'é'"),
        ] {
            assert_eq!(word(value).unwrap(), word_of_it);
        }
        assert!(word("a\0b").is_err());
        assert!(word("a\nb").is_err());
    }

    #[test]
    fn messages_are_words() {
        assert_eq!(message("a token, beginning with K10").unwrap(), "a token, beginning with K10");
        for bad in ["a\nrm -rf /", "$x", "it's", "`x`"] {
            assert!(message(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn plain_refuses_what_needs_quotes() {
        assert_eq!(plain("node.longhorn.io/storage=enabled").unwrap(), "node.longhorn.io/storage=enabled");
        for bad in ["a b", "a;b", "$x", "`x`", "a\"b"] {
            assert!(plain(bad).is_err(), "{bad}");
        }
    }
}
