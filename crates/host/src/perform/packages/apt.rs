//! apt and dpkg: Debian, Raspberry Pi OS, Ubuntu.

use std::ffi::OsString;

use desired::resource::PackageManager;

use super::trouble::explained;
use super::{LONGEST, locks};
use crate::perform::PerformError;
use crate::process::Invocation;
use crate::report::Report;

/// How long apt itself waits for who came between our look and its own, in seconds.
const LOCK_SECONDS: u32 = 60;

/// Installs `words`, names or paths, from the archives this node knows.
pub(super) fn install<W: AsRef<str>>(
    words: impl IntoIterator<Item = W>,
    report: &Report,
) -> Result<(), PerformError> {
    let words: Vec<OsString> = words.into_iter().map(|word| word.as_ref().into()).collect();
    locks::wait(report)?;
    let install = apt("install").arg("--").args(words);
    let Err(first) = install.run() else { return Ok(()) };
    // Who came between our look and its own: dpkg and the lists know no waiting.
    locks::wait(report)?;
    // An interrupted dpkg refuses everything until it was allowed to end; where that is not it, the second try says why.
    configure();
    // A fresh card has no lists, an old one has lists of versions that are gone.
    apt("update").run().map_err(|error| explained(PackageManager::Apt, error))?;
    match install.run() {
        Ok(_) => Ok(()),
        Err(error) if error.tail() == first.tail() => Err(explained(PackageManager::Apt, first)),
        Err(error) => Err(explained(PackageManager::Apt, error)),
    }
}

/// Lets a dpkg that was interrupted come to its end.
pub(super) fn configure() {
    // Where it can't, whatever is asked of dpkg next fails for the same reason and says so.
    let _ = noninteractive("dpkg").args(["--force-confold", "--configure", "-a"]).run();
}

/// A call of `program` in which nobody is asked.
pub(super) fn noninteractive(program: &str) -> Invocation {
    Invocation::new(program)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("NEEDRESTART_MODE", "l")
        .timeout(LONGEST)
}

/// A call of apt-get.
pub(super) fn apt(verb: &str) -> Invocation {
    let lock = format!("DPkg::Lock::Timeout={LOCK_SECONDS}");
    noninteractive("apt-get")
        .args(["--quiet", "--assume-yes", "--no-install-recommends", "--option", &lock])
        // A file that somebody edited stays as it is; a question would end the installation.
        .args(["--option", "Dpkg::Options::=--force-confdef", "--option", "Dpkg::Options::=--force-confold"])
        // On a terminal of apt's own, dpkg's errors would stand among what it did, and not in what is told of a failure.
        .args(["--option", "Dpkg::Use-Pty=0"])
        .arg(verb)
}
