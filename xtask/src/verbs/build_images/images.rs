//! The images of one cluster: every folder under `images/`, by the chosen engine.
//!
//! In: a stage that holds bundles and programs, the model, the engine. Out: `docker/<name>/` (a copy of the folder, so
//! the output is complete by itself), `docker-bake.json`, `images/<name>/` layouts, and their rows of the manifest.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use blueprint::model::Model;
use desired::cluster_manifest::ImageRow;
use desired::{Arch, ByteSize, Mode};
use host::archive::Sums;
use host::oci::bake::{self, Target};
use host::oci::build::{self, BuildError, Request};
use host::oci::buildx::{self, Engine};
use host::oci::dockerfile::Dockerfile;
use host::oci::layout::Layout;
use host::report::{Kind, Report, Task};

use super::{CREATED, EPOCH_SECS, TOOL_VERSION};
use crate::exit::{Code, Failure};

/// The file that makes a folder an image.
const DOCKERFILE: &str = "Dockerfile";

/// What all images of a cluster are built from.
#[derive(Debug)]
pub struct Images<'a> {
    /// The folder with one folder an image.
    pub folder: &'a Path,
    /// The cluster.
    pub model: &'a Model,
    /// Where the output is built.
    pub stage: &'a Path,
    /// The last output, whose layers are taken where nothing changed.
    pub previous: &'a Path,
    /// Bundles that were packed a moment ago.
    pub bundles: BTreeMap<PathBuf, Sums>,
    /// Who builds.
    pub engine: &'a Engine,
    /// Who waits.
    pub report: &'a Report,
}

impl Images<'_> {
    /// Builds every image.
    pub fn build(&self) -> Result<Vec<ImageRow>, Failure> {
        let targets: Vec<Target> = names(self.folder)?.iter().map(|name| target(self.model, name)).collect();
        for target in &targets {
            self.copy(&target.name)?;
        }
        let bake = self.stage.join("docker-bake.json");
        host::tree::write_file(&bake, Mode::PUBLIC, bake::render(&targets).as_bytes())
            .with_context(|| format!("write `{}`", bake.display()))?;
        targets.iter().map(|target| self.one(target)).collect()
    }

    fn copy(&self, name: &str) -> anyhow::Result<()> {
        let from = self.folder.join(name);
        for file in host::tree::files(&from).with_context(|| format!("read `{}`", from.display()))? {
            let below = file.strip_prefix(&from).expect("listed below it");
            let content = std::fs::read(&file).with_context(|| format!("read `{}`", file.display()))?;
            let mode = if is_executable(&file)? { Mode::EXECUTABLE } else { Mode::PUBLIC };
            let to = self.stage.join("docker").join(name).join(below);
            host::tree::write_file(&to, mode, &content)
                .with_context(|| format!("write `{}`", to.display()))?;
        }
        Ok(())
    }

    fn one(&self, target: &Target) -> Result<ImageRow, Failure> {
        let label = format!("{} {}", self.model.name, target.name);
        let arches = u64::try_from(target.arches.len()).expect("two arches");
        let task = self.report.task(Kind::Image, label, Some(arches));
        let folder = self.stage.join("images").join(&target.name);
        let layout = match self.engine {
            Engine::Embedded { .. } => self.embedded(target, &folder, &task).map_err(failed)?,
            Engine::Buildx { builder } => {
                buildx::build(self.stage, target, builder.as_deref(), &folder, |_| {})
                    .map_err(Failure::with(Code::Unexpected))?
            }
        };
        task.finish("");
        row(target, &layout).map_err(Failure::with(Code::VerificationFailed))
    }

    fn embedded(&self, target: &Target, folder: &Path, task: &Task) -> Result<Layout, BuildError> {
        let own = self.stage.join("docker").join(&target.name);
        let dockerfile = own.join(DOCKERFILE);
        let request = Request {
            dockerfile: &dockerfile,
            context: self.stage,
            named_contexts: BTreeMap::from([("image".to_owned(), own)]),
            arches: target.arches.clone(),
            arguments: BTreeMap::new(),
            labels: target.labels.clone(),
            reference: target.reference.clone(),
            epoch: target.epoch,
            known: self.bundles.clone(),
            previous: Some(self.previous.join("images").join(&target.name)),
        };
        build::build(&request, folder, task).map(|(layout, _)| layout)
    }
}

fn target(model: &Model, name: &str) -> Target {
    Target {
        name: name.to_owned(),
        arches: Arch::ALL.to_vec(),
        reference: reference(model, name, None),
        labels: labels(model, name),
        epoch: EPOCH_SECS,
    }
}

/// Reads every Dockerfile as `engine` would, so that a wrong one costs no build. buildx reads its own.
pub fn check(folder: &Path, engine: &Engine) -> Result<(), Failure> {
    if matches!(engine, Engine::Buildx { .. }) {
        return Ok(());
    }
    for name in names(folder)? {
        let path = folder.join(&name).join(DOCKERFILE);
        let text = std::fs::read_to_string(&path).with_context(|| format!("read `{}`", path.display()))?;
        Dockerfile::parse(&path, &text).map_err(Failure::with(Code::InvalidProfile))?;
    }
    Ok(())
}

/// The names of the images: the folders that hold a Dockerfile.
fn names(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("read `{}`", folder.display()))? {
        let path = entry.with_context(|| format!("read `{}`", folder.display()))?.path();
        if path.join(DOCKERFILE).is_file() {
            names.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

fn is_executable(file: &Path) -> anyhow::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = file.metadata().with_context(|| format!("look at `{}`", file.display()))?;
    // Only the owner's bit: the others depend on the umask of whoever cloned.
    Ok(metadata.permissions().mode() & 0o100 != 0)
}

/// What an image is called and pushed as: `<repository>/<cluster>-<image>:<version>`.
pub fn reference(model: &Model, image: &str, repository: Option<&str>) -> String {
    let repository = repository.or(model.images.repository.as_deref()).unwrap_or("localhost/rootstock");
    format!("{}/{}-{image}:{TOOL_VERSION}", repository.trim_end_matches('/'), model.name)
}

/// The standard labels (OCI image specification, annotations) and the cluster's own, which win.
fn labels(model: &Model, image: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let mut set =
        |key: &str, value: &str| labels.insert(format!("org.opencontainers.image.{key}"), value.to_owned());
    set("title", &format!("{}-{image}", model.name));
    set("description", &model.description);
    set("version", TOOL_VERSION);
    set("created", CREATED);
    set("licenses", "MIT OR Apache-2.0");
    if let Some(vendor) = &model.images.vendor {
        set("vendor", vendor);
    }
    if let Some(source) = &model.images.source {
        set("source", source);
    }
    labels.extend(model.images.labels.clone());
    labels
}

/// What the finished layout holds, read from its own documents, so both engines are described alike.
fn row(target: &Target, layout: &Layout) -> anyhow::Result<ImageRow> {
    let (mut manifests, mut size) = (BTreeMap::new(), 0);
    for (descriptor, manifest) in layout.manifests()? {
        let platform = descriptor.platform.as_ref().context("an image of the index has no platform")?;
        manifests.insert(platform.architecture.parse::<Arch>()?, descriptor.digest.clone());
        size += descriptor.size
            + manifest.config.size
            + manifest.layers.iter().map(|layer| layer.size).sum::<u64>();
    }
    Ok(ImageRow {
        name: target.name.clone(),
        layout: format!("images/{}", target.name),
        reference: target.reference.clone(),
        digest: layout.image.digest.clone(),
        manifests,
        size: ByteSize(size),
    })
}

/// A wrong Dockerfile is a wrong profile; all else was not foreseen.
fn failed(error: BuildError) -> Failure {
    let code = match &error {
        BuildError::Dockerfile(_) => Code::InvalidProfile,
        _ => Code::Unexpected,
    };
    Failure { code, error: error.into() }
}
