//! `validate`: real consumers over real output, and a report of what they said.
//!
//! In: which of them. Out: the report on stdout, and `report.txt`, `report.json` and `report.html` in a folder.

use crate::common::Common;
use crate::exit::{Code, Failure, Outcome};
use crate::repository;
use crate::rings::{self, Ring, Settings, Tally};
use crate::validation::{Report, rehearsal};
use anyhow::Context as _;
use clap::{Args, ValueEnum};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Arguments of `validate`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What to ask
    #[arg(value_enum, default_value_t = Consumers::All)]
    consumers: Consumers,
    /// Where the report goes
    #[arg(long, value_name = "DIR", default_value = "dist/validation")]
    out: PathBuf,
}

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Consumers {
    /// Readers of the generated files
    Static,
    /// An engine, a registry, machines with systemd and k3s, all in containers
    Container,
    /// Cards of both architectures, booted twice in QEMU
    Vm,
    /// All of them
    All,
}

/// Runs them from the cheapest on, and writes the report also when something did not hold.
pub fn run(common: &Common, arguments: &Arguments) -> Outcome {
    let root = repository::root()?;
    let seen = tempfile::tempdir().context("make a folder for what trials see")?;
    let rings: &[Ring] = match arguments.consumers {
        Consumers::Static => &[Ring::Static],
        Consumers::Container => &[Ring::Container],
        Consumers::Vm => &[Ring::Vm],
        Consumers::All => &[Ring::Static, Ring::Container, Ring::Vm],
    };
    let one = |ring: &Ring| {
        let is_vm = *ring == Ring::Vm;
        let settings = Settings {
            root: root.clone(),
            // The board of the other architecture is one of the long ones.
            long: is_vm,
            offline: common.offline,
            only: if is_vm { "card::rehearsed" } else { "" },
            rehearsals: Some(seen.path().to_owned()),
        };
        rings::run(*ring, &settings)
    };
    let tallies: Vec<Tally> = rings.iter().map(one).collect();
    let report = Report::new(tallies, rehearsal::read(seen.path())?);
    let (text, json) = (report.text(), report.json()?);
    write(&arguments.out, &[("txt", &text), ("json", &json), ("html", &report.html())])?;
    let answer = if common.json { json } else { text };
    anstream::stdout().lock().write_all(answer.as_bytes()).context("write the answer")?;
    let page = arguments.out.join("report.html");
    // A closed stderr is no reason to fail.
    let _ =
        writeln!(anstream::stderr().lock(), "the report, with a picture of each boot: {}", page.display());
    verdict(&report)
}

fn verdict(report: &Report) -> Outcome {
    match (report.failed().join(", "), report.unasked()) {
        (failed, _) if !failed.is_empty() => {
            Err(Failure::new(Code::ProblemsFound, format!("did not hold: {failed}")))
        }
        (_, 0) => Ok(Code::Done),
        (_, count) => {
            let why = format!(
                "{count} could not be asked here; the report says what is missing and what brings it"
            );
            Err(Failure::new(Code::Missing, why))
        }
    }
}

fn write(folder: &Path, forms: &[(&str, &str)]) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    for (extension, text) in forms {
        let path = folder.join(format!("report.{extension}"));
        std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_asked_is_no_success_and_what_failed_comes_first() {
        let mut tally = Tally::new(Ring::Vm);
        let code = |tally: &Tally| match verdict(&Report::new(vec![tally.clone()], Vec::new())) {
            Ok(code) => code,
            Err(failure) => failure.code,
        };
        assert_eq!(code(&tally), Code::Done);
        tally.skip("vm::card", "no QEMU");
        assert_eq!(code(&tally), Code::Missing);
        tally.fail("vm::card", "it does not boot");
        assert_eq!(code(&tally), Code::ProblemsFound);
    }
}
