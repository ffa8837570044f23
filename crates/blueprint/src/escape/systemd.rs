//! systemd: unit names made of paths, and values in unit files.
//!
//! In: a path or text. Out: what systemd-escape(1) gives for a path, and what systemd.unit(5),
//! systemd.mount(5) and systemd.service(5) read back as the text. Each kind of setting is split by other rules,
//! so each has its own function.

use desired::{AbsPath, UnitName};

use super::Inexpressible;

const LANGUAGE: &str = "a systemd unit file";

/// The unit that stands for `path`: `/mnt/media-data` with `automount` is `mnt-media\x2ddata.automount`
/// (FIELD M4), byte for byte what `systemd-escape --path --suffix` prints.
///
/// # Errors
/// If the name would be longer than the 255 bytes a unit name may have.
pub fn path_unit(path: &AbsPath, suffix: &str) -> Result<UnitName, Inexpressible> {
    let mut name = String::new();
    for (at, byte) in path.relative().bytes().enumerate() {
        match byte {
            b'/' => name.push('-'),
            b'.' if at == 0 => push_hex(&mut name, byte),
            b':' | b'_' | b'.' => name.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => name.push(char::from(byte)),
            _ => push_hex(&mut name, byte),
        }
    }
    if name.is_empty() {
        name.push('-');
    }
    format!("{name}.{suffix}").parse().map_err(|_| {
        Inexpressible::new(
            "a systemd unit name",
            path.as_str(),
            "it is too long when escaped, shorten the path",
        )
    })
}

fn push_hex(name: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    name.push_str("\\x");
    name.push(char::from(DIGITS[usize::from(byte >> 4)]));
    name.push(char::from(DIGITS[usize::from(byte & 15)]));
}

/// A setting that is one text to the end of the line: `What=`, `Where=`, `Options=`, `Description=`. Nothing
/// is quoted there; only `%` would be a specifier.
///
/// # Errors
/// If the text holds control characters, begins or ends in blanks, or ends in a backslash (which would join the
/// next line to it).
pub fn line(text: &str) -> Result<String, Inexpressible> {
    if text.chars().any(char::is_control) {
        return Err(Inexpressible::new(LANGUAGE, text, "control characters end or break a setting"));
    }
    if text.trim() != text {
        return Err(Inexpressible::new(LANGUAGE, text, "blanks at its ends would be dropped"));
    }
    if text.ends_with('\\') {
        return Err(Inexpressible::new(LANGUAGE, text, "a backslash at the end joins the next line"));
    }
    Ok(text.replace('%', "%%"))
}

/// One path in a list that is split at blanks: `RequiresMountsFor=` (FIELD M5). It unquotes and keeps
/// backslashes as they are, so blanks need quotes and backslashes need nothing.
///
/// # Errors
/// If the path is not absolute, holds both kinds of quotes, or as [`line`].
pub fn listed_path(path: &str) -> Result<String, Inexpressible> {
    if !path.starts_with('/') {
        return Err(Inexpressible::new(LANGUAGE, path, "it is not absolute and would be ignored"));
    }
    let text = line(path)?;
    match (text.contains('"'), text.contains('\'')) {
        (true, true) => Err(Inexpressible::new(LANGUAGE, path, "it holds both kinds of quotes")),
        (true, false) => Ok(format!("'{text}'")),
        (false, true) => Ok(format!("\"{text}\"")),
        (false, false) if text.contains(' ') => Ok(format!("\"{text}\"")),
        (false, false) => Ok(text),
    }
}

/// One argument of a command line in `ExecStart=` and its kin: `%` and `$` doubled, blanks, quotes and
/// backslashes inside double quotes.
///
/// # Errors
/// If the text holds control characters.
pub fn argument(text: &str) -> Result<String, Inexpressible> {
    if text.chars().any(char::is_control) {
        return Err(Inexpressible::new(LANGUAGE, text, "control characters have no place in a command line"));
    }
    let plain = !text.is_empty()
        && text != ";"
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"/-_.,:=@+;".contains(&byte) || byte > 127);
    if plain {
        return Ok(text.to_owned());
    }
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '%' | '$' => quoted.extend([character, character]),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    Ok(quoted)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unit(path: &str, suffix: &str) -> String {
        path_unit(&path.parse().unwrap(), suffix).unwrap().to_string()
    }

    #[test]
    fn paths_become_the_units_systemd_expects() {
        // FIELD M4, each confirmed with systemd-escape 252
        assert_eq!(unit("/mnt/media-data", "automount"), r"mnt-media\x2ddata.automount");
        assert_eq!(unit("/mnt/my share", "mount"), r"mnt-my\x20share.mount");
        assert_eq!(unit("/mnt/é", "mount"), r"mnt-\xc3\xa9.mount");
        assert_eq!(unit("/.hidden/.b", "mount"), r"\x2ehidden-.b.mount");
        assert_eq!(unit("/", "mount"), "-.mount");
        assert_eq!(unit("/a\\b", "mount"), r"a\x5cb.mount");
        let long = format!("/{}", "é".repeat(120));
        let error = path_unit(&long.parse().unwrap(), "mount").unwrap_err();
        assert!(error.to_string().contains("too long"), "{error}");
    }

    #[test]
    fn values_are_written_for_the_setting_they_stand_in() {
        assert_eq!(line("/mnt/my 100% share").unwrap(), "/mnt/my 100%% share");
        for bad in ["a\nb", " a", "a ", "a\\"] {
            assert!(line(bad).is_err(), "{bad:?}");
        }
        assert_eq!(listed_path("/mnt/a").unwrap(), "/mnt/a");
        assert_eq!(listed_path("/mnt/my share").unwrap(), "\"/mnt/my share\"");
        assert_eq!(listed_path("/mnt/a\\b").unwrap(), "/mnt/a\\b");
        assert_eq!(listed_path("/mnt/it's").unwrap(), "\"/mnt/it's\"");
        assert_eq!(listed_path("/mnt/12\"").unwrap(), "'/mnt/12\"'");
        assert!(listed_path("/mnt/'\"").is_err());
        assert!(listed_path("$HOME/x").is_err());
        assert_eq!(argument("/mnt/my $HOME%i \"x\"\\").unwrap(), r#""/mnt/my $$HOME%%i \"x\"\\""#);
        assert_eq!(argument("").unwrap(), "\"\"");
        assert_eq!(argument("a'b").unwrap(), "\"a'b\"");
        assert!(argument("a\nb").is_err());
    }

    /// Reads a unit name back as `systemd-escape --unescape --path` does.
    fn unescape(stem: &str) -> String {
        if stem == "-" {
            return "/".to_owned();
        }
        let (mut bytes, mut rest) = (vec![b'/'], stem.as_bytes());
        while let Some((first, tail)) = rest.split_first() {
            if *first == b'\\' {
                let hex = std::str::from_utf8(&tail[1..3]).unwrap();
                bytes.push(u8::from_str_radix(hex, 16).unwrap());
                rest = &tail[3..];
            } else {
                bytes.push(if *first == b'-' { b'/' } else { *first });
                rest = tail;
            }
        }
        String::from_utf8(bytes).unwrap()
    }

    proptest! {
        #[test]
        fn unit_names_say_the_path_again(parts in prop::collection::vec("[ -.0-~é]{1,8}", 0..4)) {
            let Ok(path) = format!("/{}", parts.join("/")).parse::<AbsPath>() else { return Ok(()) };
            let Ok(name) = path_unit(&path, "mount") else { return Ok(()) };
            prop_assert_eq!(unescape(name.as_str().strip_suffix(".mount").unwrap()), path.as_str());
        }
    }
}
