//! `render`: what each node and each cluster gets, as plain files.
//!
//! In: the profiles and their locks, which are only read; no network. Out: `target/render/<cluster>/{nodes,cluster}` or a
//! folder of one's own, and one line a cluster; with `--check` a unified diff, and exit 3 if there is one.

use crate::common::Common;
use crate::exit::{Code, Failure, Outcome};
use crate::mirror::{self, Changes};
use crate::{artifacts, load, repository};
use anyhow::Context as _;
use blueprint::lock::{Lock, Update, parse, reconcile, wanted};
use blueprint::model::{Model, Node, Pins};
use blueprint::render::{self, RenderError};
use clap::Args;
use desired::FileSet;
use host::parallel;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Arguments of `render`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Clusters to render; all if left out
    #[arg(value_name = "CLUSTER")]
    pub clusters: Vec<String>,
    /// Only this node; with `--out` its files are at the top of DIR
    #[arg(long, value_name = "N")]
    pub node: Option<String>,
    /// Where to write, a folder a cluster; `target/render` if left out
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Write nothing; show what would change, with exit code 3 if anything would
    #[arg(long)]
    pub check: bool,
}

/// What one cluster's folder shall hold, and what that changes.
#[derive(Debug)]
pub struct Rendered {
    name: String,
    folder: PathBuf,
    /// The files.
    pub set: FileSet,
    /// What makes the folder the same as the set.
    pub changes: Changes,
}

/// Renders all before it writes any, so an error leaves every folder as it was.
pub fn run(common: &Common, arguments: &Arguments) -> Outcome {
    let all = compare(common, arguments)?;
    let mut stdout = anstream::stdout().lock();
    let mut answers = Vec::new();
    for rendered in &all {
        if !arguments.check {
            rendered.changes.make(&rendered.set)?;
        } else if !common.json {
            write!(stdout, "{}", rendered.changes.diff(&rendered.set)?).context("write to stdout")?;
        }
        if common.json {
            answers.push(json(rendered));
        } else if !arguments.check {
            write!(stdout, "{}", line(rendered)).context("write to stdout")?;
        }
    }
    if common.json {
        let answer = serde_json::json!({
            "format": 1, "verb": "render", "written": !arguments.check, "clusters": answers,
        });
        writeln!(stdout, "{answer:#}").context("write to stdout")?;
    }
    let pending = |changes: &Changes| !changes.written.is_empty() || !changes.removed.is_empty();
    let any_pending = all.iter().any(|rendered| pending(&rendered.changes));
    Ok(if arguments.check && any_pending { Code::Pending } else { Code::Done })
}

/// Loads, renders and compares with what is there; writes nothing.
pub fn compare(common: &Common, arguments: &Arguments) -> Result<Vec<Rendered>, Failure> {
    let mut clusters = load::load_valid(common, &arguments.clusters)?;
    if let Some(name) = &arguments.node {
        clusters.retain(|(_, model)| node_of(model, name).is_some());
        one_cluster(&clusters, name)?;
    }
    let mut all = Vec::new();
    for (profile, model) in &clusters {
        let pins = pins(&profile.join("lock.toml"), model)?;
        let (folder, part, set) = wish(arguments, model, &pins)?;
        let changes = mirror::compare(&folder, &part, &set)?;
        all.push(Rendered { name: model.name.to_string(), folder, set, changes });
    }
    Ok(all)
}

fn node_of<'a>(model: &'a Model, name: &str) -> Option<&'a Node> {
    model.nodes.values().find(|node| node.name.as_str() == name)
}

fn one_cluster(clusters: &[(PathBuf, Model)], node: &str) -> Result<(), Failure> {
    let names: Vec<_> = clusters.iter().map(|(_, model)| model.name.as_str()).collect();
    let sentence = match names.len() {
        0 => format!("there is no node `{node}`: `cargo xtask check` lists the clusters that are read"),
        1 => return Ok(()),
        _ => format!("there is a node `{node}` in {}: name the cluster", names.join(" and in ")),
    };
    Err(Failure::new(Code::InvalidProfile, sentence))
}

/// Where to write, which part of it the files speak for, and the files.
fn wish(arguments: &Arguments, model: &Model, pins: &Pins) -> Result<(PathBuf, String, FileSet), Failure> {
    let one = arguments.node.as_ref().and_then(|name| node_of(model, name));
    if let (Some(node), Some(folder)) = (one, &arguments.out) {
        return Ok((folder.clone(), String::new(), render::node(model, node, pins).map_err(failure)?.files));
    }
    let base = match &arguments.out {
        Some(folder) => folder.clone(),
        None => repository::root()?.join("target/render"),
    };
    let mut set = FileSet::new();
    let nodes: Vec<&Node> =
        model.nodes.values().filter(|node| one.is_none_or(|one| one.name == node.name)).collect();
    let outputs = parallel::each(&nodes, |node| render::node(model, node, pins)).map_err(failure)?;
    for (node, output) in nodes.iter().zip(outputs) {
        set.nest(&format!("nodes/{}", node.name), output.files).context("gather the files of nodes")?;
    }
    let part = one.map_or_else(String::new, |node| format!("nodes/{}/", node.name));
    if one.is_none() {
        set.nest("cluster", render::cluster(model, pins).map_err(failure)?).context("gather the tree")?;
    }
    Ok((base.join(model.name.as_str()), part, set))
}

fn failure(error: RenderError) -> Failure {
    let code = match error {
        RenderError::Unpinned { .. } | RenderError::PinnedByDownload { .. } => Code::Missing,
        _ => Code::InvalidProfile,
    };
    Failure { code, error: error.into() }
}

/// What the lock pins, and where it has a hole what is pinned by evidence.
fn pins(path: &Path, model: &Model) -> Result<Pins, Failure> {
    let lock = match std::fs::read_to_string(path) {
        Ok(text) => parse(&text, artifacts::rules(model)).map_err(|faults| {
            Failure::new(Code::InvalidProfile, format!("{} can't be used:\n{faults}", path.display()))
        })?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Lock::default(),
        Err(error) => {
            let error = anyhow::Error::new(error).context(format!("read {}", path.display()));
            return Err(Failure { code: Code::InvalidProfile, error });
        }
    };
    let reconciled = reconcile(&wanted(model), &lock, &Update::Nothing).map_err(|errors| {
        let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
        Failure::new(Code::InvalidProfile, lines.join("\n"))
    })?;
    Ok(reconciled.as_lock().pins())
}

fn line(rendered: &Rendered) -> String {
    let Rendered { name, folder, changes, .. } = rendered;
    format!(
        "{name}: {} written, {} unchanged, {} removed in {}\n",
        changes.written.len(),
        changes.unchanged,
        changes.removed.len(),
        folder.display()
    )
}

fn json(rendered: &Rendered) -> serde_json::Value {
    let Rendered { name, folder, changes, .. } = rendered;
    serde_json::json!({
        "name": name,
        "folder": folder,
        "written": changes.written,
        "unchanged": changes.unchanged,
        "removed": changes.removed,
    })
}
