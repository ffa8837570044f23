//! The report as one HTML page, with a picture of each boot. In: a report. Out: text that needs nothing besides itself.

use super::rehearsal::{Rehearsal, Timeline, Unit};
use super::{END, Report, seconds};
use crate::rings::Tally;
use std::fmt::Write as _;

/// The picture's measures, in its own units.
const ROW: u64 = 18;
const WIDTH: u64 = 1100;
/// How much of the width the names take.
const NAMES: u64 = 320;

/// The page.
pub(super) fn html(report: &Report) -> String {
    let mut body = String::new();
    report.rehearsals.iter().for_each(|one| card(&mut body, one));
    if !report.rings.is_empty() {
        body.push_str("<h2>Rings</h2>");
    }
    report.rings.iter().for_each(|tally| ring(&mut body, tally));
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Validation</title><style>{STYLE}</style>\
         <h1>Validation</h1><p>{}</p>{body}</html>\n",
        escaped(&report.summary)
    )
}

/// A card: every look, then a picture a boot.
fn card(body: &mut String, one: &Rehearsal) {
    let verdict = if one.held() { "everything held" } else { "something did not hold" };
    let _ = write!(body, "<h2>{} <small>{}, {verdict}</small></h2><table>", escaped(&one.node), one.arch);
    for look in &one.looks {
        let (class, why) = look.why.as_deref().map_or(("holds", ""), |why| ("fails", why));
        let _ = write!(
            body,
            "<tr class={class}><td>boot {}<td>{} s<td>{}<td><pre>{}</pre>",
            look.boot,
            seconds(look.milliseconds * 1000),
            escaped(&look.what),
            escaped(why)
        );
    }
    body.push_str("</table>");
    for (number, boot) in (1..).zip(&one.boots) {
        let _ = write!(body, "<h3>Boot {number}</h3>{}", picture(boot));
    }
}

/// A ring: how many held, and each that did not, with why.
fn ring(body: &mut String, tally: &Tally) {
    let (passed, seconds) = (tally.passed, tally.seconds);
    let _ = write!(body, "<h3>{} <small>{passed} passed, {seconds:.1} s</small></h3><table>", tally.ring);
    let failed = tally.failed.iter().map(|note| ("fails", "failed", note));
    for (class, how, note) in failed.chain(tally.skipped.iter().map(|note| ("skipped", "skipped", note))) {
        let (name, why) = (escaped(&note.name), escaped(&note.why));
        let _ = write!(body, "<tr class={class}><td>{how}<td><td>{name}<td><pre>{why}</pre>");
    }
    body.push_str("</table>");
}

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1b1f24;background:#fff}\
    h2 small{font-weight:normal;color:#59636e}table{border-collapse:collapse}td{padding:.15rem .8rem .15rem 0;vertical-align:top}\
    td:nth-child(2){text-align:right;font-variant-numeric:tabular-nums}.fails td{color:#b42318}pre{margin:0;white-space:pre-wrap}\
    svg{width:100%;height:auto}svg text{font:11px system-ui,sans-serif;fill:#1b1f24}.grid{stroke:#d8dee4}.bar{fill:#5b8db8}\
    .chain{fill:#c4622d}.why{fill:#59636e}";

/// A bar a unit, in the order they began; those that held up the end are of another colour.
fn picture(boot: &Timeline) -> String {
    let chain = boot.chain(END);
    let units: Vec<&Unit> = boot.long().collect();
    let end = boot.units.iter().map(|unit| unit.ready).max().unwrap_or(1).max(1);
    let across = |time: u64| NAMES + time * (WIDTH - NAMES - 10) / end;
    let height = (units.len() as u64 + 2) * ROW;
    let mut svg =
        format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=img><title>Who waited for what</title>");
    let step = [1, 2, 5, 10, 20, 50, 100, 200, 500].into_iter().find(|step| end / (step * 1_000_000) <= 12);
    let step = step.unwrap_or(1000) * 1_000_000;
    for time in (0..=end / step).map(|count| count * step) {
        let x = across(time);
        let _ = write!(
            svg,
            "<path class=grid d=\"M{x} {ROW}V{height}\"/><text x={x} y=12>{} s</text>",
            time / 1_000_000
        );
    }
    for (row, unit) in (1..).zip(&units) {
        let (y, x) = (row * ROW, across(unit.from));
        let width = across(unit.ready).saturating_sub(x).max(2);
        let class = if chain.iter().any(|one| one.name == unit.name) { "chain" } else { "bar" };
        let waited = unit.waited_for.as_deref().map_or(String::new(), |name| format!(", after {name}"));
        let label = format!("{} s{waited}", seconds(unit.ready - unit.from));
        let middle = y + ROW - 5;
        let _ = write!(
            svg,
            "<text x={} y={middle} text-anchor=end>{}</text><rect class={class} x={x} y={} width={width} height={}><title>{}</title></rect>",
            NAMES - 8,
            escaped(&unit.name),
            y + 3,
            ROW - 6,
            escaped(&label)
        );
        // Beside the bar, on the side where there is room.
        let (at, anchor) = if x + width < WIDTH * 2 / 3 { (x + width + 5, "start") } else { (x - 5, "end") };
        let _ =
            write!(svg, "<text class=why x={at} y={middle} text-anchor={anchor}>{}</text>", escaped(&label));
    }
    svg + "</svg>"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
