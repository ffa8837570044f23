//! `bench`: our speed against what others offer for the same work, as ratios of one run.
//!
//! In: names of comparisons. Out: a table (or `--json`): way, median seconds, ratio to its peer, the aim and whether it is
//! met. Ways take turns, so a busy minute hits all of them; a peer that is missing is said so and never guessed.

mod bundle;
mod flash;
mod images;
mod input;
mod join;
mod noop;
mod render;

use std::io::Write as _;
use std::time::Instant;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::common::Common;
use crate::exit::{Code, Outcome};

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What to compare; all when left out
    #[arg(value_enum)]
    what: Vec<Comparison>,
    /// How often every way is timed; the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: u32,
}

/// The comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Comparison {
    /// Packing a bundle against `tar | pigz`
    Bundle,
    /// Writing cards against `decode | dd` and bmaptool, and eight cards against one
    Flash,
    /// Building an image of both architectures against `docker buildx bake`
    Images,
    /// A second `bootstrap join` against Ansible and mise bootstrap
    Join,
    /// A second build-images with nothing changed
    Noop,
    /// Checking and rendering 1,000 nodes against a template engine alone
    Render,
}

/// One line of the table.
#[derive(Debug, Clone, Serialize)]
struct Row {
    /// What was worked on.
    input: String,
    /// Who worked.
    way: String,
    /// Median seconds; none when it could not be timed.
    seconds: Option<f64>,
    /// Seconds by those of the peer.
    ratio: Option<f64>,
    /// The ratio that DESIGN 8 asks for.
    aim: Option<f64>,
    /// A remark: sizes, or why there is no time.
    note: String,
}

#[derive(Serialize)]
struct Answer<'a> {
    version: u32,
    rounds: u32,
    rows: &'a [Row],
}

/// Runs the comparisons one after the other and prints the table.
pub fn run(common: &Common, arguments: &Arguments) -> Outcome {
    let all = [
        Comparison::Bundle,
        Comparison::Flash,
        Comparison::Images,
        Comparison::Join,
        Comparison::Noop,
        Comparison::Render,
    ];
    let chosen = if arguments.what.is_empty() { &all[..] } else { &arguments.what };
    let mut rows = Vec::new();
    for comparison in chosen {
        rows.extend(match comparison {
            Comparison::Bundle => bundle::compare(arguments.rounds)?,
            Comparison::Flash => flash::compare(arguments.rounds)?,
            Comparison::Images => images::compare(arguments.rounds)?,
            Comparison::Join => join::compare(arguments.rounds)?,
            Comparison::Noop => noop::compare(arguments.rounds)?,
            Comparison::Render => render::compare(arguments.rounds)?,
        });
    }
    let mut stdout = anstream::stdout().lock();
    if common.json {
        let answer = Answer { version: 1, rounds: arguments.rounds, rows: &rows };
        serde_json::to_writer_pretty(&mut stdout, &answer).context("write the answer")?;
        writeln!(stdout).context("write the answer")?;
    } else {
        write!(stdout, "{}", table(&rows)).context("write the table")?;
    }
    Ok(Code::Done)
}

fn table(rows: &[Row]) -> String {
    let width = |text: fn(&Row) -> &str, head: &str| {
        rows.iter().map(|row| text(row).chars().count()).chain([head.len()]).max().unwrap_or(0)
    };
    let (input, way) = (width(|row| &row.input, "input"), width(|row| &row.way, "way"));
    let mut text =
        format!("{:input$}  {:way$}  {:>8}  {:>7}  {:>7}  note\n", "input", "way", "seconds", "ratio", "aim");
    for row in rows {
        let number = |value: Option<f64>, digits: usize| {
            value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
        };
        // A ratio of a thousandth needs more digits to say anything.
        let digits = if row.aim.is_some_and(|aim| aim < 0.01) { 4 } else { 2 };
        let aim = match (row.ratio, row.aim) {
            (Some(ratio), Some(aim)) => format!("{}{aim:.digits$}", if ratio <= aim { "✓ " } else { "✗ " }),
            (None, Some(aim)) => format!("{aim:.digits$}"),
            (_, None) => String::new(),
        };
        text.push_str(&format!(
            "{:input$}  {:way$}  {:>8}  {:>7}  {:>7}  {}\n",
            row.input,
            row.way,
            number(row.seconds, 3),
            number(row.ratio, digits.max(3)),
            aim,
            row.note
        ));
    }
    text
}

/// One way to do the work.
struct Way<'a> {
    name: &'static str,
    work: Box<dyn FnMut() -> anyhow::Result<()> + 'a>,
}

/// Times every way in turns and gives the median seconds of each, in their order. A first turn that is not counted
/// warms the page cache for all alike.
fn in_turns(rounds: u32, ways: &mut [Way<'_>]) -> anyhow::Result<Vec<f64>> {
    let mut times = vec![Vec::new(); ways.len()];
    for round in 0..=rounds {
        for (way, times) in ways.iter_mut().zip(&mut times) {
            let start = Instant::now();
            (way.work)().with_context(|| format!("time {}", way.name))?;
            if round > 0 {
                times.push(start.elapsed().as_secs_f64());
            }
        }
    }
    Ok(times.into_iter().map(median).collect())
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    let middle = times.len() / 2;
    if times.len() % 2 == 1 { times[middle] } else { f64::midpoint(times[middle - 1], times[middle]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_verdicts() {
        assert_eq!(format!("{}", median(vec![3.0, 1.0, 2.0])), "2");
        assert_eq!(format!("{}", median(vec![4.0, 1.0, 2.0, 3.0])), "2.5");
        let row = |ratio, aim| Row {
            input: "x".to_owned(),
            way: "ours".to_owned(),
            seconds: Some(1.0),
            ratio,
            aim,
            note: String::new(),
        };
        let text = table(&[row(Some(0.4), Some(0.5)), row(Some(0.6), Some(0.5)), row(None, None)]);
        assert!(text.contains("✓ 0.50") && text.contains("✗ 0.50") && text.contains('–'), "{text}");
    }

    #[test]
    fn ways_take_turns_and_the_first_is_not_counted() {
        let order = std::cell::RefCell::new(String::new());
        let way = |name: &'static str| Way {
            name,
            work: Box::new(|| {
                order.borrow_mut().push_str(name);
                Ok(())
            }),
        };
        let times = in_turns(2, &mut [way("a"), way("b")]).unwrap();
        assert_eq!((times.len(), order.borrow().as_str()), (2, "ababab"));
    }
}
