//! Kernel modules: a file of ours that asks for one at boot, and modprobe now.

use desired::AbsPath;
use desired::resource::ResourceId;

use super::{PerformError, Performer};
use crate::journal::{After, Before, More};
use crate::process::Invocation;

impl Performer<'_> {
    pub(super) fn kernel_module(&mut self, id: &ResourceId, name: &str) -> Result<(), PerformError> {
        let path: AbsPath = format!("/etc/modules-load.d/rootstock-{name}.conf")
            .parse()
            .map_err(|error: desired::Invalid| PerformError::Other(error.to_string()))?;
        let is_live = self.root.is_live();
        let more = is_live.then(|| {
            let underscored = name.replace('-', "_");
            let loaded = matches!(self.root.see(&format!("/sys/module/{underscored}")), Ok(Some(_)));
            More::Module { name: underscored, loaded }
        });
        let load = |_: &mut Self| if is_live { modprobe(&[name]) } else { Ok(()) };
        if self.asked_at_boot(name) {
            let before = Before { place: None, more };
            return self.change(id, before, None, |this| load(this).map(|()| After::default()));
        }
        self.text_and(id, (&path, format!("{name}\n").as_bytes()), more, load)
    }

    /// Whether somebody else's file, or ours, asks for it at boot.
    fn asked_at_boot(&self, name: &str) -> bool {
        crate::observe::is_module_at_boot(self.root, name)
    }
}

/// modprobe(8) with these arguments.
pub(super) fn modprobe(arguments: &[&str]) -> Result<(), PerformError> {
    let call = Invocation::new("modprobe").args(arguments.iter().copied());
    call.if_missing("apt-get install -y kmod").run().map(drop).map_err(PerformError::from)
}
