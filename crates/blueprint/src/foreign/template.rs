//! chezmoi's templates.
//!
//! In: the text, whatever it becomes. Out: findings on its `{{ … }}`, and on images that stand beside them.

use super::report::{Report, lines};
use crate::finding::rules::foreign as rule;

pub(crate) fn judge(text: &str, report: &mut Report<'_>) {
    defaults(text, report);
    for (span, line) in lines(text) {
        if let Some(image) = line.trim_start_matches("- ").strip_prefix("image:") {
            report.image(image.trim(), &span);
        }
    }
}

/// `.a.b | default` fails on the missing key that it is written for.
pub(crate) fn defaults(text: &str, report: &mut Report<'_>) {
    for (open, _) in text.match_indices("{{") {
        let Some(length) = text[open..].find("}}") else { return };
        let inner = text[open + 2..open + length].trim_matches(['-', ' ']);
        let Some((path, filter)) = inner.split_once('|') else { continue };
        if path.trim().starts_with('.') && filter.trim_start().starts_with("default ") {
            let message = format!("`{}` is an error where the key is missing", path.trim());
            report.at(&rule::TEMPLATE_DEFAULT, open..open + length + 2, message);
        }
    }
}
