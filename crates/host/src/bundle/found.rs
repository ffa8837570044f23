//! What was read of a bundle, file by file, and the judgement at the end.
//!
//! In: folders and files, from a walk or an archive. Out: the [`Bundle`], or the differences to its manifest. Only the
//! manifest, the resources and the program's head are kept; of everything else its record.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use desired::manifest::{
    BundleManifest, BundlePath, FileRecord, MANIFEST, NodeDocument, PROGRAM, RESOURCES, SIGNATURE,
};
use desired::types::DigestAlgorithm;
use desired::{ByteSize, Digest, Mode};

use super::{Bundle, BundleError};
use crate::digest::Hasher;
use crate::elf;
use crate::signature::{self, PublicKey};

/// A manifest or a node's resources beyond this are no longer something a node should parse.
const TEXT_LONGEST: u64 = 64 << 20;
/// How much of the program is kept to see what machine it is for.
const PROGRAM_HEAD: usize = 64;

/// Why one file could not be taken.
pub(super) enum FileFault {
    Refused(String),
    Read(std::io::Error),
}

/// What was read so far.
#[derive(Default)]
pub(super) struct Found {
    records: BTreeMap<BundlePath, FileRecord>,
    folders: BTreeSet<String>,
    manifest: Option<Vec<u8>>,
    signature: Option<Vec<u8>>,
    /// The resources of each node, by path.
    texts: BTreeMap<BundlePath, Vec<u8>>,
    program: Vec<u8>,
}

impl Found {
    /// Takes a folder; whether anything belongs into it shows at the end.
    pub(super) fn folder(&mut self, path: &str) -> Result<(), BundleError> {
        path.parse::<BundlePath>().map_err(|invalid| BundleError::refused(path, invalid.why))?;
        self.folders.insert(path.to_owned());
        Ok(())
    }

    /// Reads a file to its end.
    pub(super) fn file(
        &mut self,
        path: &str,
        mode: Mode,
        size: u64,
        content: &mut impl Read,
    ) -> Result<(), FileFault> {
        let is_manifest = path == MANIFEST;
        let is_text = is_manifest || path.ends_with(&format!("/{RESOURCES}"));
        let is_signature = path == SIGNATURE;
        let longest = if is_signature { signature::LONGEST } else { TEXT_LONGEST };
        if (is_text || is_signature) && size > longest {
            let why = format!("it has {size} bytes, more than the {longest} that are read");
            return Err(FileFault::Refused(why));
        }
        let path: BundlePath =
            path.parse().map_err(|invalid: desired::Invalid| FileFault::Refused(invalid.why))?;
        let keep = match (is_text || is_signature, path.as_str()) {
            (true, _) => usize::MAX,
            (false, PROGRAM) => PROGRAM_HEAD,
            _ => 0,
        };
        let (record, kept) = digest(mode, keep, content).map_err(FileFault::Read)?;
        if is_manifest || is_signature {
            let kind = if is_manifest { &mut self.manifest } else { &mut self.signature };
            *kind = Some(kept);
            return Ok(());
        }
        if is_text {
            self.texts.insert(path.clone(), kept);
        } else if path.as_str() == PROGRAM {
            self.program = kept;
        }
        self.records.insert(path, record);
        Ok(())
    }

    /// Judges all that was read.
    pub(super) fn finish(self, place: &Path, key: Option<&PublicKey>) -> Result<Bundle, BundleError> {
        let Some(text) = &self.manifest else {
            return Err(BundleError::NoBundle(place.to_owned()));
        };
        // Before a word of it is read: who signed the manifest vouches for everything it lists.
        if let Some(key) = key {
            let signature = self.signature.as_deref().ok_or(BundleError::Unsigned)?;
            let signature = String::from_utf8_lossy(signature);
            key.verify(text, &signature).map_err(BundleError::Signature)?;
        }
        let digest = Digest::sha256_of(text);
        let text = std::str::from_utf8(text)
            .map_err(|error| BundleError::refused(MANIFEST, format!("it is not UTF-8: {error}")))?;
        let manifest = BundleManifest::parse(text)?;
        let faults = manifest.faults(&self.records);
        if !faults.is_empty() {
            return Err(BundleError::Differs(faults));
        }
        let paths = manifest.files.keys().chain(manifest.deferred.iter().map(|deferred| &deferred.path));
        let meant: BTreeSet<&str> = paths.flat_map(|path| ancestors(path.as_str())).collect();
        if let Some(stray) = self.folders.iter().find(|folder| !meant.contains(folder.as_str())) {
            return Err(BundleError::refused(stray, "nothing of the manifest lies in this folder"));
        }
        if elf::arch_of(&self.program) != Some(manifest.arch) {
            let found = elf::arch_of(&self.program)
                .map_or("no program at all".to_owned(), |arch| format!("for {arch}"));
            return Err(BundleError::Program { wanted: manifest.arch, found });
        }
        let nodes = manifest
            .nodes
            .iter()
            .map(|node| {
                let fault = |why: String| BundleError::Resources { node: node.clone(), why };
                let text = &self.texts[&BundlePath::resources(node)];
                let document: NodeDocument =
                    serde_json::from_slice(text).map_err(|error| fault(error.to_string()))?;
                if document.node != *node {
                    return Err(fault(format!("they say they are those of {}", document.node)));
                }
                match document.resources.iter().find_map(|resource| manifest.lacks(&resource.want)) {
                    Some(why) => Err(fault(why)),
                    None => Ok((node.clone(), document.resources)),
                }
            })
            .collect::<Result<_, _>>()?;
        Ok(Bundle { place: place.to_owned(), manifest, digest, nodes })
    }
}

/// The folders a path lies in, outermost first.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(slash, _)| &path[..slash])
}

/// Reads to the end; the first `keep` bytes are handed back.
fn digest(mode: Mode, keep: usize, content: &mut impl Read) -> std::io::Result<(FileRecord, Vec<u8>)> {
    let mut hasher = Hasher::new(DigestAlgorithm::Sha256);
    let (mut size, mut kept, mut buffer) = (0, Vec::new(), vec![0; 256 * 1024]);
    loop {
        let count = match content.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let bytes = &buffer[..count];
        hasher.update(bytes);
        size += count as u64;
        let wanted = keep.saturating_sub(kept.len()).min(count);
        kept.extend_from_slice(&bytes[..wanted]);
    }
    Ok((FileRecord { size: ByteSize(size), mode, digest: hasher.finish() }, kept))
}
