//! Templates for scripts and line formats; structured text goes through a serializer instead.
//!
//! In: a template's name and a serializable context without secrets. Out: text in LF that ends in a newline.
//! Holes are written `{{{ value|filter }}}`, tags `{{% if %}}`, comments `{{# #}}`, so shell and Go templates pass through
//! untouched. The engine's `debug` feature stays off: with it an error prints every variable. Every hole names the filter of the language it stands in; what the language cannot write is an error.

use std::sync::LazyLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};
use serde::Serialize;

use super::RenderError;
use crate::escape::{Inexpressible, go_template, sh, systemd};

/// Every template by name: its path below `templates/`.
const TEMPLATES: &[(&str, &str)] = &[
    ("chezmoi/README.md", include_str!("../../templates/chezmoi/README.md")),
    ("chezmoi/chezmoi.toml.tmpl", include_str!("../../templates/chezmoi/chezmoi.toml.tmpl")),
    ("chezmoi/chezmoiignore", include_str!("../../templates/chezmoi/chezmoiignore")),
    ("chezmoi/mise.toml.tmpl", include_str!("../../templates/chezmoi/mise.toml.tmpl")),
    ("chezmoi/node.env.tmpl", include_str!("../../templates/chezmoi/node.env.tmpl")),
    ("k3s/apply-node-metadata.sh", include_str!("../../templates/k3s/apply-node-metadata.sh")),
    ("k3s/join.sh", include_str!("../../templates/k3s/join.sh")),
    ("k3s/k3s.service", include_str!("../../templates/k3s/k3s.service")),
    ("k3s/rootstock-asleep.service", include_str!("../../templates/k3s/rootstock-asleep.service")),
    ("k3s/rootstock-awake.service", include_str!("../../templates/k3s/rootstock-awake.service")),
    ("k3s/sleep-cordon.sh", include_str!("../../templates/k3s/sleep-cordon.sh")),
    ("kubernetes/apply.sh", include_str!("../../templates/kubernetes/apply.sh")),
    ("mounts/gate.conf", include_str!("../../templates/mounts/gate.conf")),
    ("mounts/rootstock-mounts.service", include_str!("../../templates/mounts/rootstock-mounts.service")),
    ("mounts/share.automount", include_str!("../../templates/mounts/share.automount")),
    ("mounts/share.mount", include_str!("../../templates/mounts/share.mount")),
    ("seed/first-boot.sh", include_str!("../../templates/seed/first-boot.sh")),
    ("seed/firstrun.sh", include_str!("../../templates/seed/firstrun.sh")),
    ("single_host/compose.service", include_str!("../../templates/single_host/compose.service")),
    ("single_host/migrate.sh", include_str!("../../templates/single_host/migrate.sh")),
    ("single_host/part.container", include_str!("../../templates/single_host/part.container")),
    ("single_host/service.network", include_str!("../../templates/single_host/service.network")),
];

/// Escaping at the hole, by the name templates use.
const FILTERS: &[(&str, Filter)] = &[
    ("sh", sh::word),
    ("plain", sh::plain),
    ("message", sh::message),
    ("go_text", go_template::text),
    ("go_string", go_template::string),
    ("systemd_line", systemd::line),
    ("systemd_path", systemd::listed_path),
    ("systemd_argument", systemd::argument),
];

/// A function of `escape`.
type Filter = fn(&str) -> Result<String, Inexpressible>;

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(environment);

/// Renders the template `name` with `context`.
///
/// # Errors
/// If there is no such template, a variable is missing, a value does not fit its hole, or the text breaks the rules
/// of generated files (LF, newline at the end, ASCII in scripts).
pub fn render<T: Serialize>(name: &'static str, context: &T) -> Result<String, RenderError> {
    let failed = |source: Error| RenderError::Template { template: name, source: Box::new(source) };
    let text = ENVIRONMENT
        .get_template(name)
        .and_then(|template| template.render(Serde(context)))
        .map_err(failed)?;
    match fault(name, &text) {
        Some(why) => Err(RenderError::BadText { template: name, why }),
        None => Ok(text),
    }
}

/// The rule `text` breaks, if it breaks one.
fn fault(name: &str, text: &str) -> Option<&'static str> {
    if !text.ends_with('\n') {
        Some("does not end in a newline")
    } else if text.contains('\r') {
        Some("holds a carriage return")
    } else if name.ends_with(".sh") && !text.is_ascii() {
        Some("is a script and holds more than ASCII (FIELD X12)")
    } else {
        None
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder()
        .block_delimiters("{{%", "%}}")
        .variable_delimiters("{{{", "}}}")
        .comment_delimiters("{{#", "#}}")
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()
        .expect("the three pairs of delimiters differ");
    environment.set_syntax(syntax);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    for (name, filter) in FILTERS {
        environment.add_filter(*name, move |value: Value| escaped(&value, *filter));
    }
    for (name, source) in TEMPLATES {
        environment.add_template(name, source).expect("a test compiles every template");
    }
    environment
}

/// `value` through `filter`; numbers and texts only, so nothing enters a file by its debug form.
fn escaped(value: &Value, filter: Filter) -> Result<String, Error> {
    let text = if value.is_number() {
        value.to_string()
    } else {
        let text = value.as_str();
        text.ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "only texts and numbers fit a hole"))?
            .to_owned()
    };
    filter(&text).map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_compiles_and_every_hole_names_its_language() {
        for (name, source) in TEMPLATES {
            assert!(ENVIRONMENT.get_template(name).is_ok(), "{name}");
            for hole in source.split("{{{").skip(1) {
                let hole = hole.split("}}}").next().unwrap();
                let filter = hole.rsplit('|').next().unwrap().trim();
                assert!(hole.contains('|'), "{name}: {{{{{{{hole}}}}}}} has no filter");
                assert!(FILTERS.iter().any(|(known, _)| *known == filter), "{name}: unknown filter {filter}");
            }
        }
    }

    fn rendered(source: &str, value: &str) -> Result<String, Error> {
        environment().render_str(source, Serde(&std::collections::BTreeMap::from([("x", value)])))
    }

    #[test]
    fn shell_and_go_templates_pass_through() {
        let source = "${x} $((1+1)) {{ .chezmoi.os }} {{- end -}} {# no #}\n{{% if true %}}\n{{{ x|sh }}}\n{{% endif %}}\n";
        assert_eq!(
            rendered(source, "it's").unwrap(),
            "${x} $((1+1)) {{ .chezmoi.os }} {{- end -}} {# no #}\n'it'\\''s'\n"
        );
    }

    #[test]
    fn missing_variables_and_unfit_values_are_errors_that_keep_their_context_to_themselves() {
        let missing = rendered("{{{ y|sh }}}", "hunter2").unwrap_err();
        assert!(!format!("{missing:?} {missing:#}").contains("hunter2"));
        assert!(rendered("{{{ x|plain }}}", "a b").unwrap_err().to_string().contains("without quotes"));
    }

    #[test]
    fn texts_keep_the_rules_of_generated_files() {
        assert!(fault("a.sh", "x").unwrap().contains("newline"));
        assert!(fault("a.sh", "x\r\n").unwrap().contains("carriage"));
        assert!(fault("a.sh", "é\n").unwrap().contains("ASCII"));
        assert_eq!(fault("a.txt", "é\n"), None);
    }
}
