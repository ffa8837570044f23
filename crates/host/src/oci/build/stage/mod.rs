//! Instructions to an image plan for one architecture: configuration, history, layers to be.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use desired::{Arch, Mode};

use super::context::{self, Found, Miss};
use super::layer::{self, LayerPlan, Packing};
use super::tree::{Node, Tree};
use super::{BuildError, Request};
use crate::archive::tar::Entry;
use crate::oci::dockerfile::{Dockerfile, Instruction, Kind, Transfer, words};
use crate::oci::spec::{self, History, Nothing, RunConfig};

/// What BuildKit gives every Linux image that has no PATH of its own.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The plan of one platform.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) config: RunConfig,
    pub(super) history: Vec<History>,
    pub(super) layers: Vec<LayerPlan>,
}

/// Evaluates every instruction; reads the contexts' folders, but no file's content save archives it must unpack.
pub(super) fn evaluate(
    request: &Request<'_>,
    dockerfile: &Dockerfile,
    arch: Arch,
) -> Result<Stage, BuildError> {
    let mut evaluation = Evaluation::new(request, dockerfile, arch);
    for instruction in &dockerfile.global {
        if let Kind::Arg(arguments) = &instruction.kind {
            evaluation.arguments(arguments, true).map_err(|miss| evaluation.fail(instruction, miss))?;
        }
    }
    evaluation.global = std::mem::take(&mut evaluation.arguments);
    for instruction in &dockerfile.instructions {
        let before = evaluation.layers.len();
        evaluation.step(&instruction.kind).map_err(|miss| evaluation.fail(instruction, miss))?;
        evaluation.history.push(History {
            created: Some(spec::rfc3339(request.epoch)),
            created_by: Some(instruction.text.clone()),
            comment: Some("rootstock".to_owned()),
            empty_layer: evaluation.layers.len() == before,
        });
    }
    let Evaluation { config, history, layers, .. } = evaluation;
    Ok(Stage { config, history, layers })
}

struct Evaluation<'a> {
    request: &'a Request<'a>,
    dockerfile: &'a Dockerfile,
    arch: Arch,
    global: BTreeMap<String, String>,
    arguments: BTreeMap<String, String>,
    config: RunConfig,
    history: Vec<History>,
    layers: Vec<LayerPlan>,
    tree: Tree,
    /// Archives in the layers whose paths are not in the tree yet; most images never ask.
    unread: Vec<PathBuf>,
}

impl<'a> Evaluation<'a> {
    fn new(request: &'a Request<'a>, dockerfile: &'a Dockerfile, arch: Arch) -> Self {
        let config =
            RunConfig { env: vec![PATH.to_owned()], working_dir: "/".to_owned(), ..RunConfig::default() };
        Self {
            request,
            dockerfile,
            arch,
            global: BTreeMap::new(),
            arguments: BTreeMap::new(),
            config,
            history: Vec::new(),
            layers: Vec::new(),
            tree: Tree::default(),
            unread: Vec::new(),
        }
    }

    fn fail(&self, instruction: &Instruction, miss: Miss) -> BuildError {
        match miss {
            Miss::Wrong(why) => self.dockerfile.error(instruction, why).into(),
            Miss::Failed(error) => error,
        }
    }

    fn step(&mut self, kind: &Kind) -> Result<(), Miss> {
        match kind {
            Kind::Arg(arguments) => self.arguments(arguments, false)?,
            Kind::Env(pairs) => {
                for (key, value) in self.expand_pairs(pairs)? {
                    self.set_environment(&key, &value);
                }
            }
            Kind::Label(pairs) => {
                let pairs = self.expand_pairs(pairs)?;
                self.config.labels.extend(pairs);
            }
            Kind::Copy(transfer) => self.transfer(transfer, false)?,
            Kind::Add(transfer) => self.transfer(transfer, true)?,
            Kind::Workdir(path) => self.workdir(path)?,
            Kind::User(user) => self.config.user = self.expand(user)?,
            Kind::Entrypoint(words) => self.config.entrypoint.clone_from(words),
            Kind::Cmd(words) => self.config.cmd.clone_from(words),
            Kind::Expose(ports) => {
                for port in ports {
                    let ports = exposed(&self.expand(port)?)?;
                    self.config.exposed_ports.extend(ports.into_iter().map(|port| (port, Nothing {})));
                }
            }
            Kind::Volume(paths) => {
                for path in paths {
                    self.config.volumes.insert(self.expand(path)?, Nothing {});
                }
            }
            Kind::StopSignal(signal) => self.config.stop_signal = self.expand(signal)?,
        }
        Ok(())
    }

    /// `ARG`: the caller's value, then the platform's, then the default, then the one before `FROM`.
    fn arguments(&mut self, arguments: &[(String, Option<String>)], before_from: bool) -> Result<(), Miss> {
        for (name, default) in arguments {
            let given = self.request.arguments.get(name).cloned().or_else(|| self.built_in(name));
            let value = match (given, default) {
                (Some(value), _) => Some(value),
                (None, Some(default)) => Some(self.expand(default)?),
                (None, None) if before_from => None,
                (None, None) => self.global.get(name).cloned(),
            };
            if let Some(value) = value {
                self.arguments.insert(name.clone(), value);
            }
        }
        Ok(())
    }

    /// The platform arguments as BuildKit has them; it normalises arm64's variant away.
    fn built_in(&self, name: &str) -> Option<String> {
        Some(match name {
            "TARGETPLATFORM" => format!("linux/{}", self.arch),
            "TARGETOS" => "linux".to_owned(),
            "TARGETARCH" => self.arch.to_string(),
            "TARGETVARIANT" => String::new(),
            "SOURCE_DATE_EPOCH" => self.request.epoch.to_string(),
            _ => return None,
        })
    }

    fn expand(&self, text: &str) -> Result<String, Miss> {
        let lookup = |name: &str| {
            let environment = self.config.env.iter().find_map(|pair| match pair.split_once('=') {
                Some((key, value)) if key == name => Some(value.to_owned()),
                _ => None,
            });
            environment.or_else(|| self.arguments.get(name).cloned())
        };
        words::expand(text, self.dockerfile.escape, &lookup).map_err(Miss::Wrong)
    }

    fn expand_pairs(&self, pairs: &[(String, String)]) -> Result<Vec<(String, String)>, Miss> {
        pairs.iter().map(|(key, value)| Ok((self.expand(key)?, self.expand(value)?))).collect()
    }

    fn set_environment(&mut self, key: &str, value: &str) {
        let pair = format!("{key}={value}");
        match self.config.env.iter_mut().find(|old| old.split('=').next() == Some(key)) {
            Some(old) => *old = pair,
            None => self.config.env.push(pair),
        }
    }

    fn workdir(&mut self, path: &str) -> Result<(), Miss> {
        let path = self.inside(&self.expand(path)?)?;
        self.config.working_dir = format!("/{path}");
        self.read_archives()?;
        if self.tree.is_folder(&path) {
            return Ok(());
        }
        let user = self.config.user.clone();
        let owner = if user.is_empty() { (0, 0) } else { numeric_owner(&user, "USER")? };
        let mut entries = self.tree.above(&path, owner);
        entries.push(Entry { owner, ..Entry::folder(&path, Mode::EXECUTABLE) });
        self.push(entries);
        Ok(())
    }

    /// `target` from the working folder, as a clean path without the first slash.
    fn inside(&self, target: &str) -> Result<String, Miss> {
        let from_root = if target.starts_with('/') {
            target.to_owned()
        } else {
            format!("{}/{target}", self.config.working_dir)
        };
        let mut parts = Vec::new();
        for part in from_root.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    return Err(Miss::Wrong(format!("{target} climbs with `..`; write the path without it")));
                }
                part => parts.push(part),
            }
        }
        Ok(parts.join("/"))
    }

    fn push(&mut self, mut entries: Vec<Entry>) {
        // Folders above may be named by several sources.
        entries.sort_by(|one, other| one.path.cmp(&other.path));
        entries.dedup_by(|later, earlier| later.path == earlier.path && later == earlier);
        self.tree.apply(&entries);
        self.layers.push(LayerPlan::Entries(entries));
    }

    /// Brings the paths of archives that are layers as they are into the tree.
    fn read_archives(&mut self) -> Result<(), Miss> {
        for path in std::mem::take(&mut self.unread) {
            let entries = layer::unpack(&path, Packing::Gzip, false)?;
            self.tree.apply(&entries);
        }
        Ok(())
    }

    fn context(&self, transfer: &Transfer) -> Result<PathBuf, Miss> {
        let Some(name) = &transfer.from else { return Ok(self.request.context.to_owned()) };
        self.request.named_contexts.get(name).cloned().ok_or_else(|| {
            let known: Vec<&str> = self.request.named_contexts.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            Miss::Wrong(format!(
                "--from={name} is no named context (there is: {known}); for images use --engine buildx"
            ))
        })
    }

    fn transfer(&mut self, transfer: &Transfer, add: bool) -> Result<(), Miss> {
        let root = self.context(transfer)?;
        if root.join(".dockerignore").exists() {
            let why =
                ".dockerignore is not read by the embedded engine; take it away, or use --engine buildx";
            return Err(Miss::Wrong(why.to_owned()));
        }
        let mut found = Vec::new();
        for source in &transfer.sources {
            let source = self.expand(source)?;
            if add && (source.contains("://") || source.starts_with("git@")) {
                let why =
                    format!("{source} is remote; pin it as an artifact, so that it is verified, and COPY it");
                return Err(Miss::Wrong(why));
            }
            found.extend(context::find(&root, &source)?);
        }
        let written = self.expand(&transfer.target)?;
        let target = self.inside(&written)?;
        let marks = Marks {
            mode: transfer.chmod.as_deref().map(|text| octal(&self.expand(text)?)).transpose()?,
            owner: match &transfer.chown {
                Some(text) => Some(numeric_owner(&self.expand(text)?, "--chown")?),
                None => None,
            },
        };
        if add
            && let [only] = found.as_slice()
            && !only.folder
        {
            if let Some(packing) = layer::packing(&only.path)? {
                return self.archive(&only.path.clone(), packing, &target, marks);
            }
        } else if add && let Some(archive) = self.first_archive(&found)? {
            return Err(Miss::Wrong(format!("{archive} is an archive; add archives one at a time")));
        }
        self.read_archives()?;
        let slash = written.ends_with('/') || matches!(written.rsplit('/').next(), Some("." | ".."));
        let into = slash || self.tree.is_folder(&target);
        if found.len() > 1 && !into {
            return Err(Miss::Wrong(format!("several sources need a folder as target; write {written}/")));
        }
        let mut entries = Vec::new();
        for one in &found {
            self.place(one, &target, into, marks, &mut entries)?;
        }
        self.push(entries);
        Ok(())
    }

    fn first_archive(&self, found: &[Found]) -> Result<Option<String>, Miss> {
        for one in found.iter().filter(|one| !one.folder) {
            if layer::packing(&one.path)?.is_some() {
                return Ok(Some(one.name.clone()));
            }
        }
        Ok(None)
    }

    /// `ADD` of a local archive: the layer itself when it is a gzipped tar for `/`, else packed again below `target`.
    fn archive(&mut self, path: &Path, packing: Packing, target: &str, marks: Marks) -> Result<(), Miss> {
        if let Packing::Other(name) = packing {
            let why = format!(
                "the embedded engine does not unpack {name}; give a tar or tar.gz, or use --engine buildx"
            );
            return Err(Miss::Wrong(why));
        }
        if marks != Marks::default() {
            let why = "--chown and --chmod do not apply to an archive's files; leave them out";
            return Err(Miss::Wrong(why.to_owned()));
        }
        let path = layer::canonical(path)?;
        if packing == Packing::Gzip && target.is_empty() {
            self.unread.push(path.clone());
            self.layers.push(LayerPlan::Archive(path));
            return Ok(());
        }
        self.read_archives()?;
        let mut entries = layer::unpack(&path, packing, true)?;
        if !target.is_empty() {
            for entry in &mut entries {
                entry.path = format!("{target}/{}", entry.path);
            }
            let below = format!("{target}/x");
            entries.extend(self.tree.above(&below, (0, 0)));
        }
        self.push(entries);
        Ok(())
    }

    /// One source at its place, BuildKit's way: a folder gives its content, a file goes into a folder or takes the
    /// target's name; folders made on the way are 0755 and belong to whom the files belong.
    fn place(
        &self,
        found: &Found,
        target: &str,
        into: bool,
        marks: Marks,
        entries: &mut Vec<Entry>,
    ) -> Result<(), Miss> {
        let place = match (found.folder, into, target.is_empty()) {
            (true, ..) | (false, false, false) => target.to_owned(),
            (false, _, true) => found.name.clone(),
            (false, true, false) => format!("{target}/{}", found.name),
        };
        let there = self.tree.get(&place);
        if found.folder && there == Some(Node::Other) {
            return Err(Miss::Wrong(format!("/{place} is a file already, and a folder is copied there")));
        }
        if !found.folder && self.tree.is_folder(&place) {
            return Err(Miss::Wrong(format!("/{place} is a folder already, and a file is copied there")));
        }
        let mut own = Vec::new();
        context::entries(&found.path, &place, &mut own)?;
        for entry in &mut own {
            entry.owner = marks.owner.unwrap_or((0, 0));
            if let Some(mode) = marks.mode {
                entry.mode = mode;
            }
            // A folder that is there keeps its mode and owner; only what is below is copied.
            if let (true, Some(Node::Folder { mode, owner })) = (entry.path == place, there) {
                (entry.mode, entry.owner) = (mode, owner);
            }
        }
        entries.extend(self.tree.above(&place, marks.owner.unwrap_or((0, 0))));
        entries.append(&mut own);
        Ok(())
    }
}

/// `--chmod` and `--chown`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Marks {
    mode: Option<Mode>,
    owner: Option<(u32, u32)>,
}

fn octal(text: &str) -> Result<Mode, Miss> {
    u32::from_str_radix(text, 8)
        .ok()
        .and_then(|bits| Mode::from_bits(bits).ok())
        .ok_or_else(|| Miss::Wrong(format!("--chmod={text} is not an octal mode up to 0777")))
}

/// `user[:group]` in numbers; as in Docker the group is the user's number when it is left out.
fn numeric_owner(text: &str, what: &str) -> Result<(u32, u32), Miss> {
    let (user, group) = text.split_once(':').unwrap_or((text, text));
    match (user.parse(), group.parse()) {
        (Ok(user), Ok(group)) => Ok((user, group)),
        _ => Err(Miss::Wrong(format!(
            "{what} {text} must be numbers here: an image from scratch has no /etc/passwd"
        ))),
    }
}

/// `80`, `80/udp` or `8000-8002/tcp` as keys of `ExposedPorts`.
fn exposed(text: &str) -> Result<Vec<String>, Miss> {
    let wrong = || Miss::Wrong(format!("{text} is no port; write 80, 53/udp or 8000-8010"));
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(wrong());
    }
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let first: u16 = first.parse().map_err(|_| wrong())?;
    let last: u16 = last.parse().map_err(|_| wrong())?;
    if first == 0 || last < first {
        return Err(wrong());
    }
    Ok((first..=last).map(|port| format!("{port}/{protocol}")).collect())
}
