//! A bundle for one cluster and arch, written in one go.
//!
//! In: the node's program, every node's resources, artifacts as verified files or deferred. Out: an archive at the
//! path given (aside, then renamed), its sums and its manifest. What could not be fulfilled on a node (an artifact
//! nobody packed, resources without an order) is refused here, where somebody can still act on it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use desired::identity::Identity;
use desired::manifest::{
    BundleManifest, BundlePath, Deferred, FORMAT, FileRecord, MANIFEST, NodeDocument, SIGNATURE,
};
use desired::order::order;
use desired::resource::Resource;
use desired::{Arch, ArtifactName, ByteSize, ClusterName, Digest, Invalid, Mode, NodeName};

use super::BundleError;
use crate::archive::tar::Entry;
use crate::archive::{Options, Sums, pack_file};
use crate::cache::CachedFile;
use crate::cargo_build::Program;
use crate::signature::Signer;
use crate::verified::Verified;

/// An artifact whose bytes were verified and lie on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Included {
    /// Its name in the lock.
    pub artifact: ArtifactName,
    /// Its file name in the bundle.
    pub file: String,
    /// Permission bits it gets.
    pub mode: Mode,
    /// Its bytes.
    pub content: Verified<CachedFile>,
}

/// Everything that goes into a bundle.
#[derive(Debug, Clone)]
pub struct Contents {
    /// Whose nodes these are.
    pub cluster: ClusterName,
    /// The version of the tool that makes it.
    pub tool_version: String,
    /// The node's program; its arch is the bundle's.
    pub program: Program,
    /// What each node shall be: those of that arch that run Linux.
    pub nodes: BTreeMap<NodeName, Vec<Resource>>,
    /// By what machines are recognised as these nodes, besides their host names.
    pub identities: BTreeMap<NodeName, Identity>,
    /// Artifacts that are packed.
    pub artifacts: Vec<Included>,
    /// Artifacts the nodes fetch.
    pub deferred: Vec<Deferred>,
    /// Who signs the manifest.
    pub signer: Option<Signer>,
}

/// A bundle that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The archive.
    pub path: PathBuf,
    /// For which arch.
    pub arch: Arch,
    /// Digests and sizes, compressed and not: of the file, and the layer's diff ID.
    pub sums: Sums,
    /// What lies in it.
    pub manifest: BundleManifest,
}

/// Writes the bundle to `path`, which appears only when it is whole. `progress` hears the bytes that went in.
///
/// # Errors
/// [`BundleError`]; nothing is left behind.
pub fn write(
    contents: &Contents,
    path: &Path,
    options: &Options,
    progress: &dyn Fn(u64),
) -> Result<Written, BundleError> {
    let (manifest, entries) = lay_out(contents)?;
    let sums = pack_file(path, &entries, options, progress)?;
    Ok(Written { path: path.to_owned(), arch: manifest.arch, sums, manifest })
}

/// The manifest, and every file of the archive.
fn lay_out(contents: &Contents) -> Result<(BundleManifest, Vec<Entry>), BundleError> {
    let mut layout = Layout::default();
    let Program { arch, path, size, digest } = &contents.program;
    layout.file(&BundlePath::program(), Mode::EXECUTABLE, path, *size, digest)?;
    for Included { artifact, file, mode, content } in &contents.artifacts {
        let CachedFile { path, size, digest } = &**content;
        layout.file(&BundlePath::artifact(artifact, file)?, *mode, path, ByteSize(*size), digest)?;
    }
    for (node, resources) in &contents.nodes {
        let ordered = order(resources).map_err(|source| BundleError::Order { node: node.clone(), source })?;
        let resources = ordered.into_iter().cloned().collect();
        let text = NodeDocument { node: node.clone(), resources }.to_json();
        layout.text(&BundlePath::resources(node), text)?;
    }
    let mut deferred = contents.deferred.clone();
    deferred.sort_by(|one, other| one.path.cmp(&other.path));
    let manifest = BundleManifest {
        format: FORMAT,
        cluster: contents.cluster.clone(),
        arch: *arch,
        tool_version: contents.tool_version.clone(),
        nodes: contents.nodes.keys().cloned().collect(),
        identities: contents.identities.clone(),
        files: layout.records,
        deferred,
    };
    manifest.check()?;
    for (node, resources) in &contents.nodes {
        if let Some(why) = resources.iter().find_map(|resource| manifest.lacks(&resource.want)) {
            return Err(BundleError::Resources { node: node.clone(), why });
        }
    }
    let mut entries = layout.entries;
    let manifest_path: BundlePath = MANIFEST.parse()?;
    let text = manifest.to_json();
    if let Some(signer) = &contents.signer {
        let comment = format!("bundle of cluster {} for {}", manifest.cluster, manifest.arch);
        let signature: BundlePath = SIGNATURE.parse()?;
        let signed = signer.sign(text.as_bytes(), &comment)?;
        entries.push(Entry::bytes(signature.in_archive(), Mode::PUBLIC, signed));
    }
    entries.push(Entry::bytes(manifest_path.in_archive(), Mode::PUBLIC, text));
    Ok((manifest, entries))
}

#[derive(Default)]
struct Layout {
    records: BTreeMap<BundlePath, FileRecord>,
    entries: Vec<Entry>,
}

impl Layout {
    fn file(
        &mut self,
        path: &BundlePath,
        mode: Mode,
        from: &Path,
        size: ByteSize,
        digest: &Digest,
    ) -> Result<(), Invalid> {
        self.entries.push(Entry::file(path.in_archive(), mode, from, size.0));
        self.record(path, FileRecord { size, mode, digest: digest.clone() })
    }
    fn text(&mut self, path: &BundlePath, text: String) -> Result<(), Invalid> {
        let record = FileRecord {
            size: ByteSize(text.len() as u64),
            mode: Mode::PUBLIC,
            digest: Digest::sha256_of(text.as_bytes()),
        };
        self.entries.push(Entry::bytes(path.in_archive(), Mode::PUBLIC, text));
        self.record(path, record)
    }
    fn record(&mut self, path: &BundlePath, record: FileRecord) -> Result<(), Invalid> {
        match self.records.insert(path.clone(), record) {
            None => Ok(()),
            Some(_) => Err(Invalid {
                what: "path in a bundle",
                value: path.to_string(),
                why: "two files want this path".to_owned(),
            }),
        }
    }
}
