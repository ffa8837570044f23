//! `.env.example`: every variable a Compose file demands, each with who uses it and without its value.
//!
//! In: a service. Out: the file, or nothing where it has no secrets.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::{Model, Service};
use crate::render::{RenderError, template};

#[derive(Debug, Serialize)]
struct Context {
    cluster: String,
    service: String,
    store: Option<String>,
    file: Option<String>,
    variables: Vec<Variable>,
}

#[derive(Debug, Serialize)]
struct Variable {
    name: String,
    uses: String,
}

/// The file of `service`.
///
/// # Errors
/// If a name has no place in a comment.
pub(super) fn document(model: &Model, service: &Service) -> Result<Option<String>, RenderError> {
    let mut uses: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (container, of) in &service.containers {
        for (variable, setting) in &of.environment {
            for secret in setting.secrets() {
                uses.entry(secret).or_default().push(format!("{variable} of {container}"));
            }
        }
    }
    if uses.is_empty() {
        return Ok(None);
    }
    let variables = uses
        .into_iter()
        .map(|(name, uses)| Variable { name: name.to_owned(), uses: uses.join(", ") })
        .collect();
    let context = Context {
        cluster: model.name.to_string(),
        service: service.name.clone(),
        store: service.secrets_path.as_ref().map(ToString::to_string),
        file: service.secrets_file.as_ref().map(ToString::to_string),
        variables,
    };
    template::render("compose/env.example", &context).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    #[test]
    fn every_variable_is_explained_and_none_has_a_value() {
        let mut model = fixture::model();
        let text = document(&model, &model.services["forge"]).unwrap().unwrap();
        assert!(text.contains("# FORGE_KEY of forge\nFORGE_KEY=\n") && text.contains("/forge"), "{text}");
        let forge = model.services.get_mut("forge").unwrap();
        forge.containers.get_mut("forge").unwrap().environment.clear();
        assert_eq!(document(&model, &model.services["forge"]).unwrap(), None);
    }
}
