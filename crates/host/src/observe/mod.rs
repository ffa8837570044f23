//! What a node has now, one file a kind of resource.
//!
//! In: a [`Root`] and the resources to look at. Out: an [`Observed`] for each. Nothing is changed, nobody is
//! elevated; below a folder that is not `/` the kernel and systemd of this machine are not asked, since they are not
//! that node's, and say so as unknown.

mod artifact;
mod block;
mod entry;
mod hostname;
mod kernel_module;
mod packages;
mod secret_file;
mod sysctl;
mod unit;

use std::collections::BTreeMap;

use desired::observed::Observed;
use desired::resource::{Resource, ResourceId, Want};

pub use hostname::hostname;

use crate::root::Root;

/// Why the running kernel and systemd aren't asked.
const NOT_LIVE: &str = "only the running node can tell";

/// Looks at every resource.
#[must_use]
pub fn all(root: &Root, resources: &[Resource]) -> BTreeMap<ResourceId, Observed> {
    let mut observer = Observer {
        root,
        names: entry::Names::read(root),
        units: unit::Running::ask(root, resources),
        sysctl: None,
        modules: None,
        dpkg: None,
    };
    resources.iter().map(|resource| (resource.id.clone(), observer.one(&resource.want))).collect()
}

/// What several resources of a kind share is read once, when the first needs it.
struct Observer<'a> {
    root: &'a Root,
    names: entry::Names,
    units: unit::Running,
    sysctl: Option<BTreeMap<String, String>>,
    modules: Option<kernel_module::Modules>,
    dpkg: Option<packages::Dpkg>,
}

impl Observer<'_> {
    fn one(&mut self, want: &Want) -> Observed {
        let root = self.root;
        match want {
            Want::Hostname { .. } => Observed::Hostname { name: hostname(root) },
            Want::Packages { manager, names } => {
                let dpkg = self.dpkg.get_or_insert_with(|| packages::Dpkg::read(root));
                Observed::Packages { installed: packages::installed(dpkg, *manager, names) }
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
                Observed::Directory { entry: entry::see(root, &self.names, path, None) }
            }
            Want::File { path, content, .. } => {
                let size = Some(content.len() as u64);
                Observed::File { entry: entry::see(root, &self.names, path, size) }
            }
            Want::Artifact { path, artifact, pinned, .. } => {
                let size = pinned.size().map(|size| size.0);
                let entry = entry::see(root, &self.names, path, size);
                Observed::Artifact { entry, taken_out: artifact::note(root, artifact, pinned) }
            }
            Want::SecretFile { path, parts, .. } => Observed::SecretFile {
                entry: entry::see(root, &self.names, path, None),
                wanted: secret_file::wanted(root, parts),
            },
            Want::ManagedBlock { path, name, comment, .. } => {
                Observed::ManagedBlock { block: block::observe(root, path, comment, name) }
            }
            Want::Unit { name, .. } => self.units.observe(root, name),
            Want::NodeMetadata { .. } => Observed::Unseen { why: Observed::NODE_METADATA.to_owned() },
            Want::Run { .. } => Observed::Unseen { why: Observed::RUN.to_owned() },
        }
    }
}

#[cfg(test)]
mod tests;
