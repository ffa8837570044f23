//! Real tools on whatever machine this is: found, else set up, else missing with the line that cures it.
//!
//! In: the set of [`Need`]s of the trials that were chosen. Out: a [`Lab`], in which every need is either ready or a
//! [`Missing`]. Everything that is set up lies under one folder (`.lab`, or `ROOTSTOCK_LAB`) and is found there by the
//! next run; everything that was started stops when the lab is dropped.

pub mod airgap;
pub mod apt;
pub mod binfmt;
pub mod bundle;
pub mod cluster;
pub mod daemon;
pub mod engine;
pub mod fleet;
pub mod k3s;
mod left_overs;
pub mod node;
pub mod registry;
pub mod snapshot;
pub mod tools;

use host::process::{Invocation, find_program};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Something a trial can't do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// `shellcheck`, besides `sh -n`.
    Shellcheck,
    /// `systemd-analyze verify`.
    SystemdAnalyze,
    /// `findmnt --verify`.
    Findmnt,
    /// The program `dockerd`, for `--validate`; nothing is started.
    Dockerd,
    /// `skopeo`, an independent reader of OCI layouts and registries.
    Skopeo,
    /// `crane`, another one.
    Crane,
    /// The package lists of Debian 13, for questions; nothing is installed from them.
    DebianLists,
    /// The real mise, from npm.
    Mise,
    /// The real chezmoi, built from its Go module.
    Chezmoi,
    /// The programs of OpenSSH's client.
    Ssh,
    /// A running engine of our own, with buildx and the containerd image store.
    Engine,
    /// A running registry on loopback.
    Registry,
    /// The kernel runs programs of the other architecture, also inside containers.
    OtherArch,
    /// Containers of Debian 13 with systemd, as machines; name [`Need::Engine`] too.
    Node,
    /// The same of Debian 12.
    OlderNode,
    /// The real k3s, built from its Go module.
    K3s,
}

/// Why a need can't be met here, and what would meet it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What is not there or did not work.
    pub why: String,
    /// One line to type, or what to change.
    pub fix: String,
}

impl Missing {
    /// A missing thing in two sentences.
    pub fn new(why: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { why: why.into(), fix: fix.into() }
    }
}

impl std::fmt::Display for Missing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}; cure: {}", self.why, self.fix)
    }
}

/// What the run that wants a lab allows it to do.
#[derive(Debug, Clone)]
pub struct Permission {
    /// Packages may be installed and downloaded.
    pub install: bool,
    /// Where caches, private package lists and tools lie.
    pub folder: PathBuf,
}

impl Permission {
    /// From the environment: `ROOTSTOCK_LAB` moves the folder, `ROOTSTOCK_LAB_INSTALL=1` allows installing; `cargo
    /// xtask test` sets it, a bare `cargo test` leaves the machine as it is.
    #[must_use]
    pub fn from_environment() -> Self {
        let folder =
            std::env::var_os("ROOTSTOCK_LAB").map_or_else(|| crate::repository().join(".lab"), PathBuf::from);
        Self { install: std::env::var_os("ROOTSTOCK_LAB_INSTALL").is_some_and(|value| value == "1"), folder }
    }
}

/// The tools that were found and what was started; dropping it stops the latter.
#[derive(Debug)]
pub struct Lab {
    folder: PathBuf,
    programs: BTreeMap<&'static str, PathBuf>,
    missing: BTreeMap<Need, Missing>,
    engine: Option<engine::Engine>,
    registry: Option<registry::Registry>,
    k3s: Option<k3s::K3s>,
}

impl Lab {
    /// Meets every need it can. Must be called on a thread that outlives the lab: daemons are told to stop when the
    /// thread that started them ends, so that not even a killed run leaves one behind.
    pub fn prepare(permission: &Permission, needs: &BTreeSet<Need>, talk: &mut dyn FnMut(&str)) -> Self {
        let mut lab = Self {
            folder: permission.folder.clone(),
            programs: BTreeMap::new(),
            missing: BTreeMap::new(),
            engine: None,
            registry: None,
            k3s: None,
        };
        lab.find_packaged(permission, needs, talk);
        if needs.contains(&Need::DebianLists) {
            let found = apt::lists(permission, "trixie", talk);
            if let Some(path) = lab.take(Need::DebianLists, found) {
                lab.programs.insert("debian-lists", path);
                lab.programs.insert("apt-cache", PathBuf::from("apt-cache"));
            }
        }
        if needs.contains(&Need::Mise) {
            let found = tools::mise(permission, talk);
            lab.keep(Need::Mise, "mise", found);
        }
        if needs.contains(&Need::Chezmoi) {
            let found = tools::chezmoi(permission, talk);
            lab.keep(Need::Chezmoi, "chezmoi", found);
        }
        if needs.contains(&Need::K3s) {
            let found = k3s::K3s::find_or_build(permission, talk);
            lab.k3s = lab.take(Need::K3s, found);
        }
        if lab.still_wanted(needs, Need::OtherArch) {
            lab.judge(Need::OtherArch, binfmt::register());
        }
        if lab.still_wanted(needs, Need::Registry) {
            let started = registry::Registry::start();
            lab.registry = lab.take(Need::Registry, started);
        }
        if lab.still_wanted(needs, Need::Engine) {
            talk("engine: starting dockerd of our own");
            let started = engine::Engine::start(&lab.folder, lab.registry.as_ref());
            lab.engine = lab.take(Need::Engine, started);
        }
        for (need, release) in
            [(Need::Node, node::Release::Trixie), (Need::OlderNode, node::Release::Bookworm)]
        {
            if needs.contains(&need) {
                let state = lab.load_node(permission, release, talk);
                lab.judge(need, state);
            }
        }
        lab
    }

    fn load_node(
        &self,
        permission: &Permission,
        release: node::Release,
        talk: &mut dyn FnMut(&str),
    ) -> Result<(), Missing> {
        let Some(engine) = &self.engine else {
            let why = self.missing.get(&Need::Engine).cloned();
            return Err(
                why.unwrap_or_else(|| Missing::new("no engine", "name Need::Engine in the trial too"))
            );
        };
        let root = node::image::root(permission, release, talk)?;
        node::image::load(engine, &self.folder, release, &root)
    }

    /// Why this need can't be met, if it can't.
    #[must_use]
    pub fn missing(&self, need: Need) -> Option<&Missing> {
        self.missing.get(&need)
    }

    /// A call of a tool that one of the trial's needs stands for.
    ///
    /// # Panics
    /// If the trial did not name the need: a mistake in the trial, not of the machine.
    #[must_use]
    pub fn tool(&self, program: &str) -> Invocation {
        Invocation::new(self.path(program))
    }

    /// Where that tool is, for calls that wrap it in another program.
    ///
    /// # Panics
    /// As [`Self::tool`].
    #[must_use]
    pub fn path(&self, program: &str) -> &Path {
        let path = self.programs.get(program);
        path.unwrap_or_else(|| panic!("the trial uses {program} but does not name it as a need"))
    }

    /// The running engine of a trial that needs [`Need::Engine`].
    ///
    /// # Panics
    /// If the trial did not name the need.
    #[must_use]
    pub fn engine(&self) -> &engine::Engine {
        self.engine.as_ref().expect("the trial names Need::Engine")
    }

    /// The running registry of a trial that needs [`Need::Registry`].
    ///
    /// # Panics
    /// If the trial did not name the need.
    #[must_use]
    pub fn registry(&self) -> &registry::Registry {
        self.registry.as_ref().expect("the trial names Need::Registry")
    }

    /// The real k3s of a trial that needs [`Need::K3s`].
    ///
    /// # Panics
    /// If the trial did not name the need.
    #[must_use]
    pub fn k3s(&self) -> &k3s::K3s {
        self.k3s.as_ref().expect("the trial names Need::K3s")
    }

    fn find_packaged(&mut self, permission: &Permission, needs: &BTreeSet<Need>, talk: &mut dyn FnMut(&str)) {
        let wanted: Vec<&apt::Supply> =
            apt::SUPPLIES.iter().filter(|supply| needs.contains(&supply.need)).collect();
        let absent: Vec<&apt::Supply> = wanted.iter().copied().filter(|supply| !supply.is_there()).collect();
        let installed = if absent.is_empty() { Ok(()) } else { apt::install(permission, &absent, talk) };
        for supply in wanted {
            if let Some(path) = find_program(supply.program) {
                self.programs.insert(supply.program, path);
            }
            if !supply.is_there() {
                let why = installed.as_ref().err().cloned().unwrap_or_else(|| {
                    Missing::new("its package is installed, yet it is not on PATH", "look at PATH")
                });
                let why = Missing { why: format!("{}: {}", supply.program, why.why), ..why };
                self.missing.entry(supply.need).or_insert(why);
            }
        }
    }

    fn still_wanted(&self, needs: &BTreeSet<Need>, need: Need) -> bool {
        needs.contains(&need) && !self.missing.contains_key(&need)
    }

    fn take<T>(&mut self, need: Need, started: Result<T, Missing>) -> Option<T> {
        started.map_err(|missing| self.missing.insert(need, missing)).ok()
    }

    fn judge(&mut self, need: Need, state: Result<(), Missing>) {
        self.take(need, state);
    }

    fn keep(&mut self, need: Need, program: &'static str, found: Result<PathBuf, Missing>) {
        if let Some(path) = self.take(need, found) {
            self.programs.insert(program, path);
        }
    }
}

/// Creates a folder of the lab, or says why that failed as something missing.
fn folder(path: &Path) -> Result<&Path, Missing> {
    std::fs::create_dir_all(path).map(|()| path).map_err(|error| {
        Missing::new(format!("create {}: {error}", path.display()), "set ROOTSTOCK_LAB to a writable folder")
    })
}
