//! `build-images`: the main job. Check, lock, fetch, build the node's program, render, pack, and make images.
//!
//! In: profiles, images, sources. Out: `dist/<cluster>/`, each built aside and put in its place by one rename, and a
//! closing table. A cluster whose inputs and output are as the last run left them is not touched.

mod cluster;
mod components;
pub mod current;
mod freshness;
mod images;
mod summary;
mod sums;
mod supplies;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use blueprint::lock::Update;
use blueprint::model::Model;
use clap::{Args, ValueEnum};
use desired::{Digest, SecretReference};
use host::cargo_build;
use host::freshness::Record;
use host::oci::buildx::{self, Wish};
use host::oci::credentials;
use host::oci::layout::Layout;
use host::oci::push::{self, Reference};
use host::report::{Report, Style};
use host::signature::Signer;
use host::stage::{OutputFolder, StageError};

use crate::artifacts::{self, Permission};
use crate::common::Common;
use crate::exit::{Code, Failure, Outcome};
use crate::load;
use crate::repository;
use cluster::Job;
use summary::ClusterAnswer;
use supplies::Supplies;

/// The date of everything that is built (docs/decisions/0004), seconds since 1970.
const EPOCH_SECS: u64 = 1_767_225_600;
/// The same for documents that want it as RFC 3339.
const CREATED: &str = "2026-01-01T00:00:00Z";
/// The version of this tool.
pub const TOOL_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Arguments of `build-images`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Clusters to build; all under profiles/ if none is named
    clusters: Vec<String>,
    /// Where the output goes
    #[arg(long, default_value = "dist")]
    out: PathBuf,
    /// Who builds the images
    #[arg(long, value_enum, default_value_t = EngineWish::Auto)]
    engine: EngineWish,
    /// The buildx builder to use (remote or Kubernetes builders too)
    #[arg(long)]
    builder: Option<String>,
    /// Push the images, to REPOSITORY or to the one the profile names
    #[arg(long, value_name = "REPOSITORY", num_args = 0..=1)]
    push: Option<Option<String>>,
    /// Fail if an artifact can't be embedded
    #[arg(long)]
    air_gap: bool,
    /// Sign the bundles and SHA256SUMS with this secret key of minisign
    #[arg(long, value_name = "FILE")]
    sign_key: Option<PathBuf>,
    /// Where that key's password is: env:NAME or file:/PATH
    #[arg(long, value_name = "REFERENCE", requires = "sign_key")]
    sign_password: Option<SecretReference>,
    /// Try again to reach what was deferred, also if nothing changed
    #[arg(long)]
    refetch: bool,
}

/// Who builds the images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum EngineWish {
    /// buildx where a Docker engine that can build both platforms answers, else embedded
    Auto,
    /// Our own: no daemon, the subset of Dockerfiles without RUN
    Embedded,
    /// Docker buildx, with all of Dockerfile
    Buildx,
}

impl EngineWish {
    const fn wish(self) -> Wish {
        match self {
            Self::Auto => Wish::Auto,
            Self::Embedded => Wish::Embedded,
            Self::Buildx => Wish::Buildx,
        }
    }
}

/// Builds what is not up to date, pushes if asked, and prints the closing table.
pub fn run(common: &Common, arguments: &Arguments) -> Outcome {
    let run = Run::new(common, arguments)?;
    let models = load::load_valid(common, &arguments.clusters)?;
    let output = OutputFolder::open(&arguments.out).map_err(|error| {
        let code = if matches!(error, StageError::Busy(_)) { Code::Refused } else { Code::Unexpected };
        Failure::with(code)(error)
    })?;
    let mut answers = run.fresh(&models, &output)?;
    let stale: Vec<&(PathBuf, Model)> = models
        .iter()
        .filter(|(_, model)| !answers.iter().any(|answer| answer.manifest.cluster == model.name))
        .collect();
    answers.extend(run.build(&stale, &output)?);
    answers.sort_by(|one, other| one.manifest.cluster.cmp(&other.manifest.cluster));
    if let Some(repository) = &arguments.push {
        for answer in &mut answers {
            let (_, model) = models
                .iter()
                .find(|(_, model)| model.name == answer.manifest.cluster)
                .expect("every answer is of a model");
            answer.pushed = run.push(model, answer, repository.as_deref())?;
        }
    }
    let text = if common.json { summary::json(&answers) } else { summary::text(&answers) };
    anstream::stdout().write_all(text.as_bytes()).context("write the answer")?;
    Ok(Code::Done)
}

/// The key that signs, if one is named.
fn signer(arguments: &Arguments) -> Result<Option<Signer>, Failure> {
    let Some(path) = &arguments.sign_key else { return Ok(None) };
    let password = arguments.sign_password.as_ref().map(|reference| {
        let secret = host::secret::at_the_desk(reference);
        secret.map_err(|why| anyhow::anyhow!("the password {reference} can't be had, {why}"))
    });
    let password = password.transpose().map_err(Failure::with(Code::Missing))?;
    Signer::read(path, password.as_ref()).map(Some).map_err(Failure::with(Code::Missing))
}

/// What stays the same during one run.
struct Run<'a> {
    arguments: &'a Arguments,
    common: &'a Common,
    workspace: PathBuf,
    profiles: PathBuf,
    freshness: freshness::Common,
    signer: Option<Signer>,
    report: Report,
}

impl<'a> Run<'a> {
    fn new(common: &'a Common, arguments: &'a Arguments) -> Result<Self, Failure> {
        let (workspace, profiles) = (repository::root()?, load::profiles_folder(common)?);
        let signer = signer(arguments)?;
        let signed =
            signer.as_ref().map_or_else(String::new, |signer| format!(" signed={}", signer.key_id()));
        let flags =
            format!("{:?} {:?} air-gap={}{signed}", arguments.engine, arguments.builder, arguments.air_gap);
        let freshness = freshness::Common::read(&workspace, &profiles, flags)?;
        let style = if common.json { Style::Json } else { Style::Auto };
        Ok(Self { arguments, common, workspace, profiles, freshness, signer, report: Report::new(style) })
    }

    /// The answers of clusters that are as the last run left them.
    fn fresh(
        &self,
        models: &[(PathBuf, Model)],
        output: &OutputFolder,
    ) -> Result<Vec<ClusterAnswer>, Failure> {
        let mut answers = Vec::new();
        for (_, model) in models {
            let inputs = self.inputs(model)?;
            let Some(record) = Record::fresh(&output.path().join(model.name.as_str()), &inputs) else {
                continue;
            };
            let mut answer: ClusterAnswer =
                serde_json::from_value(record.summary).context("read the record of the last run")?;
            if self.arguments.refetch && answer.has_deferred() {
                continue;
            }
            answer.unchanged = true;
            answers.push(answer);
        }
        Ok(answers)
    }

    fn inputs(&self, model: &Model) -> Result<Digest, Failure> {
        Ok(self.freshness.of_cluster(&self.profiles, model.name.as_str())?)
    }
}

impl Run<'_> {
    /// Builds clusters and puts each in its place.
    fn build(
        &self,
        clusters: &[&(PathBuf, Model)],
        output: &OutputFolder,
    ) -> Result<Vec<ClusterAnswer>, Failure> {
        if clusters.is_empty() {
            return Ok(Vec::new());
        }
        let mut supplied = Vec::new();
        for (folder, model) in clusters {
            supplied.push((model, self.supplies(model, folder)?));
        }
        let engine = buildx::choose(self.arguments.engine.wish(), self.arguments.builder.as_deref())
            .map_err(Failure::with(Code::Missing))?;
        images::check(&self.workspace.join("images"), &engine)?;
        let programs =
            cargo_build::programs(&self.workspace, self.common.offline, &self.report).map_err(|error| {
                let code = if error.is_missing_prerequisite() { Code::Missing } else { Code::Unexpected };
                Failure::with(code)(error)
            })?;
        let mut answers = Vec::new();
        for (model, supplies) in supplied {
            let previous = output.path().join(model.name.as_str());
            let job = Job {
                model,
                pins: &supplies.pins,
                artifacts: &supplies.artifacts,
                programs: &programs,
                workspace: &self.workspace,
                engine: &engine,
                previous: &previous,
                signer: self.signer.as_ref(),
                report: &self.report,
            };
            let stage = output.stage(model.name.as_str()).context("prepare the output")?;
            let manifest = job.build(stage.path())?;
            let answer = ClusterAnswer {
                output: previous.clone(),
                unchanged: false,
                manifest,
                left_out: supplies.left_out,
                pushed: Vec::new(),
                made_with: self.freshness.flags().to_owned(),
            };
            let summary = serde_json::to_value(&answer).context("note what was made")?;
            Record::write(stage.path(), self.inputs(model)?, summary).context("note what was made")?;
            stage.commit().context("put the output in place")?;
            answers.push(answer);
        }
        Ok(answers)
    }

    fn supplies(&self, model: &Model, folder: &Path) -> Result<Supplies, Failure> {
        let (offline, air_gap) = (self.common.offline, self.arguments.air_gap);
        let fetcher = artifacts::fetcher(model, folder, offline, air_gap, &self.report)?;
        let permission = Permission {
            update: Update::Nothing,
            locked: self.common.locked,
            rules: artifacts::rules(model),
        };
        Supplies::get(model, folder, &permission, &fetcher)
    }

    /// Pushes every image of `answer`; gives what they can be pulled as.
    fn push(
        &self,
        model: &Model,
        answer: &ClusterAnswer,
        repository: Option<&str>,
    ) -> Result<Vec<String>, Failure> {
        if repository.is_none() && model.images.repository.is_none() {
            let sentence = format!(
                "there is no place to push to: write --push REPOSITORY, or [images] repository in the profile of {}",
                model.name
            );
            return Err(Failure::new(Code::InvalidProfile, sentence));
        }
        let mut pushed = Vec::new();
        for image in &answer.manifest.images {
            let name = images::reference(model, &image.name, repository);
            let host = name.split('/').next().unwrap_or_default();
            let plain_http = model.registries.get(host).is_some_and(|registry| registry.http);
            let reference =
                Reference::parse(&name, plain_http).map_err(|why| Failure::new(Code::InvalidProfile, why))?;
            let login = match credentials::config_file() {
                Some(config) => credentials::find(host, &config).map_err(Failure::with(Code::Missing))?,
                None => None,
            };
            let layout = Layout::open(&answer.output.join(&image.layout))
                .map_err(Failure::with(Code::VerificationFailed))?;
            let done =
                push::push(&layout, &reference, login, &self.report).map_err(Failure::with(Code::Missing))?;
            pushed.push(format!("{name}@{}", done.index));
        }
        Ok(pushed)
    }
}
