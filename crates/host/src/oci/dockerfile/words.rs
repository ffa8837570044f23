//! Words of an instruction: splitting, quotes, variables.

/// Splits at blanks outside quotes; quotes and escapes stay for [`expand`].
pub(super) fn split(text: &str, escape: char) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match quote {
            None if character.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            None if character == '\'' || character == '"' => quote = Some(character),
            Some(open) if character == open => quote = None,
            _ => {}
        }
        word.push(character);
        if character == escape && quote != Some('\'') {
            word.extend(characters.next());
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Takes quotes away and puts variables in, as a POSIX shell would without splitting again: `$NAME`, `${NAME}`,
/// `${NAME:-word}`, `${NAME:+word}`, `${NAME:?word}` and these without the colon. Nothing is expanded in single quotes.
///
/// # Errors
/// What is wrong: a variable nobody set, an open quote or brace, a form this subset lacks.
pub(in crate::oci) fn expand(
    text: &str,
    escape: char,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<String, String> {
    let mut rest = text;
    let mut result = String::new();
    let mut in_double = false;
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        match character {
            '\'' if !in_double => {
                let Some((literal, behind)) = rest.split_once('\'') else {
                    return Err(format!("a ' is never closed in {text}"));
                };
                result.push_str(literal);
                rest = behind;
            }
            '"' => in_double = !in_double,
            _ if character == escape => {
                let Some(next) = rest.chars().next() else {
                    result.push(character);
                    break;
                };
                if in_double && !matches!(next, '"' | '$') && next != escape {
                    result.push(character);
                }
                result.push(next);
                rest = &rest[next.len_utf8()..];
            }
            '$' => {
                let (value, behind) = variable(rest, escape, lookup)?;
                result.push_str(&value);
                rest = behind;
            }
            _ => result.push(character),
        }
    }
    if in_double { Err(format!("a \" is never closed in {text}")) } else { Ok(result) }
}

/// The value of the variable that `text` starts with, the `$` already taken, and what is behind it.
fn variable<'a>(
    text: &'a str,
    escape: char,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<(String, &'a str), String> {
    let name_end =
        |text: &str| text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
    let unset = |name: &str| format!("${name} is not set here; declare it with `ARG {name}` after FROM");
    let Some(inner) = text.strip_prefix('{') else {
        let (name, behind) = text.split_at(name_end(text));
        if name.is_empty() {
            return Ok(("$".to_owned(), text));
        }
        return lookup(name).map(|value| (value, behind)).ok_or_else(|| unset(name));
    };
    let Some(end) = closing_brace(inner) else {
        return Err(format!("a {{ is never closed in ${text}"));
    };
    let (inner, behind) = (&inner[..end], &inner[end + 1..]);
    let (name, modifier) = inner.split_at(name_end(inner));
    if name.is_empty() {
        return Err(format!("${{{inner}}} names no variable"));
    }
    let (colon, operator) = match modifier.strip_prefix(':') {
        Some(operator) => (true, operator),
        None => (false, modifier),
    };
    let value = lookup(name).filter(|value| !(colon && value.is_empty()));
    let word = operator.get(1..).unwrap_or_default();
    let expanded = match (operator.chars().next(), value) {
        (None, Some(value)) if !colon => value,
        (None, None) if !colon => return Err(unset(name)),
        (Some('-'), Some(value)) | (Some('?'), Some(value)) => value,
        (Some('-'), None) | (Some('+'), Some(_)) => expand(word, escape, lookup)?,
        (Some('+'), None) => String::new(),
        (Some('?'), None) => return Err(format!("${name} is required: {word}")),
        _ => {
            return Err(format!(
                "the form ${{{inner}}} is not known to the embedded engine; use --engine buildx"
            ));
        }
    };
    Ok((expanded, behind))
}

/// Where the brace that is already open closes, counting those opened in between.
fn closing_brace(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}
