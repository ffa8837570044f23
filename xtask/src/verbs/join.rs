//! `join`: machines become the nodes their cluster describes, over the user's own ssh.
//!
//! In: nodes, and what `build-images` made for them. Out: each machine reached, its bundle brought there once, joined and
//! followed; servers first, then agents side by side with tokens of an hour; a table, and 0 only if all are converged.

use crate::common::Common;
use crate::exit::Outcome;
use crate::fleet::desk::{Desk, style};
use crate::fleet::join::Joining;
use crate::fleet::metadata::Metadata;
use crate::fleet::outcome;
use crate::verbs::build_images::current;
use anyhow::Context as _;
use clap::Args;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Mutex;

/// Arguments of `join`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Nodes, or `all`; with the name of their cluster where that is not clear
    #[arg(required = true, value_name = "NODE|all|CLUSTER")]
    nodes: Vec<String>,
    /// At most so many machines at the same time
    #[arg(long, value_name = "N", default_value_t = 8)]
    parallel: usize,
    /// Where a node's k3s changes, empty it of pods first; one machine after the other
    #[arg(long)]
    drain: bool,
    /// Where `build-images` put its output
    #[arg(long, default_value = "dist")]
    out: PathBuf,
}

/// Joins, and closes with the table.
pub fn run(common: &Common, arguments: &Arguments) -> Outcome {
    let (desk, nodes) = Desk::open(common, &arguments.nodes, arguments.parallel, style(common))?;
    let built = current::built(common, &arguments.out, &desk.model)?;
    let metadata = Metadata::read(&built)?;
    let turn = Mutex::new(());
    let drain = arguments.drain.then_some(&turn);
    let ended = Joining { desk: &desk, built: &built, metadata: &metadata, drain }.all(&nodes);
    let text = if common.json {
        format!("{:#}\n", outcome::json(desk.model.name.as_str(), &ended))
    } else {
        outcome::text(&ended)
    };
    anstream::stdout().lock().write_all(text.as_bytes()).context("write the answer")?;
    Ok(outcome::code(&ended))
}
