//! Real tools on whatever machine this is: found, else set up, else missing with the line that cures it.
//!
//! In: the set of [`Need`]s of the trials that were chosen. Out: a [`Lab`], in which every need is either ready or a
//! [`Missing`]. Everything that is set up lies under one folder (`.lab`, or `ROOTSTOCK_LAB`) and is found there by the
//! next run; everything that was started stops when the lab is dropped.

pub mod airgap;
pub mod apt;
pub mod binfmt;
pub mod bundle;
pub mod charts;
pub mod cluster;
pub mod daemon;
pub mod debian;
pub mod engine;
pub mod fleet;
pub mod k3s;
mod left_overs;
mod loops;
mod need;
pub mod node;
pub mod registry;
mod root_disk;
pub mod snapshot;
pub mod tools;
pub mod twin;

pub use need::{Missing, Need, Permission};

use crate::vm::base::Base;
use crate::vm::foreign;
use crate::vm::image::Image;
use desired::Arch;
use host::process::{Invocation, find_program};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The tools that were found and what was started; dropping it stops the latter.
#[derive(Debug)]
pub struct Lab {
    folder: PathBuf,
    programs: BTreeMap<&'static str, PathBuf>,
    missing: BTreeMap<Need, Missing>,
    engine: Option<engine::Engine>,
    registry: Option<registry::Registry>,
    k3s: Option<k3s::K3s>,
    other_k3s: Option<k3s::K3s>,
    guest_images: BTreeMap<Arch, Image>,
    foreign_root: Option<PathBuf>,
    bases: BTreeMap<Arch, Base>,
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
            other_k3s: None,
            guest_images: BTreeMap::new(),
            foreign_root: None,
            bases: BTreeMap::new(),
        };
        lab.find_packaged(permission, needs, talk);
        if needs.contains(&Need::DebianLists) {
            let found = apt::lists(permission, "trixie", talk);
            if let Some(path) = lab.take(Need::DebianLists, found) {
                lab.programs.insert("debian-lists", path);
                lab.programs.insert("apt-cache", PathBuf::from("apt-cache"));
            }
        }
        lab.prepare_tools(permission, needs, talk);
        if needs.contains(&Need::K3s) {
            let found = k3s::K3s::find_or_build(permission, talk);
            lab.k3s = lab.take(Need::K3s, found);
        }
        if needs.contains(&Need::OtherK3s) {
            let found = k3s::K3s::find_or_cross_build(permission, talk);
            lab.other_k3s = lab.take(Need::OtherK3s, found);
        }
        if needs.contains(&Need::LoopDevices) {
            lab.judge(Need::LoopDevices, loops::try_one());
        }
        if needs.contains(&Need::RootDisk) {
            lab.keep(Need::RootDisk, "root-disk", root_disk::find());
        }
        if needs.contains(&Need::ReadableRootDisk) {
            lab.keep(Need::ReadableRootDisk, "root-disk", root_disk::readable());
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
        lab.prepare_machines(permission, needs, talk);
        lab
    }

    /// Tools that no distribution packages.
    fn prepare_tools(&mut self, permission: &Permission, needs: &BTreeSet<Need>, talk: &mut dyn FnMut(&str)) {
        if needs.contains(&Need::CloudInit) {
            let found = tools::cloud_init(permission, talk);
            self.keep(Need::CloudInit, "cloud-init", found);
        }
        if needs.contains(&Need::Mise) {
            let found = tools::mise(permission, talk);
            self.keep(Need::Mise, "mise", found);
        }
        if needs.contains(&Need::Chezmoi) {
            let found = tools::chezmoi(permission, talk);
            self.keep(Need::Chezmoi, "chezmoi", found);
        }
        if needs.contains(&Need::Quadlet) {
            let found = tools::quadlet(permission, talk);
            self.keep(Need::Quadlet, "quadlet", found);
        }
        if needs.contains(&Need::Kubernetes) {
            for name in tools::KUBERNETES {
                let found = tools::of_kubernetes(permission, name, talk);
                self.keep(Need::Kubernetes, name, found);
            }
            let found = charts::find_or_fetch(permission, talk);
            self.keep(Need::Kubernetes, "charts", found);
        }
        if needs.contains(&Need::Mesh) {
            for name in tools::MESH {
                let found = tools::of_mesh(permission, name, talk);
                self.keep(Need::Mesh, name, found);
            }
        }
    }

    fn prepare_machines(
        &mut self,
        permission: &Permission,
        needs: &BTreeSet<Need>,
        talk: &mut dyn FnMut(&str),
    ) {
        for (need, arch) in [(Need::Guest, Arch::Amd64), (Need::OtherGuest, Arch::Arm64)] {
            if self.still_wanted(needs, need) {
                let ready = if need == Need::Guest { Ok(()) } else { self.emulates() };
                let found = ready.and_then(|()| Image::find_or_make(permission, arch, talk));
                let image = self.take(need, found);
                self.guest_images.extend(image.map(|image| (arch, image)));
            }
        }
        if needs.contains(&Need::ForeignRoot) {
            let found = self.emulates().and_then(|()| foreign::tar(permission, talk));
            self.foreign_root = self.take(Need::ForeignRoot, found);
        }
        for (need, arch) in [(Need::Base, Arch::Amd64), (Need::OtherBase, Arch::Arm64)] {
            if needs.contains(&need) {
                let ready = if need == Need::Base { Ok(()) } else { self.emulates() };
                let found = ready.and_then(|()| Base::find_or_make(permission, arch, talk));
                let base = self.take(need, found);
                self.bases.extend(base.map(|base| (arch, base)));
            }
        }
    }

    /// Without the emulator nothing of the other architecture can be set up.
    fn emulates(&self) -> Result<(), Missing> {
        self.missing.get(&Need::OtherArch).cloned().map_or(Ok(()), Err)
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

    /// The same for the other architecture, for a trial that needs [`Need::OtherK3s`].
    ///
    /// # Panics
    /// If the trial did not name the need.
    #[must_use]
    pub fn other_k3s(&self) -> &k3s::K3s {
        self.other_k3s.as_ref().expect("the trial names Need::OtherK3s")
    }

    /// What guests start from, for a trial that needs [`Need::Guest`] or [`Need::OtherGuest`].
    ///
    /// # Panics
    /// If the trial did not name the need.
    #[must_use]
    pub fn guest_image(&self, arch: Arch) -> &Image {
        self.guest_images.get(&arch).expect("the trial names Need::Guest or Need::OtherGuest")
    }

    /// A root of the other architecture as a tar, for a trial that needs [`Need::ForeignRoot`].
    ///
    /// # Panics
    /// If the trial did not name the need.
    #[must_use]
    pub fn foreign_root(&self) -> &Path {
        self.foreign_root.as_ref().expect("the trial names Need::ForeignRoot")
    }

    /// A vendor's image of that architecture, for a trial that needs [`Need::Base`] or [`Need::OtherBase`].
    ///
    /// # Panics
    /// If the trial did not name the need.
    #[must_use]
    pub fn base(&self, arch: Arch) -> &Base {
        self.bases.get(&arch).expect("the trial names Need::Base or Need::OtherBase")
    }

    /// Where everything that is kept lies.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
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
pub(crate) fn folder(path: &Path) -> Result<&Path, Missing> {
    std::fs::create_dir_all(path).map(|()| path).map_err(|error| {
        Missing::new(format!("create {}: {error}", path.display()), "set ROOTSTOCK_LAB to a writable folder")
    })
}
