//! `image`: nodes' cards as files, each that node and no other.
//!
//! In: nodes, what `build-images` made for them, a base of the catalogue or a file. Out: `dist/<cluster>.cards/<node>.img`,
//! with holes where nothing is, written and read back as a medium would be; nothing at all if one of them can't be made.

use crate::cards::{choice, outcome};
use crate::common::Common;
use crate::exit::{Code, Failure, Outcome};
use crate::fleet::desk::{Desk, style};
use crate::seeding::{Card, Maker, Options};
use crate::verbs::build_images::current;
use anyhow::Context as _;
use clap::Args;
use desired::NodeName;
use host::disk::base::Base;
use host::disk::medium::Medium;
use host::disk::write::{self, Target, WriteError, Written};
use host::stage::{OutputFolder, Stage, StageError};
use std::io::Write as _;
use std::path::PathBuf;

/// Arguments of `image`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Nodes, or `all`; with the name of their cluster where that is not clear
    #[arg(required = true, value_name = "NODE|all|CLUSTER")]
    nodes: Vec<String>,
    /// The vendor's image, raw or packed by xz, zstd or gzip, instead of the catalogue's
    #[arg(long, value_name = "FILE")]
    base: Option<PathBuf>,
    #[command(flatten)]
    card: Options,
    /// Where `build-images` put its output, and cards are put
    #[arg(long, default_value = "dist")]
    out: PathBuf,
}

/// A card as a file.
struct Made {
    node: NodeName,
    path: PathBuf,
    card: Card,
}

/// Makes the cards.
pub fn run(common: &Common, arguments: &Arguments) -> Outcome {
    let (desk, mut nodes) = Desk::open(common, &arguments.nodes, 1, style(common))?;
    if arguments.nodes.iter().any(|word| word == "all") {
        // Who asks for all means those that can have one.
        nodes.retain(|name| desk.node(name).board.is_some());
        if nodes.is_empty() {
            let why = format!(
                "no node of {} boots from a card: write board = \"rpi-5\" or \"uefi\" for those that do",
                desk.model.name
            );
            return Err(Failure::new(Code::InvalidProfile, why));
        }
    }
    let built = current::built(common, &arguments.out, &desk.model)?;
    let chosen = choice::each(common, arguments.base.as_deref(), &desk, &nodes)?;
    let maker = Maker { model: &desk.model, built: &built, options: &arguments.card };
    // Beside what was built, which is whole and stays so; no cluster's name has a dot.
    let folder = arguments.out.join(format!("{}.cards", desk.model.name));
    // Every card of every base, before the first is written.
    let mut groups = Vec::new();
    for (chosen, nodes) in &chosen {
        let base = choice::open(chosen, &desk.report)?;
        let ground = choice::ground(chosen, &base);
        let made = nodes.iter().map(|node| {
            let card = maker.card(desk.node(node), &ground)?;
            Ok(Made { node: node.clone(), path: folder.join(format!("{node}.img")), card })
        });
        let made = made.collect::<Result<Vec<_>, Failure>>()?;
        groups.push((base, made));
    }
    let failed = |error: StageError| {
        let code = if matches!(error, StageError::Busy(_)) { Code::Refused } else { Code::Unexpected };
        Failure { code, error: error.into() }
    };
    let output = OutputFolder::open(&arguments.out).map_err(failed)?;
    let stage = output.stage(&format!("{}-cards", desk.model.name)).map_err(failed)?;
    let mut done = Vec::new();
    for (base, made) in groups {
        let results = write(base, &made, &stage, &desk)?;
        done.extend(made.into_iter().zip(results));
    }
    answer(common, &done)
}

/// What the writer says of one card.
type Came = Result<Written, WriteError>;

/// Writes aside and renames, so that a card that is there is a whole one, and nothing is left of one that is not.
fn write(base: Base, made: &[Made], stage: &Stage<'_>, desk: &Desk) -> Result<Vec<Came>, Failure> {
    let aside = |one: &Made| stage.path().join(format!("{}.img", one.node));
    let mut targets = Vec::new();
    for one in made {
        let path = aside(one);
        let medium = Medium::image(&path).with_context(|| format!("make {}", path.display()))?;
        targets.push(Target { name: one.node.to_string(), medium, patch: one.card.patch.clone() });
    }
    let results = write::write(base, targets, &write::Options::default(), &desk.report);
    let whole = made.iter().zip(&results).filter(|(_, (_, result))| result.is_ok());
    let files: Vec<_> = whole.map(|(one, _)| (aside(one), one.path.as_path())).collect();
    stage.put(&files).context("put what was made in its place")?;
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

fn answer(common: &Common, done: &[(Made, Came)]) -> Outcome {
    let (mut text, mut values) = (String::new(), Vec::new());
    for (one, result) in done {
        let passport = &one.card.passport;
        match result {
            Ok(written) => {
                text += &format!(
                    "{}: {} of {} written, {} on {}\n",
                    one.path.display(),
                    written.written,
                    written.size,
                    passport.first_boot,
                    passport.base.name
                );
                values.push(serde_json::json!({
                    "node": one.node, "path": one.path, "passport": passport, "remarks": one.card.remarks,
                    "written": written.written, "size": written.size, "patch": one.card.patch.digest(),
                }));
            }
            Err(error) => {
                let why = outcome::causes(error);
                text += &format!("{}: FAILED: {why}\n", one.node);
                values.push(serde_json::json!({ "node": one.node, "error": why }));
            }
        }
        one.card.remarks.iter().for_each(|remark| text += &format!("  note: {remark}\n"));
    }
    if common.json {
        let document = serde_json::json!({ "version": 1, "cards": values });
        text = serde_json::to_string_pretty(&document).context("write JSON")? + "\n";
    }
    anstream::stdout().lock().write_all(text.as_bytes()).context("write the answer")?;
    Ok(outcome::code_of(done.iter().filter_map(|(_, came)| came.as_ref().err())))
}
