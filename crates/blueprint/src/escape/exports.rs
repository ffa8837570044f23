//! exports(5): the path of an export.
//!
//! In: a path. Out: the first field of a line, octal where the format gives a character a meaning.

use super::Inexpressible;

/// The path as one field.
///
/// # Errors
/// If it holds control characters.
pub fn path(path: &str) -> Result<String, Inexpressible> {
    use std::fmt::Write as _;
    if path.chars().any(char::is_control) {
        return Err(Inexpressible::new("exports", path, "it holds a control character"));
    }
    let mut field = String::with_capacity(path.len());
    for character in path.chars() {
        match character {
            ' ' | '"' | '#' | '\\' => {
                // writing to a String cannot fail
                let _ = write!(field, "\\{:03o}", u32::from(character));
            }
            _ => field.push(character),
        }
    }
    Ok(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_and_marks_are_octal() {
        assert_eq!(path("/srv/my share#1\\\"").unwrap(), "/srv/my\\040share\\0431\\134\\042");
        assert!(path("/a\tb").is_err());
    }
}
