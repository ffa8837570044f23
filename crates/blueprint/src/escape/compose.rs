//! Values in a Compose file, where `$` begins a variable.
//!
//! In: a text, or the name of a variable. Out: a string for the YAML serializer that Compose reads as that text, or as that
//! variable's value.

/// `value` as Compose reads it back: every dollar twice.
#[must_use]
pub fn text(value: &str) -> String {
    value.replace('$', "$$")
}

/// The value of the variable `name`, without which Compose does not start (FIELD D2).
#[must_use]
pub fn required(name: &str) -> String {
    format!("${{{name}:?see .env.example}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_doubled_and_variables_demanded() {
        assert_eq!(text("a$b${C}"), "a$$b$${C}");
        assert_eq!(required("KEY"), "${KEY:?see .env.example}");
    }
}
