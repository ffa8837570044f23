//! One cluster's output, from a model and pinned artifacts to a folder that is put in its place.
//!
//! In: the model, what the lock pins, artifacts as verified files or deferred, the programs, the engine. Out: the whole of
//! `dist/<cluster>/` in a stage: trees, bundles, images, manifest, sums, bill of materials. Nothing secret is in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use blueprint::model::{Model, Node, Pins};
use blueprint::render;
use blueprint::sbom;
use desired::cluster_manifest::{
    ArtifactRow, BundleRow, CLUSTER_MANIFEST_VERSION, ClusterManifest, Presence,
};
use desired::manifest::Deferred;
use desired::resource::Resource;
use desired::{Arch, Mode, NodeName};
use host::archive::{Options, Sums};
use host::bundle::{self, Contents, Included};
use host::cargo_build::Program;
use host::leak_scan::LeakScanner;
use host::oci::buildx::Engine;
use host::parallel;
use host::report::{Kind, Report};
use host::signature::Signer;

use super::images::Images;
use super::{CREATED, EPOCH_SECS, TOOL_VERSION, components, sums};
use crate::exit::{Code, Failure};

/// One artifact of a cluster for one arch.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// Its row of the manifest.
    pub row: ArtifactRow,
    /// Its verified bytes, or how a node gets them.
    pub supply: Supply,
}

/// Where an artifact's bytes come from.
#[derive(Debug, Clone)]
pub enum Supply {
    /// From here.
    Included(Included),
    /// The node fetches them.
    Deferred(Deferred),
}

/// Everything one cluster's output is made from.
#[derive(Debug)]
pub struct Job<'a> {
    /// The cluster.
    pub model: &'a Model,
    /// What the lock pins.
    pub pins: &'a Pins,
    /// Its artifacts.
    pub artifacts: &'a [Artifact],
    /// The node's program, one an arch.
    pub programs: &'a [Program],
    /// The workspace.
    pub workspace: &'a Path,
    /// Who builds images.
    pub engine: &'a Engine,
    /// The last output.
    pub previous: &'a Path,
    /// Who signs bundles.
    pub signer: Option<&'a Signer>,
    /// Who waits.
    pub report: &'a Report,
}

impl Job<'_> {
    /// Makes the whole output in `stage`.
    pub fn build(&self, stage: &Path) -> Result<ClusterManifest, Failure> {
        let nodes = self.render(stage)?;
        let (bundles, packed) = self.bundles(stage, &nodes)?;
        let images = Images {
            folder: &self.workspace.join("images"),
            model: self.model,
            stage,
            previous: self.previous,
            bundles: packed,
            engine: self.engine,
            report: self.report,
        };
        let manifest = ClusterManifest {
            manifest_version: CLUSTER_MANIFEST_VERSION,
            cluster: self.model.name.clone(),
            tool_version: TOOL_VERSION.to_owned(),
            bundles,
            images: images.build()?,
            artifacts: self.artifacts.iter().map(|artifact| artifact.row.clone()).collect(),
        };
        self.describe(stage, &manifest)?;
        self.look_for_leaks(stage)?;
        let list = sums::write(stage).context("write SHA256SUMS")?;
        if let Some(signer) = self.signer {
            let signature = signer.sign(list.as_bytes(), &format!("cluster {}", self.model.name));
            let signature = signature.context("sign SHA256SUMS")?;
            host::tree::write_file(&stage.join(sums::SIGNATURE), Mode::PUBLIC, signature.as_bytes())
                .context("write its signature")?;
        }
        Ok(manifest)
    }

    /// Writes the trees for people; gives each node's resources.
    fn render(&self, stage: &Path) -> anyhow::Result<BTreeMap<NodeName, Vec<Resource>>> {
        let mut resources = BTreeMap::new();
        let nodes: Vec<&Node> = self.model.nodes.values().collect();
        let outputs = parallel::each(&nodes, |node| render::node(self.model, node, self.pins))?;
        for (node, output) in nodes.iter().zip(outputs) {
            host::tree::pour(&stage.join("nodes").join(node.name.as_str()), &output.files)?;
            resources.insert(node.name.clone(), output.resources);
        }
        host::tree::pour(&stage.join("cluster"), &render::cluster(self.model, self.pins)?)?;
        Ok(resources)
    }

    fn bundles(
        &self,
        stage: &Path,
        resources: &BTreeMap<NodeName, Vec<Resource>>,
    ) -> anyhow::Result<(Vec<BundleRow>, BTreeMap<PathBuf, Sums>)> {
        let (mut rows, mut packed) = (Vec::new(), BTreeMap::new());
        for program in self.programs {
            let arch = program.arch;
            let own = stage.join(format!("bin/bootstrap-{arch}"));
            let content =
                std::fs::read(&program.path).with_context(|| format!("read `{}`", program.path.display()))?;
            host::tree::write_file(&own, Mode::EXECUTABLE, &content)
                .with_context(|| format!("write `{}`", own.display()))?;
            let contents = self.contents(program, resources);
            let file = format!("bundle-{arch}.tar.gz");
            let path = stage.join(&file);
            let task = self.report.task(Kind::Pack, format!("{} {file}", self.model.name), None);
            let written =
                bundle::write(&contents, &path, &Options::new(EPOCH_SECS), &|bytes| task.inc(bytes))?;
            task.finish("");
            rows.push(BundleRow {
                arch,
                file,
                size: desired::ByteSize(written.sums.packed.size),
                digest: written.sums.packed.digest.clone(),
                uncompressed_digest: written.sums.plain.digest.clone(),
                nodes: contents.nodes.keys().cloned().collect(),
            });
            packed.insert(path, written.sums);
        }
        Ok((rows, packed))
    }

    fn contents(&self, program: &Program, resources: &BTreeMap<NodeName, Vec<Resource>>) -> Contents {
        let arch: Arch = program.arch;
        let nodes: Vec<&Node> = self.model.linux_nodes().filter(|node| node.arch == arch).collect();
        let identities = nodes.iter().map(|node| (node.name.clone(), node.identity.clone()));
        let (mut artifacts, mut deferred) = (Vec::new(), Vec::new());
        for artifact in self.artifacts.iter().filter(|artifact| artifact.row.arch == arch) {
            match &artifact.supply {
                Supply::Included(included) => artifacts.push(included.clone()),
                Supply::Deferred(later) => deferred.push(later.clone()),
            }
        }
        Contents {
            cluster: self.model.name.clone(),
            tool_version: TOOL_VERSION.to_owned(),
            program: program.clone(),
            identities: identities.filter(|(_, identity)| !identity.is_empty()).collect(),
            nodes: nodes.iter().map(|node| (node.name.clone(), resources[&node.name].clone())).collect(),
            artifacts,
            deferred,
            signer: self.signer.cloned(),
        }
    }

    /// Writes what the output says of itself.
    fn describe(&self, stage: &Path, manifest: &ClusterManifest) -> anyhow::Result<()> {
        let mut text = serde_json::to_string_pretty(manifest)?;
        text.push('\n');
        host::tree::write_file(&stage.join("manifest.json"), Mode::PUBLIC, text.as_bytes())
            .context("write manifest.json")?;
        let mut parts = components::of_the_program(self.workspace)?;
        parts.extend(manifest.artifacts.iter().map(components::of_artifact));
        let name = format!("rootstock-{}", manifest.cluster);
        let document = sbom::spdx(&name, TOOL_VERSION, CREATED, &parts);
        host::tree::write_file(&stage.join("sbom.spdx.json"), Mode::PUBLIC, document.as_bytes())
            .context("write sbom.spdx.json")
    }

    /// Refuses output that holds the value of a declared secret.
    fn look_for_leaks(&self, stage: &Path) -> Result<(), Failure> {
        let scanner = LeakScanner::new(self.model.secret_references());
        let leaks = scanner.scan(stage).context("look for secrets in the output").map_err(Failure::from)?;
        if leaks.is_empty() {
            return Ok(());
        }
        let lines = leaks.iter().map(|leak| {
            let file = leak.file.strip_prefix(stage).unwrap_or(&leak.file);
            format!("\n  the value of {} stands in {}", leak.reference, file.display())
        });
        let sentence = format!(
            "refused: the output of cluster {} would hold a secret; write the reference instead of the value:{}",
            self.model.name,
            lines.collect::<String>()
        );
        Err(Failure::new(Code::Refused, sentence))
    }
}

/// The row of an artifact that is deferred, or not.
pub fn presence(why: Option<String>) -> Presence {
    why.map_or(Presence::Embedded, |why| Presence::Deferred { why })
}
