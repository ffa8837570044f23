//! Layer plans to blobs, taking what is there already.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use desired::Digest;

use super::{BuildError, Request};
use crate::archive::tar::{self, Entry, Limits, Source};
use crate::archive::{ArchiveError, DigestingReader, Options, Sum, Sums, gzip};
use crate::digest::Hasher;
use crate::oci::layout::{Layout, LayoutWriter};
use crate::oci::spec::{Descriptor, ImageConfig, LAYER};

/// Annotation of a layer: the digest of what it was packed from. It lets the next build find it.
const INPUT: &str = "rootstock.layer.input";
/// Raised when the same input gives other bytes.
const FORMAT: &str = "1";

/// What one instruction adds to the image.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LayerPlan {
    /// A `tar.gz` that is the layer already.
    Archive(PathBuf),
    /// Entries to pack.
    Entries(Vec<Entry>),
}

/// A layer's blob and diff ID, once somebody has made it; whoever wants the same layer meanwhile waits.
type Made = Arc<Mutex<Option<(Descriptor, Digest)>>>;

/// Makes layers, each input once, for all platforms side by side.
pub(super) struct Layers<'a> {
    writer: &'a LayoutWriter,
    options: &'a Options,
    known: BTreeMap<PathBuf, &'a Sums>,
    previous: Option<Previous>,
    made: Mutex<BTreeMap<String, Made>>,
    pub(super) packed: AtomicUsize,
    pub(super) reused: AtomicUsize,
}

/// The last build's layers.
struct Previous {
    layout: Layout,
    by_input: BTreeMap<String, (Descriptor, Digest)>,
    by_digest: BTreeMap<Digest, Digest>,
}

impl<'a> Layers<'a> {
    pub(super) fn new(writer: &'a LayoutWriter, options: &'a Options, request: &'a Request<'_>) -> Self {
        let known = request.known.iter();
        Self {
            writer,
            options,
            known: known.filter_map(|(path, sums)| Some((fs::canonicalize(path).ok()?, sums))).collect(),
            previous: request.previous.as_deref().and_then(Previous::open),
            made: Mutex::default(),
            packed: AtomicUsize::new(0),
            reused: AtomicUsize::new(0),
        }
    }

    /// The blob of `plan` and its diff ID.
    pub(super) fn make(&self, plan: &LayerPlan) -> Result<(Descriptor, Digest), BuildError> {
        match plan {
            LayerPlan::Archive(path) => self.archive(path),
            LayerPlan::Entries(entries) => self.entries(entries),
        }
    }

    fn archive(&self, path: &Path) -> Result<(Descriptor, Digest), BuildError> {
        let sums = match self.known.get(path) {
            Some(sums) => (*sums).clone(),
            None => self.read_archive(path)?,
        };
        self.reused.fetch_add(1, Ordering::Relaxed);
        Ok((self.writer.link(LAYER, path, &sums.packed)?, sums.plain.digest))
    }

    /// The sums of an archive nobody vouches for; its content is only read when the last build did not have it.
    fn read_archive(&self, path: &Path) -> Result<Sums, BuildError> {
        if let Some(previous) = &self.previous {
            let packed = file_sum(path).map_err(BuildError::read(path))?;
            if let Some(diff_id) = previous.by_digest.get(&packed.digest) {
                let plain = Sum { digest: diff_id.clone(), size: 0 };
                return Ok(Sums { packed, plain });
            }
        }
        let file = File::open(path).map_err(BuildError::read(path))?;
        let mut packed = DigestingReader::new(file);
        let mut plain = DigestingReader::new(gzip::Reader::new(&mut packed));
        walk(&mut plain, &mut |_, _| Ok(()))?;
        let plain = plain.finish();
        Ok(Sums { packed: packed.finish(), plain })
    }

    fn entries(&self, entries: &[Entry]) -> Result<(Descriptor, Digest), BuildError> {
        let input = self.input(entries)?;
        let place = Arc::clone(lock(&self.made).entry(input.clone()).or_default());
        let mut place = lock(&place);
        if let Some(made) = &*place {
            return Ok(made.clone());
        }
        let made = match self.previous.as_ref().and_then(|previous| previous.take(&input)) {
            Some((descriptor, diff_id, blob)) => {
                let sum = Sum { digest: descriptor.digest.clone(), size: descriptor.size };
                self.writer.link(LAYER, &blob, &sum)?;
                self.reused.fetch_add(1, Ordering::Relaxed);
                (descriptor, diff_id)
            }
            None => {
                let sums = self.writer.layer(entries, self.options)?;
                self.packed.fetch_add(1, Ordering::Relaxed);
                let mut descriptor = Descriptor::new(LAYER, sums.packed);
                descriptor.annotations.insert(INPUT.to_owned(), input);
                (descriptor, sums.plain.digest)
            }
        };
        *place = Some(made.clone());
        Ok(made)
    }

    /// The digest of everything that decides a layer's bytes.
    fn input(&self, entries: &[Entry]) -> Result<String, BuildError> {
        let mut hasher = Hasher::new(desired::types::DigestAlgorithm::Sha256);
        let Options { mtime, level, .. } = self.options;
        hasher.update(format!("{FORMAT} {mtime} {level}\0").as_bytes());
        for Entry { path, mode, owner, source } in entries {
            let content = match source {
                Source::Bytes(bytes) => format!("file {}", Digest::sha256_of(bytes)),
                Source::File { path, .. } => {
                    format!("file {}", file_sum(path).map_err(BuildError::read(path))?.digest)
                }
                Source::Folder => "folder".to_owned(),
                Source::Link(target) => format!("link {target}"),
            };
            hasher.update(format!("{path}\0{mode} {} {} {content}\0", owner.0, owner.1).as_bytes());
        }
        Ok(hasher.finish().to_string())
    }
}

/// What a mutex holds; a thread that panicked ends the whole build, so what it left is not looked at.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Previous {
    /// Reads the layout; one that is missing or damaged only means that nothing can be taken from it.
    fn open(folder: &Path) -> Option<Self> {
        let layout = Layout::open(folder).ok()?;
        let (mut by_input, mut by_digest) = (BTreeMap::new(), BTreeMap::new());
        for (_, manifest) in layout.manifests().ok()? {
            let config: ImageConfig = layout.document(&manifest.config).ok()?;
            for (layer, diff_id) in manifest.layers.into_iter().zip(config.rootfs.diff_ids) {
                by_digest.insert(layer.digest.clone(), diff_id.clone());
                if let Some(input) = layer.annotations.get(INPUT) {
                    by_input.insert(input.clone(), (layer, diff_id));
                }
            }
        }
        Some(Self { layout, by_input, by_digest })
    }

    /// The layer of `input`, if its blob still is what its name says.
    fn take(&self, input: &str) -> Option<(Descriptor, Digest, PathBuf)> {
        let (descriptor, diff_id) = self.by_input.get(input)?;
        let blob = self.layout.blob_path(&descriptor.digest);
        let sum = file_sum(&blob).ok()?;
        (sum.digest == descriptor.digest && sum.size == descriptor.size)
            .then(|| (descriptor.clone(), diff_id.clone(), blob))
    }
}

fn file_sum(path: &Path) -> io::Result<Sum> {
    let mut reader = DigestingReader::new(File::open(path)?);
    let mut buffer = vec![0; 256 * 1024];
    while reader.read(&mut buffer)? != 0 {}
    Ok(reader.finish())
}

/// Most bytes an archive may unpack to when it has to be packed again below another folder.
const REPACKED_MAX: u64 = 512 << 20;

/// Every member of a tar with its bytes, checked; a name that layers read as a deletion is refused.
fn walk(
    source: impl Read,
    visit: &mut dyn FnMut(&mut tar::Member<'_>, &str) -> Result<(), ArchiveError>,
) -> Result<(), ArchiveError> {
    tar::read(source, &Limits::LAYER, |member| {
        let path = member.path.clone();
        if path.rsplit('/').next().is_some_and(|name| name.starts_with(".wh.")) {
            return Err(ArchiveError::refused(&path, "a layer would take its name for a deletion"));
        }
        visit(member, &path)
    })
}

/// How an archive on disk is compressed, told by its first bytes; none when it is no archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Gzip,
    /// bzip2, xz or zstd, which the embedded engine does not unpack.
    Other(&'static str),
}

/// Looks at the first bytes of `path`.
pub(super) fn packing(path: &Path) -> Result<Option<Packing>, BuildError> {
    let mut start = Vec::new();
    let file = File::open(path).map_err(BuildError::read(path))?;
    file.take(512).read_to_end(&mut start).map_err(BuildError::read(path))?;
    Ok(match start.as_slice() {
        [0x1f, 0x8b, ..] => Some(Packing::Gzip),
        [b'B', b'Z', b'h', ..] => Some(Packing::Other("bzip2")),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Packing::Other("xz")),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Packing::Other("zstd")),
        header if header.get(257..262) == Some(b"ustar") => Some(Packing::Plain),
        _ => None,
    })
}

/// The entries of an archive, their bytes in memory when `content` is asked for.
pub(super) fn unpack(path: &Path, packing: Packing, content: bool) -> Result<Vec<Entry>, BuildError> {
    let file = io::BufReader::new(File::open(path).map_err(BuildError::read(path))?);
    let mut entries = Vec::new();
    let mut left = REPACKED_MAX;
    let mut collect = |member: &mut tar::Member<'_>, path: &str| {
        let mut bytes = Vec::new();
        if content {
            left = left.checked_sub(member.size).ok_or_else(|| {
                ArchiveError::refused(
                    path,
                    "the archive is too large to be packed again; add it to / instead",
                )
            })?;
            member.read_to_end(&mut bytes)?;
        }
        let source = match &member.kind {
            tar::Kind::File => Source::Bytes(bytes),
            tar::Kind::Folder => Source::Folder,
            tar::Kind::Link(target) => Source::Link(target.clone()),
        };
        entries.push(Entry { path: path.to_owned(), mode: member.mode, owner: member.owner, source });
        Ok(())
    };
    if packing == Packing::Gzip {
        walk(gzip::Reader::new(file), &mut collect)?;
    } else {
        walk(file, &mut collect)?;
    }
    Ok(entries)
}

/// `path` with links resolved, as archives are told apart.
pub(super) fn canonical(path: &Path) -> Result<PathBuf, BuildError> {
    fs::canonicalize(path).map_err(BuildError::read(path))
}
