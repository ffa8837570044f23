//! The embedded engine: a Dockerfile and its contexts to a layout, without a daemon.
//!
//! In: a [`Request`]. Out: a layout folder that appears only when it is whole, and a [`Summary`]. The bytes depend on the
//! request alone: times are the request's, owners are numbers, layers are packed as bundles are. A layer whose inputs
//! are those of the previous layout is taken from there; an archive that `ADD` puts at `/` is the layer as it is.

mod context;
mod layer;
mod stage;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread::ScopedJoinHandle;

use desired::Arch;

use super::dockerfile::{Dockerfile, DockerfileError};
use super::layout::{Layout, LayoutError, LayoutWriter};
use super::spec::{self, Annotations, Descriptor, ImageConfig, Index, Manifest, RootFs};
use crate::archive::{ArchiveError, Options, Sum, Sums};
use crate::report::Task;

/// What goes into an image.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The Dockerfile.
    pub dockerfile: &'a Path,
    /// Folder that `COPY` and `ADD` read from.
    pub context: &'a Path,
    /// Folders that `COPY --from=NAME` reads from.
    pub named_contexts: BTreeMap<String, PathBuf>,
    /// Platforms, in the order of the index.
    pub arches: Vec<Arch>,
    /// Values for `ARG`s.
    pub arguments: BTreeMap<String, String>,
    /// Labels of the image, also annotations of index and manifests; they win over the Dockerfile's.
    pub labels: Annotations,
    /// What `index.json` calls the image, `org.opencontainers.image.ref.name`.
    pub reference: String,
    /// Time of every file and of the image, seconds since 1970.
    pub epoch: u64,
    /// Sums of archives that were packed a moment ago, so they need not be read again.
    pub known: BTreeMap<PathBuf, Sums>,
    /// The layout of the last build, if it is there.
    pub previous: Option<PathBuf>,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The image index.
    pub index: Sum,
    /// One a platform, in the request's order.
    pub images: Vec<ImageSummary>,
    /// Layers packed anew.
    pub packed: usize,
    /// Layers that were there already: linked archives and those of the previous layout.
    pub reused: usize,
}

/// The image of one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSummary {
    /// Its platform.
    pub arch: Arch,
    /// Its manifest.
    pub manifest: Sum,
    /// Its configuration.
    pub config: Sum,
    /// Its layers, lowest first.
    pub layers: Vec<Sum>,
}

impl ImageSummary {
    /// Bytes of all blobs, as a registry stores them.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.manifest.size + self.config.size + self.layers.iter().map(|layer| layer.size).sum::<u64>()
    }
}

/// Why an image was not built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The Dockerfile is wrong, or asks for what is not there. Exit class 4.
    #[error(transparent)]
    Dockerfile(#[from] DockerfileError),
    /// A file the build needs could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// An archive could not be read or packed.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The layout could not be written.
    #[error(transparent)]
    Layout(#[from] LayoutError),
}

impl BuildError {
    fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Read { path, source }
    }
}

/// Builds the image into the layout folder `target`, in place of an older one. `task` counts finished platforms.
///
/// # Errors
/// [`BuildError`]; an older layout at `target` is then as it was.
pub fn build(request: &Request<'_>, target: &Path, task: &Task) -> Result<(Layout, Summary), BuildError> {
    let text = std::fs::read_to_string(request.dockerfile).map_err(BuildError::read(request.dockerfile))?;
    let dockerfile = Dockerfile::parse(request.dockerfile, &text)?;
    // All of it is evaluated before anything is written, so a wrong last line costs nothing.
    let stages = request
        .arches
        .iter()
        .map(|arch| stage::evaluate(request, &dockerfile, *arch).map(|stage| (*arch, stage)))
        .collect::<Result<Vec<_>, _>>()?;
    let writer = LayoutWriter::create(target)?;
    let options = Options::new(request.epoch);
    let layers = layer::Layers::new(&writer, &options, request);
    let assembled = std::thread::scope(|scope| {
        let (writer, layers) = (&writer, &layers);
        let start = |(arch, stage)| {
            scope.spawn(move || assemble(request, arch, stage, writer, layers).inspect(|_| task.inc(1)))
        };
        let platforms: Vec<_> = stages.into_iter().map(start).collect();
        let join = |platform: ScopedJoinHandle<'_, _>| {
            platform.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        platforms.into_iter().map(join).collect::<Result<Vec<_>, BuildError>>()
    })?;
    let (manifests, images) = assembled.into_iter().unzip();
    let index = Index {
        schema_version: 2,
        media_type: Some(spec::INDEX.to_owned()),
        manifests,
        annotations: request.labels.clone(),
    };
    let mut descriptor = writer.json(spec::INDEX, &index)?;
    let summary = Summary {
        index: sum(&descriptor),
        images,
        packed: layers.packed.into_inner(),
        reused: layers.reused.into_inner(),
    };
    descriptor.annotations.insert(spec::REF_NAME.to_owned(), request.reference.clone());
    Ok((writer.finish(descriptor)?, summary))
}

/// Writes layers, configuration and manifest of one platform.
fn assemble(
    request: &Request<'_>,
    arch: Arch,
    stage: stage::Stage,
    writer: &LayoutWriter,
    layers: &layer::Layers<'_>,
) -> Result<(Descriptor, ImageSummary), BuildError> {
    let (mut descriptors, mut diff_ids) = (Vec::new(), Vec::new());
    for plan in &stage.layers {
        let (descriptor, diff_id) = layers.make(plan)?;
        descriptors.push(descriptor);
        diff_ids.push(diff_id);
    }
    let mut run = stage.config;
    run.labels.extend(request.labels.clone());
    let config = ImageConfig {
        created: Some(spec::rfc3339(request.epoch)),
        architecture: arch.as_str().to_owned(),
        variant: arch.oci_variant().map(str::to_owned),
        os: "linux".to_owned(),
        config: run,
        rootfs: RootFs { kind: "layers".to_owned(), diff_ids },
        history: stage.history,
    };
    let config = writer.json(spec::CONFIG, &config)?;
    let manifest = Manifest {
        schema_version: 2,
        media_type: Some(spec::MANIFEST.to_owned()),
        config: config.clone(),
        layers: descriptors.clone(),
        annotations: request.labels.clone(),
    };
    let mut descriptor = writer.json(spec::MANIFEST, &manifest)?;
    let image = ImageSummary {
        arch,
        manifest: sum(&descriptor),
        config: sum(&config),
        layers: descriptors.iter().map(sum).collect(),
    };
    descriptor.platform = Some(arch.into());
    Ok((descriptor, image))
}

fn sum(descriptor: &Descriptor) -> Sum {
    Sum { digest: descriptor.digest.clone(), size: descriptor.size }
}
