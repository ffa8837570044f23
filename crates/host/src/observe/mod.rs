//! What a node has now, one file a kind of resource.
//!
//! In: a [`Root`], the resources to look at and what the journal tells. Out: an [`Observed`] for each. Nothing is
//! changed, nobody is elevated; below a folder that is not `/` the kernel and systemd of this machine are not asked,
//! since they are not that node's: what they would tell is left to its start.

pub(crate) mod artifact;
mod block;
pub(crate) mod compose;
mod entry;
pub(crate) mod home;
mod hostname;
mod identity;
mod kernel_module;
mod line;
pub(crate) mod mesh;
pub(crate) mod packages;
pub(crate) mod run;
pub(crate) mod secret_file;
pub(crate) mod sysctl;
mod unit;

use std::collections::{BTreeMap, BTreeSet};

use desired::AbsPath;
use desired::observed::Observed;
use desired::resource::{Resource, ResourceId, Want};

pub use hostname::hostname;
pub use identity::traces;
pub(crate) use kernel_module::is_at_boot as is_module_at_boot;
pub(crate) use line::awaited;

use crate::bundle::AtHand;
use crate::journal::History;
use crate::root::{Accounts, Root};

/// Why the running kernel and systemd aren't asked.
const NOT_LIVE: &str = "it takes effect when the node starts";

/// Looks at every resource; files of a bundle that are `at_hand` are compared with.
#[must_use]
pub fn all(
    root: &Root,
    resources: &[Resource],
    history: &History,
    at_hand: &AtHand,
) -> BTreeMap<ResourceId, Observed> {
    each(root, resources, (history, at_hand), &awaited(root, resources))
}

/// The same; `awaited` is what waits for the machine's next start.
fn each(
    root: &Root,
    resources: &[Resource],
    (history, at_hand): (&History, &AtHand),
    awaited: &BTreeSet<ResourceId>,
) -> BTreeMap<ResourceId, Observed> {
    let mut observer = Observer {
        root,
        history,
        at_hand,
        accounts: Accounts::read(root),
        units: unit::Running::ask(root, resources),
        awaited: awaited.clone(),
        coming: resources.iter().filter_map(file_of).collect(),
        sysctl: None,
        modules: None,
        dpkg: None,
    };
    resources.iter().map(|resource| (resource.id.clone(), observer.one(resource))).collect()
}

/// Looks at one resource; `awaited` are those that wait for the machine's next start.
#[must_use]
pub(crate) fn one(
    root: &Root,
    resource: &Resource,
    history: &History,
    awaited: &BTreeSet<ResourceId>,
) -> Option<Observed> {
    each(root, std::slice::from_ref(resource), (history, &AtHand::default()), awaited).remove(&resource.id)
}

/// Whether the file `path` is read when the machine starts and never again.
pub(crate) fn is_read_at_start(path: &AbsPath) -> bool {
    path.as_str().starts_with("/boot/")
}

/// The name of this start of the machine, where it has started.
pub(crate) fn this_start(root: &Root) -> Option<String> {
    let text = root.read_text("/proc/sys/kernel/random/boot_id").ok()??;
    Some(text.trim().to_owned())
}

/// The file that a resource makes, for units that are made in the same run.
const fn file_of(resource: &Resource) -> Option<&AbsPath> {
    match &resource.want {
        Want::File { path, .. } => Some(path),
        _ => None,
    }
}

/// What several resources of a kind share is read once, when the first needs it.
struct Observer<'a> {
    root: &'a Root,
    history: &'a History,
    at_hand: &'a AtHand,
    accounts: Accounts,
    units: unit::Running,
    awaited: BTreeSet<ResourceId>,
    coming: BTreeSet<&'a AbsPath>,
    sysctl: Option<BTreeMap<String, String>>,
    modules: Option<kernel_module::Modules>,
    dpkg: Option<packages::Dpkg>,
}

impl Observer<'_> {
    fn one(&mut self, resource: &Resource) -> Observed {
        let root = self.root;
        match &resource.want {
            Want::Hostname { .. } => hostname::observe(root),
            Want::Packages { manager, names, .. } => {
                let dpkg = self.dpkg.get_or_insert_with(|| packages::Dpkg::read(root));
                Observed::Packages { installed: packages::installed(root, dpkg, *manager, names) }
            }
            Want::KernelModule { name } => {
                let modules = self.modules.get_or_insert_with(|| kernel_module::Modules::read(root));
                modules.observe(root, name)
            }
            Want::Sysctl { key, .. } => {
                let settings = self.sysctl.get_or_insert_with(|| sysctl::at_boot(root));
                sysctl::observe(root, settings, key)
            }
            Want::Directory { path, .. } => {
                Observed::Directory { entry: entry::see(root, &self.accounts, path, None) }
            }
            Want::File { path, content, .. } => {
                let size = Some(content.len() as u64);
                Observed::File { entry: entry::see(root, &self.accounts, path, size) }
            }
            Want::Artifact { path, artifact, pinned, .. } => {
                let size = pinned.size().map(|size| size.0);
                let wanted = pinned.file_digest().map(|digest| (digest, self.at_hand));
                let entry = entry::see_wanted(root, &self.accounts, path, size, wanted);
                Observed::Artifact { entry, taken_out: artifact::note(root, artifact, pinned) }
            }
            Want::SecretFile { path, parts, .. } => {
                let entry = entry::see(root, &self.accounts, path, None);
                let wanted = secret_file::wanted(root, self.history, &resource.id, (path, parts), &entry);
                Observed::SecretFile { entry, wanted }
            }
            Want::ManagedBlock { path, name, comment, .. } => {
                let start =
                    self.history.of(&resource.id).and_then(|story| story.afters.last()?.start.clone());
                let waits = start.is_some() && start == this_start(root);
                Observed::ManagedBlock { block: block::observe(root, path, comment, name), waits }
            }
            Want::ManagedLine { path, words, unless } => {
                Observed::ManagedLine { line: line::observe(root, path, words, *unless) }
            }
            Want::Unit { name, waits, .. } => {
                let outdated = self.history.outdated(resource);
                let seen = self.units.observe(root, (name, *waits), &self.coming, outdated);
                match resource.after.intersection(&self.awaited).next() {
                    Some(line) => unit::waiting(seen, line),
                    None => seen,
                }
            }
            Want::Chezmoi { user, source } => home::of_chezmoi(root, user, source),
            Want::Mise { user, tools } => home::of_mise(root, user, tools),
            Want::Compose { .. } => compose::observe(root, &resource.want),
            Want::Mesh { .. } => mesh::observe(root),
            Want::NodeMetadata { .. } => Observed::Elsewhere { why: Observed::NODE_METADATA.to_owned() },
            Want::Run { unless, .. } => run::observe(root, unless),
        }
    }
}

#[cfg(test)]
mod tests;
