//! An OCI layout as a folder: written aside and renamed, read with every digest checked.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use desired::Digest;
use serde::de::DeserializeOwned;

use super::spec::{self, Descriptor, Index, Manifest};
use crate::archive::tar::Entry;
use crate::archive::{ArchiveError, Options, Sum, Sums, pack};
use crate::digest::Hasher;

/// Longest JSON document that is read; registries allow 4 MiB too.
const DOCUMENT_MAX: u64 = 4 << 20;

/// What can go wrong with a layout on disk.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// The file system refused.
    #[error("cannot {act} {}: {source}", path.display())]
    File {
        /// What was tried.
        act: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A document is not what the specification says.
    #[error("{} is no valid OCI layout: {why}; build the image again", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A blob's bytes are not those its name promises.
    #[error("blob {} has {found}; build the image again", path.display())]
    Corrupt {
        /// The blob.
        path: PathBuf,
        /// Its real digest or size.
        found: String,
    },
    /// A layer could not be packed.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

fn file_error(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LayoutError {
    let path = path.to_owned();
    move |source| LayoutError::File { act, path, source }
}

/// A layout being written beside its final place; dropped unfinished, it leaves nothing.
#[derive(Debug)]
pub struct LayoutWriter {
    target: PathBuf,
    aside: PathBuf,
    blobs: PathBuf,
    /// How many layers were begun; several are written side by side.
    parts: AtomicUsize,
}

impl LayoutWriter {
    /// Starts the layout that shall be the folder `target`.
    ///
    /// # Errors
    /// If the folder beside it can't be made.
    pub fn create(target: &Path) -> Result<Self, LayoutError> {
        let Some(name) = target.file_name() else {
            return Err(LayoutError::Invalid {
                path: target.to_owned(),
                why: "it names no folder".to_owned(),
            });
        };
        let mut name = name.to_owned();
        name.push(format!(".part-{}", std::process::id()));
        let aside = target.with_file_name(name);
        let blobs = aside.join("blobs/sha256");
        let writer = Self { target: target.to_owned(), aside, blobs, parts: AtomicUsize::new(0) };
        fs::create_dir_all(&writer.blobs).map_err(file_error("create", &writer.blobs))?;
        Ok(writer)
    }

    /// Where the layout grows until it is finished.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.aside
    }

    /// Adds bytes as a blob.
    ///
    /// # Errors
    /// If they can't be written.
    pub fn bytes(&self, media_type: &str, bytes: &[u8]) -> Result<Descriptor, LayoutError> {
        let sum = Sum::of(bytes);
        let path = self.blobs.join(sum.digest.hex());
        write_new(&path, bytes)?;
        Ok(Descriptor::new(media_type, sum))
    }

    /// Adds a document as a JSON blob.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn json(
        &self,
        media_type: &str,
        document: &impl serde::Serialize,
    ) -> Result<Descriptor, LayoutError> {
        let bytes = serde_json::to_vec(document)
            .map_err(|error| LayoutError::Invalid { path: self.target.clone(), why: error.to_string() })?;
        self.bytes(media_type, &bytes)
    }

    /// Adds the file `source`, whose sum the caller knows: a hard link where that works, else a copy.
    ///
    /// # Errors
    /// If neither works.
    pub fn link(&self, media_type: &str, source: &Path, sum: &Sum) -> Result<Descriptor, LayoutError> {
        let path = self.blobs.join(sum.digest.hex());
        match fs::hard_link(source, &path) {
            // The same blob, by its name. A copy onto it would empty the file it is a link of.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(_) => drop(fs::copy(source, &path).map_err(file_error("copy into the layout", source))?),
            Ok(()) => {}
        }
        Ok(Descriptor::new(media_type, sum.clone()))
    }

    /// Packs entries as a gzipped layer; gives the sums of both forms.
    ///
    /// # Errors
    /// As [`pack`].
    pub fn layer(&self, entries: &[Entry], options: &Options) -> Result<Sums, LayoutError> {
        let part = self.blobs.join(format!("layer-{}.part", self.parts.fetch_add(1, Ordering::Relaxed)));
        let mut file = File::create(&part).map_err(file_error("create", &part))?;
        let sums = pack(&mut file, entries, options, &|_| {}).map_err(|error| match error {
            ArchiveError::Write { source, .. } => {
                ArchiveError::Write { target: self.target.display().to_string(), source }
            }
            other => other,
        })?;
        let path = self.blobs.join(sums.packed.digest.hex());
        fs::rename(&part, &path).map_err(file_error("rename", &part))?;
        Ok(sums)
    }

    /// Writes `index.json` around `image` and gives the layout its name, in place of an older one.
    ///
    /// # Errors
    /// If that can't be written; then an older layout is as it was.
    pub fn finish(self, image: Descriptor) -> Result<Layout, LayoutError> {
        write_new(&self.aside.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        let index = Index {
            schema_version: 2,
            media_type: Some(spec::INDEX.to_owned()),
            manifests: vec![image],
            annotations: spec::Annotations::new(),
        };
        let path = self.aside.join("index.json");
        let bytes = serde_json::to_vec(&index)
            .map_err(|error| LayoutError::Invalid { path: path.clone(), why: error.to_string() })?;
        write_new(&path, &bytes)?;
        self.rename()?;
        Layout::open(&self.target)
    }

    fn rename(&self) -> Result<(), LayoutError> {
        let old = self.aside.with_extension("old");
        let replaced = self.target.exists();
        if replaced {
            fs::rename(&self.target, &old).map_err(file_error("move away", &self.target))?;
        }
        if let Err(source) = fs::rename(&self.aside, &self.target) {
            if replaced {
                fs::rename(&old, &self.target).map_err(file_error("move back", &old))?;
            }
            return Err(file_error("rename to", &self.target)(source));
        }
        if replaced {
            fs::remove_dir_all(&old).map_err(file_error("remove", &old))?;
        }
        Ok(())
    }
}

impl Drop for LayoutWriter {
    fn drop(&mut self) {
        // After a rename there is nothing to remove; otherwise the fault that led here is the one to report.
        let _ = fs::remove_dir_all(&self.aside);
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), LayoutError> {
    let mut file = File::create(path).map_err(file_error("create", path))?;
    file.write_all(bytes).map_err(file_error("write", path))
}

/// A finished layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    folder: PathBuf,
    /// The one image of `index.json`.
    pub image: Descriptor,
}

impl Layout {
    /// Opens the layout in `folder`, which must name exactly one image.
    ///
    /// # Errors
    /// If its documents are missing, no JSON, or name none or several.
    pub fn open(folder: &Path) -> Result<Self, LayoutError> {
        let path = folder.join("index.json");
        let mut bytes = Vec::new();
        File::open(&path)
            .and_then(|file| file.take(DOCUMENT_MAX).read_to_end(&mut bytes))
            .map_err(file_error("read", &path))?;
        let invalid = |why: String| LayoutError::Invalid { path: path.clone(), why };
        let index: Index = serde_json::from_slice(&bytes).map_err(|error| invalid(error.to_string()))?;
        match <[Descriptor; 1]>::try_from(index.manifests) {
            Ok([image]) => Ok(Self { folder: folder.to_owned(), image }),
            Err(several) => Err(invalid(format!("it names {} images, one is expected", several.len()))),
        }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of a blob, whether it exists or not.
    #[must_use]
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.folder.join("blobs").join(digest.algorithm().as_str()).join(digest.hex())
    }

    /// A JSON blob, verified.
    ///
    /// # Errors
    /// If it is missing, too long, not what its digest says, or not JSON of this form.
    pub fn document<T: DeserializeOwned>(&self, descriptor: &Descriptor) -> Result<T, LayoutError> {
        let path = self.blob_path(&descriptor.digest);
        let bytes = self.raw_document(descriptor)?;
        serde_json::from_slice(&bytes).map_err(|error| LayoutError::Invalid { path, why: error.to_string() })
    }

    /// The bytes of a JSON blob, verified.
    ///
    /// # Errors
    /// If it is missing, too long or not what its digest says.
    pub fn raw_document(&self, descriptor: &Descriptor) -> Result<Vec<u8>, LayoutError> {
        let path = self.blob_path(&descriptor.digest);
        let mut bytes = Vec::new();
        File::open(&path)
            .and_then(|file| file.take(DOCUMENT_MAX).read_to_end(&mut bytes))
            .map_err(file_error("read", &path))?;
        let mut hasher = Hasher::new(descriptor.digest.algorithm());
        hasher.update(&bytes);
        let found = hasher.finish();
        if found == descriptor.digest {
            Ok(bytes)
        } else {
            Err(LayoutError::Corrupt { path, found: format!("the digest {found}") })
        }
    }

    /// The images of the index by platform, attestations left out (FIELD B7).
    ///
    /// # Errors
    /// As [`Layout::document`].
    pub fn manifests(&self) -> Result<Vec<(Descriptor, Manifest)>, LayoutError> {
        let index: Index = self.document(&self.image)?;
        let images = index
            .manifests
            .into_iter()
            .filter(|descriptor| !descriptor.annotations.contains_key(spec::REFERENCE_TYPE));
        images.map(|descriptor| Ok((descriptor.clone(), self.document(&descriptor)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_linked_twice_stays_whole() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("layer.tar.gz");
        fs::write(&source, "the layer").unwrap();
        let writer = LayoutWriter::create(&folder.path().join("layout")).unwrap();
        let sum = Sum::of(b"the layer");
        let first = writer.link(spec::LAYER, &source, &sum).unwrap();
        assert_eq!(writer.link(spec::LAYER, &source, &sum).unwrap(), first);
        let blob = writer.folder().join("blobs/sha256").join(sum.digest.hex());
        assert_eq!(fs::read(blob).unwrap(), b"the layer");
        assert_eq!(fs::read(&source).unwrap(), b"the layer");
    }
}
