//! systemd units and Quadlets.
//!
//! In: the text. Out: its settings, or the line that is none; findings on mounts, on waiting and, of Quadlets, on what they run.

use std::ops::Range;

use super::File;
use super::bind::{Bind, Owner};
use super::facts::Facts;
use super::report::Report;
use crate::finding::rules::foreign as rule;
use crate::lint::service::{is_database, within};

/// `Key=value` in a section; the value as it is written, over all of its lines.
#[derive(Debug)]
pub(crate) struct Setting<'a> {
    section: &'a str,
    key: &'a str,
    value: &'a str,
    span: Range<usize>,
}

pub(crate) fn read<'a>(text: &'a str, report: &mut Report<'_>) -> Option<Vec<Setting<'a>>> {
    let (mut settings, mut section, mut start, mut is_good) = (Vec::new(), "", 0, true);
    while start < text.len() {
        let mut end = line_end(text, start);
        let line = text[start..end].trim();
        let comment = line.is_empty() || line.starts_with(['#', ';']);
        while !comment && text[start..end].trim_end().ends_with('\\') && end < text.len() {
            end = line_end(text, end);
        }
        let span = start..start + text[start..end].trim_end().len();
        let line = &text[span.clone()];
        start = end;
        if comment {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
        } else if let Some((key, value)) = line.split_once('=').filter(|_| !section.is_empty()) {
            settings.push(Setting { section, key: key.trim(), value: value.trim(), span });
        } else {
            let message = "a line is [Section], Key=value, or a comment; a setting stands in a section";
            report.at(&rule::NOT_ITS_KIND, span, message);
            is_good = false;
        }
    }
    is_good.then_some(settings)
}

/// Behind the line's end.
fn line_end(text: &str, start: usize) -> usize {
    text[start..].find('\n').map_or(text.len(), |at| start + at + 1)
}

pub(crate) fn judge(file: &File<'_>, settings: &[Setting<'_>], facts: &Facts<'_>, report: &mut Report<'_>) {
    mounts(file, settings, facts, report);
    waiting(settings, report);
    quadlet(file, settings, facts, report);
}

fn of<'a, 'b>(settings: &'b [Setting<'a>], key: &'b str) -> impl Iterator<Item = &'b Setting<'a>> {
    settings.iter().filter(move |setting| setting.key == key && !setting.value.is_empty())
}

fn mounts(file: &File<'_>, settings: &[Setting<'_>], facts: &Facts<'_>, report: &mut Report<'_>) {
    // default.target is no mark of a user's unit: Quadlets of root name it as well.
    let folder = format!("/{}", file.below());
    let is_users = ["/user/", "/.config/", "/dot_config/"].iter().any(|part| folder.contains(part));
    let proven = of(settings, "ConditionPathIsMountPoint").next().is_some()
        || of(settings, "AssertPathIsMountPoint").next().is_some()
        || of(settings, "ExecStartPre").any(|setting| {
            ["mountpoint", "findmnt", "wait-mount"].iter().any(|word| setting.value.contains(word))
        });
    for required in of(settings, "RequiresMountsFor") {
        if is_users {
            let message = "a user's manager has no mounts to require";
            report.at(&rule::USER_UNIT_MOUNTS, required.span.clone(), message);
        }
        let unknown = required.value.split_whitespace().find(|path| !has_mount(path, facts));
        if let Some(path) = unknown
            && !proven
        {
            let message = format!("no share and no mount unit is at `{path}`, so `/` will do");
            report.at(&rule::MOUNT_NOT_PROVEN, required.span.clone(), message);
        }
    }
}

/// Whether a mount of the cluster's is at the path or above it.
fn has_mount(path: &str, facts: &Facts<'_>) -> bool {
    let shared = facts.model.shares.values().any(|share| {
        share.clients.values().any(|point| within(path, point))
            || (share.device.is_some() && within(path, share.path.as_str()))
    });
    let unit = |file: &File<'_>| match &file.content {
        super::Content::Unit(settings) => {
            of(settings, "Where").any(|setting| setting.section == "Mount" && within(path, setting.value))
        }
        _ => false,
    };
    shared || facts.files.iter().any(unit)
}

/// A loop in ExecStartPre waits as often as it counts, as long as it sleeps.
fn waiting(settings: &[Setting<'_>], report: &mut Report<'_>) {
    let oneshot = of(settings, "Type").any(|setting| setting.value == "oneshot");
    let limit = of(settings, "TimeoutStartSec").chain(of(settings, "TimeoutSec")).next();
    let limit = match limit {
        Some(setting) => seconds(setting.value),
        None if oneshot => None,
        None => Some(90),
    };
    let Some(limit) = limit else { return };
    let mut waited = 0;
    for wait in of(settings, "ExecStartPre") {
        let (Some(times), Some(pause)) = (count(wait.value), number_after(wait.value, "sleep ")) else {
            continue;
        };
        waited += times.saturating_mul(pause);
        if waited > limit {
            let message = format!("this waits {waited} s, and systemd {limit} s");
            report.at(&rule::WAIT_BEYOND_TIMEOUT, wait.span.clone(), message);
        }
    }
}

/// How often a shell's loop runs: `seq 30`, `seq 1 30`, `{1..30}`, `-lt 30`, `-le 30`.
fn count(script: &str) -> Option<u64> {
    let last = |mark: &str| {
        let (_, rest) = script.split_once(mark)?;
        let words = rest.split(|letter: char| !letter.is_ascii_digit() && letter != ' ').next()?;
        words.split_whitespace().last()?.parse().ok()
    };
    last("seq ").or_else(|| last("{1..")).or_else(|| last("-lt ")).or_else(|| last("-le "))
}

fn number_after(script: &str, mark: &str) -> Option<u64> {
    let (_, rest) = script.split_once(mark)?;
    rest.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

/// A time as systemd writes it; none is without end.
fn seconds(text: &str) -> Option<u64> {
    let mut sum = 0;
    for part in text.split_whitespace() {
        let digits = part.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
        let factor = match &part[digits.len()..] {
            "h" | "hr" => 3600,
            "m" | "min" => 60,
            _ => 1,
        };
        sum += digits.parse::<u64>().ok()?.saturating_mul(factor);
    }
    (sum > 0).then_some(sum)
}

fn quadlet(file: &File<'_>, settings: &[Setting<'_>], facts: &Facts<'_>, report: &mut Report<'_>) {
    let image = of(settings, "Image").find(|setting| setting.section == "Container");
    // One that ends so is another Quadlet, which has the image.
    if let Some(image) =
        image.filter(|image| !image.value.ends_with(".image") && !image.value.ends_with(".build"))
    {
        report.image(image.value, &image.span);
    }
    let database = image.is_some_and(|image| is_database(image.value));
    for volume in of(settings, "Volume").filter(|setting| setting.section == "Container") {
        if let Some(bind) = Bind::short(volume.value, &volume.span) {
            bind.judge(&Owner { service: file.service(), database }, facts, report);
        }
    }
}
