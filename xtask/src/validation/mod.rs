//! What real consumers said, written down: lines for people, JSON for programs, one HTML page.
//!
//! In: the tallies of rings, and the [`rehearsal`]s of cards that booted. Out: [`Report`], and the three files it is written to.
//! [`page`] is the page, with a picture of each boot.

mod page;
pub mod rehearsal;

use crate::rings::{self, Tally};
use rehearsal::Rehearsal;
use serde::Serialize;
use std::fmt::Write as _;

/// What the chain of waiting is told for: the end of every boot.
const END: &str = "multi-user.target";

/// What came of it all.
#[derive(Debug, Serialize)]
pub struct Report {
    version: u32,
    rings: Vec<Tally>,
    rehearsals: Vec<Rehearsal>,
    summary: String,
}

impl Report {
    /// Of these rings and cards.
    pub fn new(rings: Vec<Tally>, rehearsals: Vec<Rehearsal>) -> Self {
        Self { version: 1, summary: rings::last_line(&rings), rings, rehearsals }
    }

    /// The rings in which something did not hold.
    pub fn failed(&self) -> Vec<&str> {
        self.rings.iter().filter(|tally| !tally.failed.is_empty()).map(|tally| tally.ring).collect()
    }

    /// How many trials could not run for want of something.
    pub fn unasked(&self) -> usize {
        self.rings.iter().map(|tally| tally.skipped.len()).sum()
    }

    /// As lines: the cards, then the rings and the line that other programs read.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for one in &self.rehearsals {
            let _ = writeln!(text, "{} ({})", one.node, one.arch);
            for look in &one.looks {
                let (mark, why) = match &look.why {
                    None => ("holds", String::new()),
                    Some(why) => ("FAILS", format!(": {}", why.replace('\n', "\n        "))),
                };
                let seconds = seconds(look.milliseconds * 1000);
                let _ = writeln!(text, "  {mark}  boot {}  {seconds:>7} s  {}{why}", look.boot, look.what);
            }
            for (number, boot) in (1..).zip(&one.boots) {
                let _ = writeln!(text, "  boot {number}, who waited for what until {END}:");
                for unit in boot.chain(END).into_iter().rev() {
                    let (from, took) = (seconds(unit.from), seconds(unit.ready - unit.from));
                    let _ = writeln!(text, "    at {from:>7} s, {took:>7} s  {}", unit.name);
                }
            }
            text.push('\n');
        }
        text + &rings::closing(&self.rings)
    }

    /// As versioned JSON.
    ///
    /// # Errors
    /// Never for what a report holds.
    pub fn json(&self) -> anyhow::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// As one page that needs nothing besides itself, and says nothing that the JSON does not.
    pub fn html(&self) -> String {
        page::html(self)
    }
}

/// Microseconds as seconds with one place.
fn seconds(microseconds: u64) -> String {
    format!("{}.{}", microseconds / 1_000_000, microseconds / 100_000 % 10)
}

#[cfg(test)]
mod tests {
    use super::rehearsal::{Look, Timeline, Unit};
    use super::*;
    use crate::rings::Ring;

    fn report() -> Report {
        let units = vec![
            Unit::new("slow<&.service", 1_000_000, 9_000_000, None),
            Unit::new(END, 9_100_000, 9_100_000, Some("slow<&.service")),
        ];
        let failed = Some("nobody <can>\nlog in".to_owned());
        let looks = vec![Look { boot: 1, what: "it boots".to_owned(), why: failed, milliseconds: 61_250 }];
        let boots = vec![Timeline { units }];
        let rehearsal = Rehearsal { node: "card".to_owned(), arch: desired::Arch::Amd64, looks, boots };
        let mut tally = Tally::new(Ring::Vm);
        tally.fail("vm::card", "nobody <can>\nlog in");
        tally.skip("vm::board", "no QEMU");
        Report::new(vec![tally], vec![rehearsal])
    }

    #[test]
    fn every_form_says_what_failed_and_who_waited() {
        let report = report();
        assert_eq!((report.failed(), report.unasked()), (vec!["vm"], 1));
        let (text, json, html) = (report.text(), report.json().unwrap(), report.html());
        assert!(text.contains("FAILS  boot 1     61.2 s  it boots: nobody <can>\n        log in"), "{text}");
        assert!(text.contains("at     1.0 s,     8.0 s  slow<&.service"), "{text}");
        assert_eq!(text.lines().last(), Some("0 passed, 1 failed, 1 skipped"));
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["rehearsals"][0]["looks"][0]["why"], "nobody <can>\nlog in");
        assert_eq!(value["rehearsals"][0]["boots"][0]["units"][1]["waited_for"], "slow<&.service");
        assert_eq!(value["rings"][0]["failed"][0]["name"], "vm::card");
        assert!(html.contains("nobody &lt;can&gt;") && !html.contains("<can>"), "{html}");
        assert!(html.contains("class=chain") && html.contains("slow&lt;&amp;.service"), "{html}");
        assert!(html.contains("0 passed, 1 failed, 1 skipped") && html.contains("vm::card"), "{html}");
    }
}
