//! dnf and zypper: Fedora and openSUSE.

use std::collections::BTreeSet;

use desired::resource::PackageManager;

use super::LONGEST;
use super::trouble::explained;
use crate::observe::packages::rpm;
use crate::perform::PerformError;
use crate::process::{Ending, Invocation, ProcessError};

/// zypper(8): some archive was left out; what was asked for may be in another.
const ZYPPER_SKIPPED: i32 = 106;
/// How long zypper waits for whoever holds its lock (a nightly upgrade), in seconds.
const LOCK_SECONDS: u32 = 600;
/// zypper(8): done, but the machine (102) or zypper itself (103) should start again, or a package's own script has
/// failed (107), of which rpm says that the package is installed.
const ZYPPER_DONE: [i32; 5] = [0, 102, 103, ZYPPER_SKIPPED, 107];

pub(super) fn dnf_install(names: &BTreeSet<String>) -> Result<(), PerformError> {
    // It waits for whoever holds its lock by itself.
    let call = Invocation::new("dnf").args(["--assumeyes", "--setopt=install_weak_deps=False", "install"]);
    let call = call.arg("--").args(names).timeout(LONGEST);
    call.run().map(drop).map_err(|error| explained(PackageManager::Dnf, error))
}

pub(super) fn zypper_install(names: &BTreeSet<String>) -> Result<(), PerformError> {
    let call = Invocation::new("zypper").args(["--non-interactive", "install", "--no-recommends"]);
    let call = call.arg("--auto-agree-with-licenses").arg("--").args(names);
    let call = call.env("ZYPP_LOCK_TIMEOUT", LOCK_SECONDS.to_string()).timeout(LONGEST);
    let refused = |error| explained(PackageManager::Zypper, error);
    let output = call.clone().accept(ZYPPER_DONE).run().map_err(refused)?;
    let is_there = || rpm(names).is_ok_and(|installed| installed.len() == names.len());
    if output.code == ZYPPER_SKIPPED && !is_there() {
        let ending = Ending::Status(ZYPPER_SKIPPED);
        return Err(refused(ProcessError::Failed { line: call.line(), ending, tail: output.stderr_tail }));
    }
    Ok(())
}
