//! Kernel modules: asked for at boot (modules-load.d(5), modules(5)), and loaded or built in now.

use std::collections::BTreeSet;

use desired::observed::{Answer, Observed};

use crate::root::Root;

/// Modules that files ask for.
pub(super) struct Modules(BTreeSet<String>);

impl Modules {
    pub(super) fn read(root: &Root) -> Self {
        let mut texts: Vec<String> = root.read_text("/etc/modules").ok().flatten().into_iter().collect();
        for folder in [
            "/etc/modules-load.d",
            "/run/modules-load.d",
            "/usr/local/lib/modules-load.d",
            "/usr/lib/modules-load.d",
        ] {
            let names = root.list(folder).into_iter().filter(|name| name.ends_with(".conf"));
            texts.extend(names.filter_map(|name| root.read_text(&format!("{folder}/{name}")).ok().flatten()));
        }
        let lines = texts.iter().flat_map(|text| text.lines()).map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with(['#', ';']));
        // Options may follow the name in modules(5).
        Self(lines.filter_map(|line| line.split_whitespace().next()).map(underscored).collect())
    }
    pub(super) fn observe(&self, root: &Root, name: &str) -> Observed {
        let name = underscored(name);
        let loaded = if root.is_live() {
            match root.see(&format!("/sys/module/{name}")) {
                Ok(seen) => Answer::Known(seen.is_some()),
                Err(error) => Answer::unknown(format!("/sys can't be read: {error}")),
            }
        } else {
            Answer::later(super::NOT_LIVE)
        };
        Observed::KernelModule { at_boot: self.0.contains(&name), loaded }
    }
}

/// Whether a file asks for `name` at boot.
pub(crate) fn is_at_boot(root: &Root, name: &str) -> bool {
    Modules::read(root).0.contains(&underscored(name))
}

/// Files write both, the kernel only underscores.
fn underscored(name: &str) -> String {
    name.replace('-', "_")
}
