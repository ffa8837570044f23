//! Physical lines to logical ones: directives, comments, continuations.

/// A logical line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Its first physical line, from 1.
    pub(super) number: usize,
    pub(super) text: String,
}

/// A Dockerfile's logical lines and its escape character.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lines {
    pub(super) escape: char,
    pub(super) lines: Vec<Line>,
}

/// Splits `text`. The error is a line number and what is wrong with its directive.
pub(super) fn split(text: &str) -> Result<Lines, (usize, String)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let escape = directives(text)?;
    let mut lines = Vec::new();
    let mut open: Option<Line> = None;
    for (index, physical) in text.lines().enumerate() {
        let trimmed = physical.trim_start();
        if trimmed.starts_with('#') || (open.is_none() && trimmed.is_empty()) {
            continue;
        }
        // BuildKit skips empty lines inside a continuation, with a warning.
        if open.is_some() && trimmed.is_empty() {
            continue;
        }
        let piece = if open.is_some() { physical } else { trimmed };
        let (piece, continues) = match piece.trim_end().strip_suffix(escape) {
            Some(rest) => (rest, true),
            None => (piece, false),
        };
        let line = open.get_or_insert_with(|| Line { number: index + 1, text: String::new() });
        line.text.push_str(piece);
        if !continues {
            lines.extend(open.take());
        }
    }
    lines.extend(open);
    for line in &mut lines {
        line.text.truncate(line.text.trim_end().len());
    }
    Ok(Lines { escape, lines })
}

/// Reads the `# key=value` comments at the very top.
fn directives(text: &str) -> Result<char, (usize, String)> {
    let mut escape = '\\';
    for (index, line) in text.lines().enumerate() {
        let Some((key, value)) = line.trim().strip_prefix('#').and_then(|comment| comment.split_once('='))
        else {
            break;
        };
        let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
        match key.as_str() {
            "escape" if value == "\\" || value == "`" => escape = if value == "`" { '`' } else { '\\' },
            "escape" => return Err((index + 1, format!("the escape character is \\ or `, not {value}"))),
            "syntax" if value.starts_with("docker/dockerfile") => {}
            "syntax" => {
                let why = format!(
                    "the embedded engine reads docker/dockerfile syntax, not {value}; use --engine buildx"
                );
                return Err((index + 1, why));
            }
            "check" => {}
            // Any other comment ends the directives.
            _ => break,
        }
    }
    Ok(escape)
}
