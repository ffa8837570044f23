//! Findings for people: the line, a caret, what is wrong and what to write; and for machines: one JSON object.
//!
//! In: findings and the texts they point into. Out: text in the style of rustc, or a versioned JSON value.

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use blueprint::finding::{Finding, Severity};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

/// Texts by the path findings use.
pub type Texts = BTreeMap<Arc<str>, Arc<str>>;

/// A picture of every finding and a closing line with counts; styled, so write it through `anstream`.
pub fn pictures(findings: &[Finding], texts: &Texts, prefix: &str) -> String {
    let renderer = Renderer::styled();
    let mut text = String::new();
    for finding in findings {
        let groups = [group(finding, texts, prefix)];
        let _ = writeln!(text, "{}\n", renderer.render(&groups));
    }
    text
}

/// `2 errors, 1 warning`.
pub fn counts(findings: &[Finding]) -> String {
    let errors = findings.iter().filter(|finding| finding.is_error()).count();
    let warnings = findings.len() - errors;
    let plural = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    format!("{}, {}", plural(errors, "error"), plural(warnings, "warning"))
}

fn group<'a>(finding: &'a Finding, texts: &'a Texts, prefix: &str) -> Group<'a> {
    let level = match finding.rule.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(finding.message.as_str()).id(finding.rule.code);
    let path = |file: &str| format!("{prefix}{file}");
    let help = Level::HELP.message(finding.help.as_deref().unwrap_or(finding.rule.fix));
    let Some(text) = texts.get(&finding.file).filter(|_| !finding.span.is_empty()) else {
        return title.element(Origin::path(path(&finding.file))).element(help);
    };
    let same: Vec<_> = finding.related.iter().filter(|related| related.file == finding.file).collect();
    let window = window(text, &finding.span, same.iter().map(|related| &related.span));
    let inside = |span: &Range<usize>| span.start - window.start..span.end.min(window.end) - window.start;
    let mut snippet = Snippet::source(&text[window.clone()])
        .line_start(line_of(text, window.start))
        .path(path(&finding.file))
        .annotation(AnnotationKind::Primary.span(inside(&finding.span)));
    for related in same {
        if related.span.start >= window.start && related.span.end <= window.end {
            let annotation =
                AnnotationKind::Context.span(inside(&related.span)).label(related.label.as_str());
            snippet = snippet.annotation(annotation);
        }
    }
    let mut group = title.element(snippet);
    for related in finding.related.iter().filter(|related| related.file != finding.file) {
        if let Some(text) = texts.get(&related.file) {
            let window = self::window(text, &related.span, std::iter::empty());
            let span = related.span.start - window.start..related.span.end.min(window.end) - window.start;
            let snippet = Snippet::source(&text[window.clone()])
                .line_start(line_of(text, window.start))
                .path(path(&related.file))
                .annotation(AnnotationKind::Context.span(span).label(related.label.as_str()));
            group = group.element(snippet);
        }
    }
    group.element(help)
}

/// The whole lines that hold the spans, so that a picture costs the same in a file of any length.
fn window<'a>(text: &str, span: &Range<usize>, more: impl Iterator<Item = &'a Range<usize>>) -> Range<usize> {
    let (start, end) =
        more.fold((span.start, span.end), |(start, end), other| (start.min(other.start), end.max(other.end)));
    let start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[end..].find('\n').map_or(text.len(), |at| end + at);
    start..end
}

fn line_of(text: &str, offset: usize) -> usize {
    text[..offset].bytes().filter(|byte| *byte == b'\n').count() + 1
}

/// Line and column of an offset, both from 1, columns in characters.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let line_start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
    (line_of(text, offset), text[line_start..offset].chars().count() + 1)
}

/// The findings as JSON objects.
pub fn json(findings: &[Finding], texts: &Texts) -> serde_json::Value {
    let place = |file: &Arc<str>, span: &Range<usize>| {
        let text = texts.get(file).filter(|_| !span.is_empty());
        let start = text.map(|text| position(text, span.start));
        let end = text.map(|text| position(text, span.end));
        serde_json::json!({
            "file": &**file,
            "line": start.map(|(line, _)| line),
            "column": start.map(|(_, column)| column),
            "end_line": end.map(|(line, _)| line),
            "end_column": end.map(|(_, column)| column),
        })
    };
    findings
        .iter()
        .map(|finding| {
            serde_json::json!({
                "code": finding.rule.code,
                "rule": finding.rule.slug,
                "severity": finding.rule.severity.as_str(),
                "message": finding.message,
                "help": finding.help.as_deref().unwrap_or(finding.rule.fix),
                "place": place(&finding.file, &finding.span),
                "related": finding.related.iter().map(|related| serde_json::json!({
                    "label": related.label,
                    "place": place(&related.file, &related.span),
                })).collect::<Vec<_>>(),
            })
        })
        .collect()
}
