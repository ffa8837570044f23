//! Go's text/template, as chezmoi uses it: plain text around actions, and string literals inside them.
//!
//! In: text. Out: template source that prints exactly that text, or a literal that is that text.

use super::Inexpressible;

const LANGUAGE: &str = "a Go template";

/// Plain text outside actions; runs of braces that would open an action, here or together with an action that
/// follows, are printed by one.
///
/// # Errors
/// If the text holds NUL, which no file chezmoi writes should.
pub fn text(text: &str) -> Result<String, Inexpressible> {
    if text.contains('\0') {
        return Err(Inexpressible::new(LANGUAGE, text, "it holds NUL"));
    }
    let (mut written, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find('{') {
        let run = rest[at..].len() - rest[at..].trim_start_matches('{').len();
        written.push_str(&rest[..at]);
        let (braces, tail) = rest[at..].split_at(run);
        if run > 1 || tail.is_empty() {
            written.push_str("{{ \"");
            written.push_str(braces);
            written.push_str("\" }}");
        } else {
            written.push_str(braces);
        }
        rest = tail;
    }
    written.push_str(rest);
    Ok(written)
}

/// A string literal inside an action (`{{ eq .chezmoi.hostname "pc" }}`), by the rules of Go's interpreted strings.
///
/// # Errors
/// If the text holds NUL.
pub fn string(text: &str) -> Result<String, Inexpressible> {
    if text.contains('\0') {
        return Err(Inexpressible::new(LANGUAGE, text, "it holds NUL"));
    }
    let mut written = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => written.extend(['\\', character]),
            '\n' => written.push_str("\\n"),
            '\t' => written.push_str("\\t"),
            _ if character.is_control() => {
                use std::fmt::Write as _;
                // writing to a String cannot fail
                let _ = write!(written, "\\u{:04x}", u32::from(character));
            }
            _ => written.push(character),
        }
    }
    written.push('"');
    Ok(written)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn braces_are_printed_not_run() {
        assert_eq!(text("a {{ b }} {c}").unwrap(), "a {{ \"{{\" }} b }} {c}");
        assert_eq!(text("${x}").unwrap(), "${x}");
        assert_eq!(text("end {").unwrap(), "end {{ \"{\" }}");
        assert_eq!(text("{{{- x").unwrap(), "{{ \"{{{\" }}- x");
        assert!(text("a\0").is_err());
        assert_eq!(string("a\"\\\n\u{7}").unwrap(), r#""a\"\\\n\u0007""#);
    }

    proptest! {
        /// Takes out the only actions `text` makes, which must give the text again with nothing left that opens one.
        #[test]
        fn text_comes_out_as_it_went_in(input in "[{} a\"-]{0,24}") {
            let written = text(&input).unwrap();
            let (mut printed, mut rest) = (String::new(), written.as_str());
            while let Some((before, action)) = rest.split_once("{{") {
                printed.push_str(before);
                let (braces, after) = action.strip_prefix(" \"").unwrap().split_once("\" }}").unwrap();
                printed.push_str(braces);
                rest = after;
            }
            printed.push_str(rest);
            prop_assert_eq!(printed, input);
        }
    }
}
