//! `lock`: which exact third-party files each cluster's bundles hold.
//!
//! In: the profiles and their `lock.toml`. Out: `lock.toml` with every pin that can be made, and a table or JSON of them.
//! A lock that is complete is not touched.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use blueprint::lock::{Entry, Rules, Update, wanted};
use blueprint::model::Model;
use blueprint::parse::Source;
use blueprint::resolve::{Profile, resolve};
use clap::Args;
use desired::ArtifactName;
use host::cache::Cache;
use host::fetch::{Fetcher, Options};
use host::report::{Report, Style};

use crate::artifacts::{self, Permission};
use crate::cli::Common;
use crate::exit::{Code, Failure, Outcome};

/// Arguments of `lock`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Clusters to lock; all if left out
    #[arg(value_name = "CLUSTER")]
    pub clusters: Vec<String>,
    /// Make the pins of these artifacts anew; of all if none is named
    #[arg(long, value_name = "ARTIFACT", num_args = 0.., value_delimiter = ',')]
    pub update: Option<Vec<ArtifactName>>,
}

/// Locks the clusters one after the other; all of them share the cache.
pub fn run(common: &Common, arguments: &Arguments) -> Outcome {
    let profiles = profiles_folder()?;
    let cache = Cache::of_this_person().map_err(Failure::with(Code::Missing))?;
    let report = Report::new(if common.json { Style::Json } else { Style::Auto });
    let permission = Permission {
        update: match arguments.update.clone() {
            None => Update::Nothing,
            Some(names) if names.is_empty() => Update::Everything,
            Some(names) => Update::Only(names),
        },
        locked: common.locked,
        rules: Rules::default(),
    };
    let mut clusters = Vec::new();
    for name in cluster_names(&profiles, &arguments.clusters)? {
        let model = model(&profiles, &name)?;
        let mirrors = model.mirrors.iter().map(|mirror| (mirror.from.clone(), mirror.to.clone())).collect();
        let base = profiles.join(&name);
        let options = Options { offline: common.offline, mirrors, ..Options::new(cache.clone(), &base) };
        let fetcher = Fetcher::new(options, report.clone()).map_err(Failure::with(Code::Unexpected))?;
        let path = base.join("lock.toml");
        let existing = read_if_there(&path)?;
        let place = format!("profiles/{name}/lock.toml");
        let outcome =
            artifacts::lock_cluster(&place, &wanted(&model), existing.as_deref(), &permission, &fetcher)?;
        if outcome.changed {
            replace(&path, &outcome.text).with_context(|| format!("write {}", path.display()))?;
        }
        clusters.push((name, outcome));
    }
    let text = if common.json { json(&clusters) } else { table(&clusters) };
    anstream::stdout().lock().write_all(text.as_bytes()).context("write to stdout")?;
    Ok(Code::Done)
}

type Clusters = [(String, artifacts::Outcome)];

fn entries(outcome: &artifacts::Outcome) -> impl Iterator<Item = &Entry> {
    outcome.locked.entries().iter().chain(outcome.locked.left_out())
}

fn json(clusters: &Clusters) -> String {
    let clusters: serde_json::Map<_, _> = clusters
        .iter()
        .map(|(name, outcome)| {
            let artifacts: Vec<_> = entries(outcome)
                .map(|entry| {
                    serde_json::json!({
                        "name": entry.name, "version": entry.version, "arch": entry.arch, "size": entry.size,
                        "digest": entry.digest, "pinned-by": entry.pinned_by.as_ref().map(ToString::to_string),
                        "sources": entry.sources.iter().map(|source| source.url.to_string()).collect::<Vec<_>>(),
                    })
                })
                .collect();
            (name.clone(), serde_json::json!({ "changed": outcome.changed, "artifacts": artifacts }))
        })
        .collect();
    format!("{:#}\n", serde_json::json!({ "version": 1, "clusters": clusters }))
}

/// Each cluster with what became of its lock, then its artifacts in columns.
fn table(clusters: &Clusters) -> String {
    let mut text = String::new();
    for (name, outcome) in clusters {
        let state = if outcome.changed { "written" } else { "unchanged" };
        text.push_str(&format!("{name}: profiles/{name}/lock.toml {state}\n"));
        let rows: Vec<_> = entries(outcome).map(artifacts::row).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<_> = (0..6).map(width).collect();
        for row in &rows {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            text.push_str(&format!("  {}\n", cells.collect::<Vec<_>>().join("  ").trim_end()));
        }
    }
    text
}

fn profiles_folder() -> Result<PathBuf, Failure> {
    let here = std::env::current_dir().context("find the current folder")?;
    let folder =
        here.ancestors().map(|folder| folder.join("profiles")).find(|folder| folder.join("roles").is_dir());
    folder.ok_or_else(|| {
        Failure::new(Code::InvalidProfile, format!("{} is in no folder with profiles/roles", here.display()))
    })
}

fn cluster_names(profiles: &Path, selection: &[String]) -> Result<Vec<String>, Failure> {
    let entries = profiles.read_dir().with_context(|| format!("read {}", profiles.display()))?;
    let folders = entries.flatten().filter(|entry| entry.path().join("cluster.toml").is_file());
    let mut names: Vec<_> = folders.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    if let Some(unknown) = selection.iter().find(|wanted| !names.contains(wanted)) {
        let sentence = format!("there is no cluster `{unknown}`: there are {}", names.join(", "));
        return Err(Failure::new(Code::InvalidProfile, sentence));
    }
    names.retain(|name| selection.is_empty() || selection.contains(name));
    Ok(names)
}

fn model(profiles: &Path, name: &str) -> Result<Model, Failure> {
    let read = |path: String| -> Result<Source, Failure> {
        let text =
            std::fs::read_to_string(profiles.join(&path)).with_context(|| format!("read profiles/{path}"));
        Ok(Source::new(path, text.map_err(Failure::with(Code::InvalidProfile))?))
    };
    let folder = profiles.join("roles").read_dir().context("read profiles/roles")?;
    let names = folder.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let roles = names.filter(|name| name.ends_with(".toml")).map(|name| read(format!("roles/{name}")));
    let roles = roles.collect::<Result<Vec<_>, _>>()?;
    let cluster = read(format!("{name}/cluster.toml"))?;
    resolve(&Profile { folder: name, cluster: &cluster, roles: &roles }).model.ok_or_else(|| {
        Failure::new(
            Code::InvalidProfile,
            format!("cluster {name} has errors: `cargo xtask check {name}` shows them"),
        )
    })
}

fn read_if_there(path: &Path) -> Result<Option<String>, Failure> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let sentence = format!("can't read {}: {error}", path.display());
            Err(Failure::new(Code::InvalidProfile, sentence))
        }
    }
}

/// Old or new, never half.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut aside = tempfile::Builder::new().prefix(".lock").tempfile_in(folder)?;
    aside.write_all(text.as_bytes())?;
    // Temporary files are private; a file to be committed is not.
    aside.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    aside.persist(path).map(drop).map_err(|error| error.error)
}
