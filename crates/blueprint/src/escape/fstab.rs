//! fstab(5): fields between blanks, options between commas.
//!
//! In: a source, a mount point, options. Out: fields that the C library's `getmntent`, libmount and systemd's
//! generator all read back as the text (FIELD M2). `\043` is not written: libmount knows it, the C library under
//! systemd 252 does not and would mount on a folder of that name.

use super::Inexpressible;

const LANGUAGE: &str = "fstab";

/// One field: blanks, tabs, newlines and backslashes as octal.
///
/// # Errors
/// If the text is empty, holds NUL, or begins with `#`, which would make the line a comment.
pub fn field(text: &str) -> Result<String, Inexpressible> {
    if text.is_empty() {
        return Err(Inexpressible::new(LANGUAGE, text, "an empty field shifts all others"));
    }
    if text.starts_with('#') {
        return Err(Inexpressible::new(LANGUAGE, text, "a field that begins with `#` is read as a comment"));
    }
    let mut field = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            ' ' => field.push_str("\\040"),
            '\t' => field.push_str("\\011"),
            '\n' => field.push_str("\\012"),
            '\\' => field.push_str("\\134"),
            '\0' => return Err(Inexpressible::new(LANGUAGE, text, "NUL ends every text there")),
            // other white space splits the line for libmount but has no octal form the C library reads
            _ if character.is_ascii_control() => {
                return Err(Inexpressible::new(LANGUAGE, text, "it holds a control character"));
            }
            _ => field.push(character),
        }
    }
    Ok(field)
}

/// Options as one field, joined by commas.
///
/// # Errors
/// If an option holds a comma (it would become two; FIELD M11), or as [`field`].
pub fn options(options: &[String]) -> Result<String, Inexpressible> {
    if let Some(bad) = options.iter().find(|option| option.contains(',')) {
        return Err(Inexpressible::new(LANGUAGE, bad, "a comma ends an option, write it as two"));
    }
    field(&options.join(","))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What glibc's `getmntent` decodes.
    fn decode(field: &str) -> String {
        field.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
    }

    #[test]
    fn fields_hold_together() {
        assert_eq!(field("/mnt/my share").unwrap(), "/mnt/my\\040share");
        assert_eq!(field("a\tb\nc\\d").unwrap(), "a\\011b\\012c\\134d");
        assert_eq!(field("/mnt/c#d").unwrap(), "/mnt/c#d");
        for bad in ["", "#a", "a\0", "a\rb"] {
            assert!(field(bad).is_err(), "{bad:?}");
        }
        assert!(options(&["rw".to_owned(), "password=a,b".to_owned()]).is_err());
    }

    proptest! {
        #[test]
        fn fields_say_the_text_again(text in "[ -~\t\né]{1,40}") {
            if let Ok(written) = field(&text) {
                prop_assert!(!written.contains([' ', '\t', '\n']));
                prop_assert_eq!(decode(&written), text);
            } else {
                prop_assert!(text.starts_with('#'));
            }
        }
    }
}
