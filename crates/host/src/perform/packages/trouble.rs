//! Why a manager installed nothing, in one sentence with the cure; what it said itself stands below.
//!
//! In: the failed call. Out: an error that tells which of the usual reasons it was, where the manager's status or words
//! leave no doubt. The words are those of apt 2.6 to 3.0, dnf 4 and 5, zypper 1.14; zypper's statuses are zypper(8)'s.

use desired::resource::PackageManager;

use crate::perform::PerformError;
use crate::process::{Ending, ProcessError};

/// A reason and what to do about it.
type Trouble = (&'static str, &'static str);

const LOCKED: Trouble = (
    "another program holds the lock of the packages",
    "wait until it has ended, or see which it is with `ps`, then join again",
);
const NO_NETWORK: Trouble = (
    "no archive of packages answers",
    "put this node on a network that reaches one, or let the bundle carry the packages ([package-files])",
);
const MISSING: Trouble = (
    "a package is in none of the archives this node knows",
    "correct its name in the profile, or add the archive that has it",
);
const FULL: Trouble = (
    "a file system of this node is full",
    "make room there, see `df -h`, then join again: what the manager began it then ends",
);

/// Words that only one reason has.
const WORDS: &[(PackageManager, &str, Trouble)] = &[
    (PackageManager::Apt, "Could not get lock", LOCKED),
    (PackageManager::Apt, "Unable to acquire the dpkg frontend lock", LOCKED),
    (PackageManager::Apt, "Unable to locate package", MISSING),
    (PackageManager::Apt, "has no installation candidate", MISSING),
    (PackageManager::Apt, "No space left on device", FULL),
    (PackageManager::Apt, "You don't have enough free space in", FULL),
    (PackageManager::Apt, "Failed to fetch", NO_NETWORK),
    (PackageManager::Apt, "Some index files failed to download", NO_NETWORK),
    // rpm's own words, "needs 3MB more space on the / filesystem".
    (PackageManager::Dnf, "B more space", FULL),
    // An archive that does not answer is left out, and then nothing matches.
    (PackageManager::Dnf, "Failed to download metadata", NO_NETWORK),
    (PackageManager::Dnf, "Unable to find a match", MISSING),
    (PackageManager::Dnf, "No match for argument", MISSING),
    (PackageManager::Dnf, "There are no enabled repositories", NO_NETWORK),
    (PackageManager::Dnf, "Waiting for process with pid", LOCKED),
    (PackageManager::Dnf, "transaction lock", LOCKED),
    (PackageManager::Zypper, "System management is locked", LOCKED),
    (PackageManager::Zypper, "is locked by the application", LOCKED),
    (PackageManager::Zypper, "not found in package names", MISSING),
    (PackageManager::Zypper, "Could not refresh the repositories", NO_NETWORK),
    (PackageManager::Zypper, "Some of the repositories have not been refreshed", NO_NETWORK),
];

/// zypper's statuses: ZYPPER_EXIT_NO_REPOS, _ZYPP_LOCKED, _INF_CAP_NOT_FOUND and _INF_REPOS_SKIPPED.
const STATUSES: [(i32, Trouble); 4] = [(6, NO_NETWORK), (7, LOCKED), (104, MISSING), (106, NO_NETWORK)];

/// The error of a manager's call, with its reason where it is one of the usual ones.
pub(super) fn explained(manager: PackageManager, error: ProcessError) -> PerformError {
    let by_status = match &error {
        ProcessError::Failed { ending: Ending::Status(code), .. } if manager == PackageManager::Zypper => {
            STATUSES.iter().find(|(status, _)| status == code).map(|(_, trouble)| *trouble)
        }
        _ => None,
    };
    let said = error.tail();
    let by_words = || {
        let matching =
            |(whose, words, _): &&(PackageManager, &str, Trouble)| *whose == manager && said.contains(words);
        WORDS.iter().find(matching).map(|(_, _, trouble)| *trouble)
    };
    // An archive that was left out is the reason for what is then in none of the others.
    match by_words().or(by_status) {
        Some((why, fix)) => PerformError::Manager { why, fix, said: error },
        None => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(code: i32, tail: &str) -> ProcessError {
        ProcessError::Failed {
            line: "a call".to_owned(),
            ending: Ending::Status(code),
            tail: tail.to_owned(),
        }
    }

    #[test]
    fn usual_reasons_are_told_with_their_cure() {
        for (manager, code, said, reason) in [
            (PackageManager::Apt, 100, "E: Unable to locate package nfs-comon", "in none of the archives"),
            (
                PackageManager::Apt,
                100,
                "E: Could not get lock /var/lib/dpkg/lock-frontend.",
                "holds the lock",
            ),
            (
                PackageManager::Apt,
                100,
                "dpkg: error processing archive x.deb (--unpack):\n failed to write (No space left on device)",
                "is full",
            ),
            (PackageManager::Dnf, 1, "Error: Unable to find a match: nope", "in none of the archives"),
            (PackageManager::Dnf, 1, "Error: installing package x needs 3MB more space on the /", "is full"),
            (
                PackageManager::Dnf,
                1,
                "Error: Failed to download metadata for repo 'x': All mirrors were tried\nError: Unable to find a match: y",
                "no archive",
            ),
            (PackageManager::Zypper, 7, "", "holds the lock"),
            (PackageManager::Zypper, 104, "", "in none of the archives"),
            (PackageManager::Zypper, 106, "", "no archive"),
        ] {
            let told = explained(manager, failed(code, said)).sentence();
            let first = said.lines().next().unwrap_or_default();
            assert!(told.contains(reason) && told.contains(first) && told.contains("a call"), "{told}");
        }
        // What nobody knows is told as it is.
        let told = explained(PackageManager::Apt, failed(100, "E: odd")).sentence();
        assert!(told.starts_with("a call ended with exit status 100"), "{told}");
        // Another manager's words and statuses mean nothing.
        assert!(matches!(explained(PackageManager::Apt, failed(104, "")), PerformError::Process(_)));
    }
}
