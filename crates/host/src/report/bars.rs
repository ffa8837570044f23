//! Events as bars on a terminal.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::lines::sentence;
use super::{Event, Kind};

/// Adds the bar of a new task below the others.
pub(super) fn add(bars: &MultiProgress, kind: Kind, label: &str, total: Option<u64>) -> ProgressBar {
    let bar = total.map_or_else(ProgressBar::no_length, ProgressBar::new);
    let template = match (total, kind.counts_bytes()) {
        (Some(_), true) => "{prefix:>9} {msg} [{bar:24}] {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        (Some(_), false) => "{prefix:>9} {msg} [{bar:24}] {pos}/{len} {elapsed}",
        (None, true) => "{prefix:>9} {msg} {spinner} {bytes} {bytes_per_sec}",
        (None, false) => "{prefix:>9} {msg} {spinner} {elapsed}",
    };
    let style = ProgressStyle::with_template(template).expect("the four templates above are well formed");
    let bar = bars.add(bar.with_style(style.progress_chars("=> ")));
    bar.set_prefix(kind.as_str());
    bar.set_message(label.to_owned());
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// What a task does now, behind what it works on.
pub(super) fn step(bar: &ProgressBar, label: &str, step: &str) {
    bar.set_message(format!("{label}: {step}"));
}

/// What stays on the screen above the bars: ends and said lines.
pub(super) fn show(bars: &MultiProgress, event: &Event) {
    if matches!(event, Event::Started { .. } | Event::Advanced { .. } | Event::Stepped { .. }) {
        return;
    }
    // A terminal that went away is no reason to stop working.
    drop(bars.println(sentence(event)));
}
