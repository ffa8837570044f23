//! The second `build-images`, with nothing changed, against the limit of DESIGN 8.
//!
//! In: this repository's profiles. Out: the time of a whole process that finds everything up to date, and of the first
//! run before it, which had everything to make but the node's program.

use std::path::Path;

use anyhow::Context as _;
use host::process::Invocation;

use super::{Row, Way, in_turns};
use crate::repository;

/// Seconds a run may take that has nothing to do.
const LIMIT_SECS: f64 = 0.3;

/// Times the run that does nothing.
pub(super) fn compare(rounds: u32) -> anyhow::Result<Vec<Row>> {
    let folder = tempfile::tempdir().context("create a temporary folder")?;
    let root = repository::root().map_err(|failure| failure.error)?;
    let program = std::env::current_exe().context("find this program")?;
    let build = |out: &Path| {
        let call = Invocation::new(&program).args(["build-images", "--engine", "embedded", "--out"]).arg(out);
        let call = call.folder(&root).timeout(std::time::Duration::from_secs(1800));
        call.run()?;
        anyhow::Ok(())
    };
    let out = folder.path().join("dist");
    let start = std::time::Instant::now();
    build(&out)?;
    let first = start.elapsed().as_secs_f64();
    let mut ways = [Way { name: "build-images, nothing changed", work: Box::new(|| build(&out)) }];
    let seconds = in_turns(rounds, &mut ways)?[0];
    let row = |way: &str, seconds: f64, aim: Option<f64>, note: &str| Row {
        input: "three clusters".to_owned(),
        way: way.to_owned(),
        seconds: Some(seconds),
        ratio: aim.map(|_| seconds / LIMIT_SECS),
        aim,
        note: note.to_owned(),
    };
    Ok(vec![
        row("build-images, first", first, None, "artifacts cached or deferred"),
        row("build-images, nothing changed", seconds, Some(1.0), "ratio to the limit of 0.3 s"),
    ])
}
