//! What a node has now, one file a kind of resource.
//!
//! In: a [`Root`], the resources to look at and what the journal tells. Out: an [`Observed`] for each. Nothing is
//! changed, nobody is elevated; below a folder that is not `/` the kernel and systemd of this machine are not asked,
//! since they are not that node's: what they would tell is left to its start.

pub(crate) mod artifact;
mod block;
mod entry;
mod hostname;
mod identity;
mod kernel_module;
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

use crate::journal::History;
use crate::root::{Accounts, Root};

/// Why the running kernel and systemd aren't asked.
const NOT_LIVE: &str = "it takes effect when the node starts";

/// Looks at every resource.
#[must_use]
pub fn all(root: &Root, resources: &[Resource], history: &History) -> BTreeMap<ResourceId, Observed> {
    let mut observer = Observer {
        root,
        history,
        accounts: Accounts::read(root),
        units: unit::Running::ask(root, resources),
        coming: resources.iter().filter_map(file_of).collect(),
        sysctl: None,
        modules: None,
        dpkg: None,
    };
    resources.iter().map(|resource| (resource.id.clone(), observer.one(resource))).collect()
}

/// Looks at one resource of `resources`.
#[must_use]
pub fn one(root: &Root, resource: &Resource, history: &History) -> Option<Observed> {
    all(root, std::slice::from_ref(resource), history).remove(&resource.id)
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
    accounts: Accounts,
    units: unit::Running,
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
            Want::Packages { manager, names } => {
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
                let entry = entry::see(root, &self.accounts, path, size);
                Observed::Artifact { entry, taken_out: artifact::note(root, artifact, pinned) }
            }
            Want::SecretFile { path, parts, .. } => {
                let entry = entry::see(root, &self.accounts, path, None);
                let wanted = secret_file::wanted(root, self.history, &resource.id, (path, parts), &entry);
                Observed::SecretFile { entry, wanted }
            }
            Want::ManagedBlock { path, name, comment, .. } => {
                Observed::ManagedBlock { block: block::observe(root, path, comment, name) }
            }
            Want::Unit { name, .. } => {
                self.units.observe(root, name, &self.coming, self.history.outdated(resource))
            }
            Want::NodeMetadata { .. } => Observed::Elsewhere { why: Observed::NODE_METADATA.to_owned() },
            Want::Run { unless, .. } => run::observe(root, unless),
        }
    }
}

#[cfg(test)]
mod tests;
