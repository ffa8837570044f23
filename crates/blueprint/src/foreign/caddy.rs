//! Caddyfiles.
//!
//! In: the text. Out: findings on blocks that do not close and on sites that are there twice. Words are split as Caddy does:
//! at blanks, with quotes and comments; what a directive means is Caddy's own affair.

use std::collections::BTreeSet;
use std::ops::Range;

use super::report::{Report, lines};
use crate::finding::rules::{foreign as rule, service};

pub(crate) fn judge(text: &str, report: &mut Report<'_>) {
    let mut open: Vec<Range<usize>> = Vec::new();
    let mut sites = BTreeSet::new();
    for (span, line) in lines(text) {
        let words = words(line);
        let opens = words.last().is_some_and(|word| &line[word.clone()] == "{");
        if open.is_empty() && opens {
            for word in &words[..words.len() - 1] {
                let site = line[word.clone()].trim_end_matches(',');
                // A snippet has a name in brackets and is no site.
                if !site.is_empty() && !site.starts_with('(') && !sites.insert(site.to_owned()) {
                    let place = span.start + word.start..span.start + word.start + site.len();
                    report.at(&service::DOMAIN_CONFLICT, place, format!("`{site}` has two blocks"));
                }
            }
        }
        for word in words {
            let place = span.start + word.start..span.start + word.end;
            match &line[word] {
                "{" => open.push(place),
                "}" if open.pop().is_none() => {
                    report.at(&rule::NOT_ITS_KIND, place, "nothing is open that this closes");
                }
                _ => {}
            }
        }
    }
    if let Some(place) = open.pop() {
        report.at(&rule::NOT_ITS_KIND, place, "this block does not close");
    }
}

/// Words of a line up to a comment; a quoted text is one.
fn words(line: &str) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    let (mut quote, mut within) = (None, false);
    for (at, letter) in line.char_indices() {
        match quote {
            Some(mark) if letter == mark => quote = None,
            Some(_) => {}
            None if letter.is_whitespace() => {
                within = false;
                continue;
            }
            None if letter == '#' && !within => break,
            None if matches!(letter, '"' | '`') && !within => quote = Some(letter),
            None => {}
        }
        match words.last_mut() {
            Some(word) if within => word.end = at + letter.len_utf8(),
            _ => words.push(at..at + letter.len_utf8()),
        }
        within = true;
    }
    words
}
