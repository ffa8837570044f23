//! `flash`: distinct cards written side by side, each of them that node and no other.
//!
//! In: `NODE=DEVICE…`, what `build-images` made, a base from the catalogue or a file. Out: what will be overwritten, shown and
//! agreed to; then the cards, and a table. Exit 7 before the first byte where any device is refused; one that fails while
//! it is written fails alone.

use crate::cards::targets::{self, Flags, Refused, Target};
use crate::cards::{agreement, choice, outcome};
use crate::common::Common;
use crate::exit::{Code, Failure, Outcome};
use crate::fleet::desk::{Desk, style};
use crate::load;
use crate::seeding::{Card, Maker, Options};
use crate::verbs::build_images::current;
use anyhow::Context as _;
use blueprint::model::Model;
use clap::Args;
use desired::{ByteSize, NodeName};
use host::disk::inventory::Device;
use host::disk::medium::{Medium, MediumError};
use host::disk::write;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

/// Arguments of `flash`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Which device becomes which node's card, best by its name under /dev/disk/by-id
    #[arg(value_name = "NODE=DEVICE")]
    cards: Vec<String>,
    /// A file that plays a device of its length
    #[arg(long, value_name = "NODE=FILE")]
    target_file: Vec<String>,
    /// The cluster, where several have a node of that name
    #[arg(long)]
    cluster: Option<String>,
    /// The vendor's image, raw or packed by xz, zstd or gzip, instead of the catalogue's
    #[arg(long, value_name = "FILE")]
    base: Option<PathBuf>,
    /// Compare every block first, and write only those that differ
    #[arg(long)]
    compare_first: bool,
    /// Show what would be overwritten, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Agree without being asked, by the exact name of each device under /dev/disk/by-id
    #[arg(long, value_name = "BY-ID")]
    yes_i_mean: Vec<String>,
    /// Also write a disk whose medium can't be taken out
    #[arg(long)]
    dangerously_allow_fixed_disk: bool,
    /// Also write what is larger than any card
    #[arg(long)]
    allow_large: bool,
    #[command(flatten)]
    card: Options,
    /// Where `build-images` put its output
    #[arg(long, default_value = "dist")]
    out: PathBuf,
}

/// Writes cards.
pub fn run(common: &Common, arguments: &Arguments) -> Outcome {
    let begun = Instant::now();
    let wanted = targets::parse(&arguments.cards, &arguments.target_file)?;
    let names: Vec<String> = wanted.iter().map(|one| one.node.to_string()).collect();
    let words: Vec<String> = arguments.cluster.iter().cloned().chain(names).collect();
    let (desk, _) = Desk::open(common, &words, 1, style(common))?;
    // Disks and shares of every cluster are kept, not of this one alone.
    let clusters = load::load_valid(common, &[])?;
    let models: Vec<&Model> = clusters.iter().map(|(_, model)| model).collect();
    let protected = targets::protected(&models);
    let flags =
        Flags { allow_fixed: arguments.dangerously_allow_fixed_disk, allow_large: arguments.allow_large };
    // A wrong device is told before anything is fetched or unpacked.
    targets::clear(&wanted, &protected, flags, None)?.map_err(|refused| refusal(common, &refused))?;

    let nodes: Vec<NodeName> = wanted.iter().map(|one| one.node.clone()).collect();
    let chosen = choice::one(common, arguments.base.as_deref(), &desk, &nodes)?;
    let built = current::built(common, &arguments.out, &desk.model)?;
    let base = choice::open(&chosen, &desk.report)?;
    let ground = choice::ground(&chosen, &base);
    let maker = Maker { model: &desk.model, built: &built, options: &arguments.card };
    let mut cards: BTreeMap<NodeName, Card> = BTreeMap::new();
    for one in &wanted {
        cards.insert(one.node.clone(), maker.card(desk.node(&one.node), &ground)?);
    }
    let need = Some(ByteSize(base.least()));
    let targets =
        targets::clear(&wanted, &protected, flags, need)?.map_err(|refused| refusal(common, &refused))?;
    if arguments.dry_run {
        return shown(common, &targets);
    }
    if !common.json {
        desk.report.say(agreement::shown(&targets).trim_end());
    }
    agreement::agree(&targets, &arguments.yes_i_mean, &desk.report)?;
    let media = targets.into_iter().map(opened).collect::<Result<Vec<_>, Failure>>()?;
    let (mut writing, mut planned) = (Vec::new(), Vec::new());
    for (node, medium) in media {
        let card = cards.remove(&node).with_context(|| format!("find the card of {node}"))?;
        let (name, target, patch) = (node.to_string(), medium.name().to_owned(), card.patch.clone());
        writing.push(write::Target { name, medium, patch });
        planned.push((node, target, card));
    }
    let options = write::Options {
        compare_first: arguments.compare_first,
        state: Some(arguments.out.join(".flash")),
        ..write::Options::default()
    };
    let watch = outcome::watch(&desk.report);
    let results = write::write(base, writing, &options, &desk.report);
    drop(watch);
    let row = |((node, target, card), (_, came))| outcome::Row { node, target, card, came };
    let rows: Vec<_> = planned.into_iter().zip(results).map(row).collect();
    outcome::answer(common, &rows, begun)
}

/// A medium of a target that was agreed to; devices are claimed and compared once more.
fn opened(target: Target) -> Result<(NodeName, Medium), Failure> {
    let failed = |is_refusal: bool, error: anyhow::Error| {
        let code = if is_refusal { Code::Refused } else { Code::Missing };
        Failure { code, error }
    };
    let of_medium = |path: String| {
        move |error: MediumError| {
            let is_refusal = error.is_refusal();
            failed(is_refusal, anyhow::Error::new(error).context(format!("open {path}; nothing was written")))
        }
    };
    match target {
        Target::File(node, path) => {
            let medium = Medium::file(&path).map_err(of_medium(path.display().to_string()))?;
            Ok((node, medium))
        }
        Target::Device(cleared) => {
            let node =
                cleared.node().parse().context("a node's name").map_err(Failure::with(Code::Unexpected))?;
            let opened = cleared.open().map_err(|error| failed(error.is_refusal(), error.into()))?;
            let (path, identity) = (opened.device().path.clone(), identity(opened.device()));
            let medium = Medium::device(opened.into_file(), &path, &identity).map_err(of_medium(path))?;
            Ok((node, medium))
        }
    }
}

/// What tells a device from others when it is plugged in again; one without a serial number is known by its place.
fn identity(device: &Device) -> String {
    let size = device.size.0.to_string();
    let known = device.serial.as_deref().or(device.backing_file.as_deref()).unwrap_or(&device.path);
    [Some(size.as_str()), device.model.as_deref(), Some(known)]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ")
}

fn refusal(common: &Common, refused: &[Refused]) -> Failure {
    if common.json {
        let document = serde_json::json!({ "version": 1, "refused": refused });
        // The refusal itself is told by the exit code and on stderr; a closed stdout changes neither.
        let _ = writeln!(anstream::stdout().lock(), "{document:#}");
    }
    Failure::new(Code::Refused, agreement::refusals(refused))
}

fn shown(common: &Common, targets: &[Target]) -> Outcome {
    let text = if common.json {
        format!("{:#}\n", serde_json::json!({ "version": 1, "would-write": agreement::json(targets) }))
    } else {
        agreement::shown(targets) + "nothing was written (--dry-run)\n"
    };
    anstream::stdout().lock().write_all(text.as_bytes()).context("write the answer")?;
    Ok(Code::Done)
}
