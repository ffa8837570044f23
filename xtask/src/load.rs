//! Profiles from the disk: the only place where they are read.
//!
//! In: the profiles folder and which clusters are wanted. Out: [`Loaded`]: a model for each cluster without errors,
//! every finding, and the texts that pictures of findings need. Nothing outside the folder is ever read.

use crate::common::Common;
use crate::exit::{Code, Failure};
use crate::{picture, repository};
use anyhow::Context as _;
use blueprint::finding::{self, Finding, Rule, rules};
use blueprint::foreign;
use blueprint::model::Model;
use blueprint::parse::{self, Source};
use blueprint::resolve::{Profile, resolve};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One cluster that was read.
#[derive(Debug)]
pub struct Cluster {
    /// Its folder's name; `lock.toml` and `services/` are in that folder.
    pub name: String,
    /// The model, if there was no error.
    pub model: Option<Model>,
}

/// Everything that was read.
#[derive(Debug)]
pub struct Loaded {
    /// The clusters asked for, by name.
    pub clusters: Vec<Cluster>,
    /// Every finding, by file and place.
    pub findings: Vec<Finding>,
    /// Texts by the path findings use.
    pub texts: BTreeMap<Arc<str>, Arc<str>>,
}

impl Loaded {
    /// Whether anything forbids to go on.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(Finding::is_error)
    }
    /// Shows the findings on stderr, with the closing line.
    pub fn report(&self, common: &Common) -> anyhow::Result<()> {
        if self.findings.is_empty() {
            return Ok(());
        }
        let pictures = picture::pictures(&self.findings, &self.texts, &common.findings_prefix());
        let mut stderr = anstream::stderr().lock();
        writeln!(stderr, "{pictures}{}", picture::counts(&self.findings)).context("write to stderr")
    }
}

/// The profiles folder that `common` asks for.
pub fn profiles_folder(common: &Common) -> Result<PathBuf, Failure> {
    match &common.profiles {
        Some(folder) => Ok(folder.clone()),
        None => Ok(repository::root()?.join("profiles")),
    }
}

/// The models of the clusters named in `selection`, or of all, each with its folder; shows every finding, and refuses to
/// go on where one is an error.
pub fn load_valid(common: &Common, selection: &[String]) -> Result<Vec<(PathBuf, Model)>, Failure> {
    let profiles = profiles_folder(common)?;
    let loaded = load(&profiles, selection)?;
    loaded.report(common)?;
    if loaded.has_errors() {
        return Err(Failure::new(Code::InvalidProfile, "the profiles have errors, so nothing was done"));
    }
    let clusters = loaded.clusters.into_iter();
    Ok(clusters.filter_map(|cluster| Some((profiles.join(&cluster.name), cluster.model?))).collect())
}

/// Reads the clusters named in `selection`, or all.
pub fn load(profiles: &Path, selection: &[String]) -> Result<Loaded, Failure> {
    let root = profiles
        .canonicalize()
        .with_context(|| format!("open the profiles folder {}", profiles.display()))
        .map_err(Failure::with(Code::InvalidProfile))?;
    let mut reader = Reader { root, findings: Vec::new(), texts: BTreeMap::new() };
    let names = reader.cluster_names(selection)?;
    let roles = reader.roles();
    let clusters = names.into_iter().map(|name| reader.cluster(name, &roles)).collect();
    let Reader { mut findings, texts, .. } = reader;
    // Roles are read with every cluster; what is wrong with one is told once.
    finding::tidy(&mut findings);
    Ok(Loaded { clusters, findings, texts })
}

struct Reader {
    root: PathBuf,
    findings: Vec<Finding>,
    texts: BTreeMap<Arc<str>, Arc<str>>,
}

impl Reader {
    fn cluster_names(&mut self, selection: &[String]) -> Result<Vec<String>, Failure> {
        let mut names: Vec<String> = self
            .entries("")
            .into_iter()
            .filter(|name| !matches!(name.as_str(), "roles" | "schema") && !name.starts_with('.'))
            .filter(|name| self.root.join(name).is_dir())
            .collect();
        if let Some(unknown) = selection.iter().find(|wanted| !names.contains(wanted)) {
            let sentence = format!(
                "there is no cluster `{unknown}` in {}: there are {}",
                self.root.display(),
                names.join(", ")
            );
            return Err(Failure::new(Code::InvalidProfile, sentence));
        }
        if !selection.is_empty() {
            names.retain(|name| selection.contains(name));
        }
        if names.is_empty() {
            let sentence = format!(
                "{} holds no cluster: a cluster is a folder with a cluster.toml",
                self.root.display()
            );
            return Err(Failure::new(Code::InvalidProfile, sentence));
        }
        names.retain(|name| self.stays_inside(name));
        Ok(names)
    }

    fn roles(&mut self) -> Vec<Source> {
        let mut roles = Vec::new();
        for name in self.entries("roles") {
            let path = format!("roles/{name}");
            if Path::new(&name).extension().is_some_and(|extension| extension == "toml") {
                roles.extend(self.text(&path));
            } else {
                self.report(&rules::file::UNKNOWN_FILE, &path, "only NAME.toml is read here");
            }
        }
        roles
    }

    fn cluster(&mut self, name: String, roles: &[Source]) -> Cluster {
        let mut files = Vec::new();
        for entry in self.entries(&name) {
            let path = format!("{name}/{entry}");
            match entry.as_str() {
                "cluster.toml" | "lock.toml" => {}
                "services" => self.services(&path, &mut files),
                _ => self.report(&rules::file::UNKNOWN_FILE, &path, "nothing reads this file"),
            }
        }
        let folder = self.root.join(&name);
        let path = format!("{name}/cluster.toml");
        let model = if folder.join("cluster.toml").symlink_metadata().is_err() {
            self.report(&rules::file::MISSING_FILE, &path, "the cluster has no cluster.toml");
            None
        } else {
            self.text(&path).and_then(|source| {
                let profile = Profile { folder: &name, cluster: &source, roles, files: &files };
                let resolution = resolve(&profile);
                self.findings.extend(resolution.findings);
                if let Some(model) = &resolution.model {
                    self.unread_compose_files(model, &files);
                }
                resolution.model
            })
        };
        Cluster { name, model }
    }

    /// Files of services: those that are judged go to `files`; the others are held to a few guards alone.
    fn services(&mut self, folder: &str, files: &mut Vec<Source>) {
        for entry in self.entries(folder) {
            let path = format!("{folder}/{entry}");
            if !self.stays_inside(&path) {
                continue;
            }
            if self.root.join(&path).is_dir() {
                self.services(&path, files);
            } else if foreign::is_judged(&path) {
                files.extend(self.text(&path));
            } else if let Some(bytes) = self.bytes(&path)
                && let Ok(text) = std::str::from_utf8(&bytes)
            {
                let file: Arc<str> = path.as_str().into();
                let found = parse::tokens(&file, text);
                if !found.is_empty() {
                    self.texts.insert(file, text.into());
                    self.findings.extend(found);
                }
            }
        }
    }

    fn unread_compose_files(&mut self, model: &Model, files: &[Source]) {
        for file in files {
            let mut parts = file.path.split('/').skip(2);
            let (Some(name), Some("compose.yaml"), None) = (parts.next(), parts.next(), parts.next()) else {
                continue;
            };
            if model.services.get(name).is_none_or(|service| service.compose.is_none()) {
                let message = format!("no service `{name}` with kind = \"compose\" reads this file");
                self.report(&rules::file::UNKNOWN_FILE, &file.path, &message);
            }
        }
    }

    /// Names in a folder, sorted; an unreadable folder is a finding, a missing one has none.
    fn entries(&mut self, folder: &str) -> Vec<String> {
        let path = self.root.join(folder);
        if path.symlink_metadata().is_err() {
            return Vec::new();
        }
        match std::fs::read_dir(&path) {
            Ok(entries) => {
                let mut names: Vec<String> =
                    entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
                names.sort();
                names
            }
            Err(error) => {
                self.report(&rules::file::UNREADABLE, folder, &format!("the folder cannot be read: {error}"));
                Vec::new()
            }
        }
    }

    fn text(&mut self, path: &str) -> Option<Source> {
        let bytes = self.bytes(path)?;
        let (source, findings) = parse::text(path, &bytes);
        self.findings.extend(findings);
        if let Some(source) = &source {
            self.texts.insert(Arc::clone(&source.path), Arc::clone(&source.text));
        }
        source
    }

    fn bytes(&mut self, path: &str) -> Option<Vec<u8>> {
        if !self.stays_inside(path) {
            return None;
        }
        let full = self.root.join(path);
        // A pipe or device would block or never end.
        let read = full.metadata().and_then(|metadata| {
            if !metadata.is_file() {
                return Err(std::io::Error::other("it is not a plain file"));
            }
            if metadata.len() > parse::MAX_BYTES as u64 {
                return Ok(None);
            }
            std::fs::read(&full).map(Some)
        });
        match read {
            Ok(Some(bytes)) => Some(bytes),
            Ok(None) => {
                self.report(
                    &rules::file::TOO_LARGE,
                    path,
                    &format!("the file has more than {} bytes", parse::MAX_BYTES),
                );
                None
            }
            Err(error) => {
                self.report(&rules::file::UNREADABLE, path, &format!("the file cannot be read: {error}"));
                None
            }
        }
    }

    /// Follows links; one that leads out of the profiles folder, or nowhere, is a finding.
    fn stays_inside(&mut self, path: &str) -> bool {
        match self.root.join(path).canonicalize() {
            Ok(real) if real.starts_with(&self.root) => true,
            Ok(_) => {
                self.report(&rules::file::LINK_OUT, path, "this link leads out of the profiles folder");
                false
            }
            Err(error) => {
                self.report(&rules::file::UNREADABLE, path, &format!("the file cannot be read: {error}"));
                false
            }
        }
    }

    fn report(&mut self, rule: &'static Rule, path: &str, message: &str) {
        self.findings.push(Finding::new(rule, &Arc::from(path), 0..0, message));
    }
}
