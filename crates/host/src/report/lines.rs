//! Events as lines: for people without a terminal, and for programs.

use std::io::Write;

use desired::ByteSize;

use super::{Event, Kind};

/// The version of the JSON lines; raised when a field changes its meaning or goes away.
const VERSION: u32 = 1;

/// The plain line of an event. A reader that went away is no reason to stop working, so writing never fails.
pub(super) fn plain(event: &Event, out: &mut impl Write) {
    drop(writeln!(out, "{}", sentence(event)));
}

pub(super) fn json(event: &Event, out: &mut impl Write) {
    #[derive(serde::Serialize)]
    struct Line<'a> {
        version: u32,
        #[serde(flatten)]
        event: &'a Event,
    }
    if let Ok(text) = serde_json::to_string(&Line { version: VERSION, event }) {
        drop(writeln!(out, "{text}"));
    }
}

pub(super) fn sentence(event: &Event) -> String {
    match event {
        Event::Started { kind, label, total, .. } => {
            let total = total.map_or_else(String::new, |total| format!(", {}", amount(*kind, total)));
            format!("{} {label}{total}", kind.as_str())
        }
        Event::Advanced { kind, label, done, total, .. } => {
            let done_text = amount(*kind, *done);
            match total.filter(|total| *total > 0) {
                Some(total) => {
                    let percent = u128::from(*done) * 100 / u128::from(total);
                    format!(
                        "{} {label}: {done_text} of {} ({percent} %)",
                        kind.as_str(),
                        amount(*kind, total)
                    )
                }
                None => format!("{} {label}: {done_text}", kind.as_str()),
            }
        }
        Event::Stepped { kind, label, step, .. } => format!("{} {label}: {step}", kind.as_str()),
        Event::Finished { kind, label, millis, note, .. } => {
            let note = if note.is_empty() { String::new() } else { format!(", {note}") };
            format!("{} {label}: done in {}{note}", kind.as_str(), duration(*millis))
        }
        Event::Failed { kind, label, why, .. } => format!("{} {label}: failed, {why}", kind.as_str()),
        Event::Said { line } => line.clone(),
    }
}

fn amount(kind: Kind, amount: u64) -> String {
    if kind.counts_bytes() { ByteSize(amount).to_string() } else { amount.to_string() }
}

fn duration(millis: u64) -> String {
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        _ => format!("{} min {} s", millis / 60_000, millis % 60_000 / 1_000),
    }
}
