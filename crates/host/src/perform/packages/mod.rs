//! Packages: one call of the manager for all that are missing; what came with them is remembered.
//!
//! apt-get(8), dpkg(1), dnf(8), zypper(8). Who else is at work with packages is waited for; configuration that was
//! interrupted is finished first; nothing asks anybody anything. Package files of the bundle come before every archive.

mod apt;
mod carried;
mod locks;
mod rpm;
mod trouble;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::time::Duration;

use desired::ArtifactName;
use desired::resource::{PackageFile, PackageManager, ResourceId};

use super::{PerformError, Performer};
use crate::journal::{After, Before, More};
use crate::observe::packages::every;
use crate::process::Invocation;
use crate::report::Report;
use crate::root::Accounts;

/// Packages on a slow card over a slow line.
const LONGEST: Duration = Duration::from_secs(3600);
impl Performer<'_> {
    pub(super) fn packages(
        &mut self,
        id: &ResourceId,
        manager: PackageManager,
        names: &BTreeSet<String>,
        files: &BTreeMap<ArtifactName, PackageFile>,
    ) -> Result<(), PerformError> {
        let earlier = every(self.root, manager).map_err(PerformError::Other)?;
        let list: String = earlier.iter().map(|name| format!("{name}\n")).collect();
        let installed = self.journal.save(|file| file.write_all(list.as_bytes()))?;
        let before = Before { place: None, more: Some(More::Packages { manager, installed }) };
        self.change(id, before, None, |this| {
            match manager {
                PackageManager::Apt if !files.is_empty() => this.carried(names, &earlier, files)?,
                PackageManager::Apt => apt::install(names, &this.report)?,
                PackageManager::Dnf => rpm::dnf_install(names)?,
                PackageManager::Zypper => rpm::zypper_install(names)?,
            }
            // dpkg forces only what it unpacks itself to the disk: what maintainers' scripts wrote would be empty after a
            // power cut, in packages that count as installed.
            this.root.settle().map_err(|error| {
                PerformError::Other(format!("bring what the packages wrote to the disk: {error}"))
            })?;
            // Packages bring accounts that later files may belong to, and units that systemd must read.
            this.accounts = Accounts::read(this.root);
            this.reloaded = false;
            let now = every(this.root, manager).map_err(PerformError::Other)?;
            let came = now.difference(&earlier).cloned().collect();
            Ok(After { installed: came, ..After::default() })
        })
    }
}

/// Removes exactly these packages, by the programs that remove no other: who else came to need one of them keeps it,
/// and that is an error which says so.
pub(super) fn remove(
    manager: PackageManager,
    names: &BTreeSet<String>,
    report: &Report,
) -> Result<(), PerformError> {
    let call = match manager {
        PackageManager::Apt => {
            locks::wait(report)?;
            apt::noninteractive("dpkg").arg("--purge")
        }
        PackageManager::Dnf | PackageManager::Zypper => {
            Invocation::new("rpm").arg("--erase").timeout(LONGEST)
        }
    };
    call.arg("--").args(names).run()?;
    Ok(())
}
