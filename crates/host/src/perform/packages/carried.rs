//! Package files of the bundle: an archive on the node's own disk for as long as apt installs from it.
//!
//! In: the files of the bundle, verified on the way, and the names that are wanted. Out: those packages installed with
//! what they need, no network asked. apt is given an index of the files and nothing else to read, so that it takes of
//! them what is needed and never an older version than the one there (decision 0058).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Write as _};

use desired::resource::{PACKAGE_FILES, PackageFile, PackageManager};
use desired::{AbsPath, ArtifactName, Digest, manifest::BundlePath};

use super::apt::{apt, configure, install, noninteractive};
use super::locks;
use super::trouble::explained;
use crate::bundle::take;
use crate::perform::{PerformError, Performer, artifact::verified_copy};
use crate::process::Invocation;
use crate::report::Report;
use crate::root::{Ownership, Root};

/// apt-get(8): what it answers to everything it can't do.
const REFUSED: i32 = 100;

impl Performer<'_> {
    /// Installs what `files` hold of `names` from them, then the rest from the archives this node knows.
    pub(super) fn carried(
        &self,
        names: &BTreeSet<String>,
        there: &BTreeSet<String>,
        files: &BTreeMap<ArtifactName, PackageFile>,
    ) -> Result<(), PerformError> {
        let folder: AbsPath = PACKAGE_FILES.parse().map_err(other)?;
        clear(self.root, &folder)?;
        let laid = self.lay(&folder, files).and_then(|archive| archive.install(names, there, &self.report));
        // They are in the bundle, and as large as they are.
        clear(self.root, &folder)?;
        laid
    }

    /// Lays the files down with an index.
    fn lay(
        &self,
        folder: &AbsPath,
        files: &BTreeMap<ArtifactName, PackageFile>,
    ) -> Result<Archive, PerformError> {
        let mut archive = Archive { folder: folder.clone(), paths: BTreeMap::new() };
        let mut index = String::new();
        for (artifact, file) in files {
            let path = folder.join(&format!("{artifact}.deb")).map_err(other)?;
            self.journal.make_folder(&path).map_err(PerformError::file("make the folder of", &path))?;
            let (digest, size) = self.lay_one(&path, artifact, file)?;
            let fields = noninteractive("dpkg-deb").args(["--field", path.as_str()]).run()?.text();
            let package =
                field(&fields, "Package").ok_or_else(|| other(format!("{path} names no package")))?;
            archive.paths.entry(package.to_owned()).or_default().push(path.to_string());
            index.push_str(&paragraph(&fields, artifact, size, &digest));
        }
        self.lay_text(folder, "Packages", &index)?;
        // Our own digests were held against the manifest's, so nobody has to sign the index.
        self.lay_text(folder, "sources.list", &format!("deb [trusted=yes] file:{folder} ./\n"))?;
        for name in ["lists/partial/x", "cache/archives/partial/x"] {
            let inner = folder.join(name).map_err(other)?;
            self.journal.make_folder(&inner).map_err(PerformError::file("make the folder of", &inner))?;
        }
        Ok(archive)
    }

    /// One file to `path`, out of the bundle or fetched; its digest and size.
    fn lay_one(
        &self,
        path: &AbsPath,
        artifact: &ArtifactName,
        file: &PackageFile,
    ) -> Result<(Digest, u64), PerformError> {
        let from = BundlePath::artifact(artifact, &file.file).map_err(other)?;
        let fetched = match self.bundle.manifest.files.contains_key(&from) {
            true => None,
            false => Some(self.fetch(&from)?),
        };
        let digest = file.pinned.file_digest().or(fetched.as_ref().map(|fetched| &fetched.digest));
        let digest = digest.ok_or_else(|| other(format!("{artifact} is in the bundle without a digest")))?;
        let mut size = 0;
        let mut copy = |bytes: &mut dyn Read, out: &mut File| {
            size = verified_copy(bytes, out, digest, path)?;
            Ok::<(), PerformError>(())
        };
        let place = self.root.place(path).map_err(PerformError::file("reach", path))?;
        place.write(Ownership::private(0o644), |out| match &fetched {
            Some(fetched) => copy(&mut fetched.open(self.root)?, out),
            None => take(self.bundle, &from, |bytes| copy(bytes, out)),
        })?;
        if let Some(fetched) = &fetched {
            fetched.remove(self.root)?;
        }
        Ok((digest.clone(), size))
    }

    fn lay_text(&self, folder: &AbsPath, name: &str, text: &str) -> Result<(), PerformError> {
        let path = folder.join(name).map_err(other)?;
        let place = self.root.place(&path).map_err(PerformError::file("reach", &path))?;
        let written = place.write(Ownership::private(0o644), |file| file.write_all(text.as_bytes()));
        written.map_err(PerformError::file("write", &path))
    }
}

/// The files as an archive that apt reads.
struct Archive {
    folder: AbsPath,
    /// Where each package lies, by its own name; more than once for several architectures or versions.
    paths: BTreeMap<String, Vec<String>>,
}

impl Archive {
    fn install(
        &self,
        names: &BTreeSet<String>,
        there: &BTreeSet<String>,
        report: &Report,
    ) -> Result<(), PerformError> {
        locks::wait(report)?;
        let (own, mut rest): (BTreeSet<&String>, BTreeSet<&String>) =
            names.difference(there).partition(|name| self.paths.contains_key(*name));
        let refused = match own.is_empty() {
            true => None,
            false => self.alone(&own)?,
        };
        let Some(why) = refused else {
            return if rest.is_empty() { Ok(()) } else { install(rest, report) };
        };
        // What is missing here the node's own archives may have; where they don't answer, that is not the reason to tell.
        let files: Vec<&String> = own.iter().filter_map(|name| self.paths[*name].first()).collect();
        rest.extend(files);
        install(rest, report).map_err(|_| other(why))
    }

    /// Installs `names` from these files alone; why not, if they are not enough.
    fn alone(&self, names: &BTreeSet<&String>) -> Result<Option<String>, PerformError> {
        configure();
        self.only(apt("update")).run().map_err(|error| explained(PackageManager::Apt, error))?;
        let call = self.only(apt("install")).arg("--").args(names.iter().map(|name| name.as_str()));
        let output =
            call.accept([0, REFUSED]).run().map_err(|error| explained(PackageManager::Apt, error))?;
        if output.code != REFUSED {
            return Ok(None);
        }
        let text = output.text();
        let lacking = unmet(&text);
        let said = if lacking.is_empty() { output.stderr_tail.trim().to_owned() } else { lacking.join("; ") };
        Ok(Some(format!(
            "the bundle's package files are not enough and no archive has the rest; {said}; add what is missing to \
             [package-files] and build the bundle again"
        )))
    }

    /// The call with this archive as all it knows, and folders of its own to note that.
    fn only(&self, call: Invocation) -> Invocation {
        let folder = &self.folder;
        let options = [
            format!("Dir::Etc::sourcelist={folder}/sources.list"),
            "Dir::Etc::sourceparts=/dev/null".to_owned(),
            format!("Dir::State::lists={folder}/lists"),
            format!("Dir::Cache={folder}/cache"),
            // Its own user can't look into this folder.
            "APT::Sandbox::User=root".to_owned(),
        ];
        options.into_iter().fold(call, |call, option| call.arg("--option").arg(option))
    }
}

/// What an index says of one file: its own fields, where it is, and what its bytes are.
fn paragraph(fields: &str, artifact: &ArtifactName, size: u64, digest: &Digest) -> String {
    let fields = fields.trim_end();
    format!("{fields}\nFilename: ./{artifact}.deb\nSize: {size}\nSHA256: {}\n\n", digest.hex())
}

/// A field of a paragraph.
fn field<'t>(fields: &'t str, name: &str) -> Option<&'t str> {
    let line = fields.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.map(str::trim)
}

/// apt's lines about what packages need and can't have: ` tzdata : Depends: debconf (>= 0.5) but it is not installable`.
fn unmet(text: &str) -> Vec<&str> {
    let lines = text.lines().skip_while(|line| !line.contains("unmet dependencies")).skip(1);
    lines.take_while(|line| line.starts_with(' ')).map(str::trim).collect()
}

/// Removes `place` with everything in it.
fn clear(root: &Root, place: &AbsPath) -> Result<(), PerformError> {
    crate::journal::remove_all(root, place).map_err(PerformError::file("clear", place))
}

fn other(why: impl std::fmt::Display) -> PerformError {
    PerformError::Other(why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_apt_lacks_is_read_off_its_own_words() {
        let text = "Reading package lists...\nThe following packages have unmet dependencies:\n \
                    a : Depends: b (>= 2) but it is not installable\n     Depends: c but it is not installable\nE: x\n";
        assert_eq!(unmet(text).len(), 2);
        assert!(unmet(text)[0].starts_with("a : Depends: b"));
        assert_eq!(unmet("nothing of the kind\n a\n"), Vec::<&str>::new());
    }

    #[test]
    fn an_index_repeats_the_fields_and_says_where_and_what() {
        let fields = "Package: tzdata\nVersion: 1\nDescription: zones\n of the world\n";
        let artifact = "package-tzdata".parse().unwrap();
        let text = paragraph(fields, &artifact, 3, &Digest::sha256_of(b"abc"));
        assert!(text.starts_with("Package: tzdata\n") && text.ends_with("f20015ad\n\n"), "{text}");
        assert!(
            text.contains(" of the world\nFilename: ./package-tzdata.deb\nSize: 3\nSHA256: ba78"),
            "{text}"
        );
        assert_eq!(field(fields, "Package"), Some("tzdata"));
        assert_eq!(field(fields, "Depends"), None);
    }
}
