//! `.env.example`: every variable that the Compose file reads, with what it is for.
//!
//! In: the parts of a service and the help for its variables. Out: lines for a copy called `.env`; secrets are left empty
//! and say where their values are.

use std::fmt::Write as _;

use crate::escape::Inexpressible;
use crate::model::Service;
use crate::render::RenderError;
use crate::render::application::{self, Part};

/// The file's text.
///
/// # Errors
/// If a folder's path has no form in such a file.
pub fn document(service: &Service, parts: &[Part<'_>]) -> Result<String, RenderError> {
    let mut text = format!(
        "# Copy this to .env beside docker-compose.{}.yml and put your own values in; only you shall read the copy.\n",
        service.name
    );
    let explain = |text: &mut String, name: &str| {
        let help = service.help.get(name).map_or("", String::as_str);
        let _ = write!(text, "\n# {}\n", if help.is_empty() { name } else { help });
    };
    for (name, path) in application::paths(service) {
        explain(&mut text, name);
        let value = value(path).map_err(RenderError::inexpressible(format!("the variable {name}")))?;
        let _ = writeln!(text, "{name}={value}");
    }
    for name in parts.iter().flat_map(|part| part.secrets) {
        explain(&mut text, name);
        if let Some(place) = &service.secrets_path {
            let _ = writeln!(text, "# A secret: its value is in the secret store at {place}.");
        }
        let _ = writeln!(text, "{name}=");
    }
    Ok(text)
}

/// Single quotes keep everything but themselves as it is, for Compose and for a shell that reads the file.
fn value(path: &str) -> Result<String, Inexpressible> {
    let bare = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte));
    match (bare, path.contains('\'') || path.chars().any(char::is_control)) {
        (true, _) => Ok(path.to_owned()),
        (false, false) => Ok(format!("'{path}'")),
        (false, true) => {
            Err(Inexpressible::new("an .env file", path, "it holds a quote or control character"))
        }
    }
}
