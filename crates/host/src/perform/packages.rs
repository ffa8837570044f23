//! Packages: one call of the manager for all that are missing; what came with them is remembered.
//!
//! apt-get(8), dpkg(1), dnf(8). A lock that another program holds is waited for; configuration that was interrupted is
//! finished first; nothing asks anybody anything.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::Duration;

use desired::resource::{PackageManager, ResourceId};

use super::{PerformError, Performer};
use crate::journal::{After, Before, More};
use crate::observe::packages::every;
use crate::process::Invocation;
use crate::root::Accounts;

/// Packages on a slow card over a slow line.
const LONGEST: Duration = Duration::from_secs(3600);
/// How long apt waits for whoever holds its lock (a nightly upgrade), in seconds.
const LOCK_SECONDS: u32 = 600;

impl Performer<'_> {
    pub(super) fn packages(
        &mut self,
        id: &ResourceId,
        manager: PackageManager,
        names: &BTreeSet<String>,
    ) -> Result<(), PerformError> {
        let earlier = every(self.root, manager).map_err(PerformError::Other)?;
        let list: String = earlier.iter().map(|name| format!("{name}\n")).collect();
        let installed = self.journal.save(|file| file.write_all(list.as_bytes()))?;
        let before = Before { place: None, more: Some(More::Packages { manager, installed }) };
        self.change(id, before, None, |this| {
            match manager {
                PackageManager::Apt => apt_install(names)?,
                PackageManager::Dnf => dnf_install(names)?,
            }
            // Packages bring accounts that later files may belong to, and units that systemd must read.
            this.accounts = Accounts::read(this.root);
            this.reloaded = false;
            let now = every(this.root, manager).map_err(PerformError::Other)?;
            let came = now.difference(&earlier).cloned().collect();
            Ok(After { installed: came, ..After::default() })
        })
    }
}

fn apt_install(names: &BTreeSet<String>) -> Result<(), PerformError> {
    // First of all, since it waits for whoever holds the lock.
    let install = apt("install").arg("--").args(names);
    let Err(first) = install.run() else { return Ok(()) };
    // An interrupted dpkg refuses everything until it was allowed to end; where that is not it, the second try says why.
    let _ = noninteractive("dpkg").args(["--force-confold", "--configure", "-a"]).run();
    // A fresh card has no lists, an old one has lists of versions that are gone.
    apt("update").run()?;
    match install.run() {
        Ok(_) => Ok(()),
        Err(error) if error.tail() == first.tail() => Err(first.into()),
        Err(error) => Err(error.into()),
    }
}

fn noninteractive(program: &str) -> Invocation {
    Invocation::new(program)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("NEEDRESTART_MODE", "l")
        .timeout(LONGEST)
}

fn apt(verb: &str) -> Invocation {
    let lock = format!("DPkg::Lock::Timeout={LOCK_SECONDS}");
    noninteractive("apt-get")
        .args(["--quiet", "--assume-yes", "--no-install-recommends", "--option", &lock])
        // A file that somebody edited stays as it is; a question would end the installation.
        .args(["--option", "Dpkg::Options::=--force-confdef", "--option", "Dpkg::Options::=--force-confold"])
        .arg(verb)
}

fn dnf_install(names: &BTreeSet<String>) -> Result<(), PerformError> {
    let call = Invocation::new("dnf").args(["--assumeyes", "--setopt=install_weak_deps=False"]);
    call.args(["install", "--"]).args(names).timeout(LONGEST).run()?;
    Ok(())
}

/// Removes exactly these packages, by the programs that remove no other: who else came to need one of them keeps it,
/// and that is an error which says so.
pub(super) fn remove(manager: PackageManager, names: &BTreeSet<String>) -> Result<(), PerformError> {
    let call = match manager {
        PackageManager::Apt => noninteractive("dpkg").arg("--purge"),
        PackageManager::Dnf => Invocation::new("rpm").arg("--erase").timeout(LONGEST),
    };
    call.arg("--").args(names).run()?;
    Ok(())
}
