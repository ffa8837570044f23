//! Instructions to an image plan for one architecture: configuration, history, layers to be.

mod transfer;

use std::collections::BTreeMap;
use std::path::PathBuf;

use desired::{Arch, Mode};

use super::context::Miss;
use super::layer::LayerPlan;
use super::tree::Tree;
use super::{BuildError, Request};
use crate::archive::tar::Entry;
use crate::oci::dockerfile::{Dockerfile, Instruction, Kind, words};
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
        let owner = if user.is_empty() { (0, 0) } else { transfer::numeric_owner(&user, "USER")? };
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
