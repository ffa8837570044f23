//! How cards came out: the closing table, the answer as JSON, and a word on those that ^C left unfinished.
//!
//! In: the writer's results. Out: text on stdout and the exit code: 6 where a digest or a read-back did not match, 7 where
//! nothing was written because it made no sense, 1 otherwise.

use crate::common::Common;
use crate::exit::{Code, Outcome};
use crate::seeding::Card;
use crate::table::aligned;
use anyhow::Context as _;
use desired::NodeName;
use host::disk::write::{WriteError, Written};
use host::interrupt::LastWords;
use host::report::Report;
use std::io::Write as _;
use std::time::{Duration, Instant};

/// A card, and what came of writing it.
#[derive(Debug)]
pub struct Row {
    /// The node.
    pub node: NodeName,
    /// The device or file.
    pub target: String,
    /// What it was to become.
    pub card: Card,
    /// What the writer says.
    pub came: Result<Written, WriteError>,
}

/// Says, when ^C comes while cards are written, what they are then; until what is given here is dropped.
pub fn watch(report: &Report) -> LastWords {
    let report = report.clone();
    LastWords::begin(move || {
        report.say("cards that were not finished have no partition table and don't boot; the same command goes on with them");
    })
}

/// The answer and the exit code.
pub fn answer(common: &Common, rows: &[Row], begun: Instant) -> Outcome {
    let text = if common.json {
        let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let values: Vec<_> = rows.iter().map(json).collect();
        format!("{:#}\n", serde_json::json!({ "version": 1, "cards": values, "millis": millis }))
    } else {
        table(rows, begun.elapsed())
    };
    anstream::stdout().lock().write_all(text.as_bytes()).context("write the answer")?;
    Ok(code_of(rows.iter().filter_map(|row| row.came.as_ref().err())))
}

/// The exit code of cards of which these failed: that of the gravest.
pub fn code_of<'a>(failures: impl Iterator<Item = &'a WriteError>) -> Code {
    failures.map(code).max_by_key(rank).unwrap_or(Code::Done)
}

fn code(error: &WriteError) -> Code {
    match (error.is_verification_failure(), error.is_refusal()) {
        (true, _) => Code::VerificationFailed,
        (false, true) => Code::Refused,
        (false, false) => Code::Unexpected,
    }
}

/// Which of several failures is told: a medium or a base that lies is the gravest.
const fn rank(code: &Code) -> u8 {
    match code {
        Code::VerificationFailed => 2,
        Code::Refused => 1,
        _ => 0,
    }
}

fn json(row: &Row) -> serde_json::Value {
    let Row { node, target, card, came } = row;
    match came {
        Ok(written) => serde_json::json!({
            "node": node, "target": target, "size": written.size, "allocated": written.allocated,
            "written": written.written, "equal": written.equal, "resumed": written.resumed,
            "unpack-seconds": written.unpack_seconds, "write-seconds": written.write_seconds,
            "read-back-seconds": written.read_back_seconds,
            "remarks": written.remarks.iter().chain(&card.remarks).collect::<Vec<_>>(),
        }),
        Err(error) => serde_json::json!({ "node": node, "target": target, "error": causes(error) }),
    }
}

/// An error with every reason below it.
pub fn causes(error: &WriteError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}

fn table(rows: &[Row], took: Duration) -> String {
    let cells = |row: &Row| match &row.came {
        Ok(written) => [
            row.node.to_string(),
            "written and read back".to_owned(),
            written.written.to_string(),
            desired::ByteSize(written.equal.0 + written.resumed.0).to_string(),
            written.allocated.to_string(),
            format!("{:.1} s", written.write_seconds + written.unpack_seconds),
            format!("{:.1} s", written.read_back_seconds),
        ],
        Err(_) => [row.node.as_str(), "FAILED", "-", "-", "-", "-", "-"].map(str::to_owned),
    };
    let all: Vec<[String; 7]> = rows.iter().map(cells).collect();
    let mut text = aligned(["node", "card", "written", "saved", "in use", "writing", "reading back"], &all);
    for Row { node, card, came, .. } in rows {
        match came {
            Ok(written) => written.remarks.iter().for_each(|remark| text += &format!("  {node}: {remark}\n")),
            Err(error) => text += &format!("  {node}: {}\n", causes(error)),
        }
        // These name the node themselves.
        card.remarks.iter().for_each(|remark| text += &format!("  {remark}\n"));
    }
    let done = rows.iter().filter(|row| row.came.is_ok()).count();
    text += &format!("{done} of {} cards in {:.1} s\n", rows.len(), took.as_secs_f64());
    if done > 0 {
        // Windows and macOS offer to format what they can't read (FIELD F11).
        text += "a desktop shows only the small boot partition of a card, and may offer to format the rest: don't\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use desired::ByteSize;

    #[test]
    fn a_medium_that_lies_is_told_before_any_other_failure() {
        let size = ByteSize(1 << 20);
        let mismatch = WriteError::Mismatch { offset: 4096 };
        let refused = WriteError::TooLarge { needed: size, size };
        let failed = WriteError::Stuck { seconds: 30 };
        assert_eq!(code_of([].into_iter()), Code::Done);
        assert_eq!(code_of([&failed].into_iter()), Code::Unexpected);
        assert_eq!(code_of([&failed, &refused].into_iter()), Code::Refused);
        assert_eq!(code_of([&mismatch].into_iter()), Code::VerificationFailed);
        // Whichever card it was.
        for order in
            [[&mismatch, &refused, &failed], [&failed, &mismatch, &refused], [&refused, &failed, &mismatch]]
        {
            assert_eq!(code_of(order.into_iter()), Code::VerificationFailed);
        }
        assert!(causes(&mismatch).contains("something else at 4096"), "{}", causes(&mismatch));
    }
}
