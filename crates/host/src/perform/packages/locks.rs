//! Who else works with packages is waited for, and named.
//!
//! apt-get(8) waits for one of its locks alone (`DPkg::Lock::Timeout`) and without a word; `apt-get update` beside the
//! update that a system makes by itself after its start, and dpkg(1) beside anybody, fail at once. So the locks are looked
//! at before, here. In: who holds them, as the kernel and `/proc` tell. Out: nobody does, or an error after ten minutes.

use std::fs::File;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, fcntl_lock};

use crate::perform::PerformError;
use crate::process;
use crate::processes;
use crate::report::Report;

/// Locks of apt and dpkg, in the order in which they take them.
const LOCKS: [&str; 4] = [
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/lock",
    "/var/lib/apt/lists/lock",
    "/var/cache/apt/archives/lock",
];
/// How long they are waited for: a nightly upgrade on a slow card.
const LONGEST: Duration = Duration::from_secs(600);
/// How often they are looked at.
const GLANCE: Duration = Duration::from_millis(500);

/// A lock that somebody has.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    lock: &'static str,
    /// Who, as a phrase.
    holder: String,
}

/// Waits until nobody works with apt or dpkg.
pub(super) fn wait(report: &Report) -> Result<(), PerformError> {
    wait_while(|| LOCKS.into_iter().find_map(held), LONGEST, GLANCE, |line| report.say(line))
}

fn wait_while(
    mut look: impl FnMut() -> Option<Held>,
    longest: Duration,
    glance: Duration,
    mut say: impl FnMut(String),
) -> Result<(), PerformError> {
    let (begun, mut told) = (Instant::now(), None);
    while let Some(Held { lock, holder }) = look() {
        if begun.elapsed() >= longest {
            return Err(PerformError::PackagesHeld { holder, lock, seconds: longest.as_secs() });
        }
        // The run itself was asked to end; the call that comes next says so.
        if process::is_ending() {
            return Ok(());
        }
        if told.as_ref() != Some(&holder) {
            let minutes = longest.as_secs().div_ceil(60);
            say(format!("waiting, at most {minutes} min, for {holder}, which holds {lock}"));
            told = Some(holder);
        }
        std::thread::sleep(glance);
    }
    Ok(())
}

/// Who has this lock. A file that is only open is not locked, and one that is not there is nobody's.
fn held(lock: &'static str) -> Option<Held> {
    let file = File::options().read(true).write(true).open(lock).ok()?;
    let holders = processes::holding(&file);
    if holders.is_empty() || fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
        return None;
    }
    let names = holders.iter().map(|(pid, name)| format!("`{name}`, process {pid}"));
    Some(Held { lock, holder: names.collect::<Vec<_>>().join(", and ") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(name: &str) -> Option<Held> {
        Some(Held { lock: LOCKS[0], holder: format!("`{name}`, process 7") })
    }

    #[test]
    fn each_holder_is_named_once_and_then_it_goes_on() {
        let mut seen = [by("apt-get"), by("apt-get"), by("dpkg"), None].into_iter();
        let mut said = Vec::new();
        let look = || seen.next().flatten();
        wait_while(look, LONGEST, Duration::ZERO, |line| said.push(line)).unwrap();
        let expected = |name: &str| {
            format!(
                "waiting, at most 10 min, for `{name}`, process 7, which holds /var/lib/dpkg/lock-frontend"
            )
        };
        assert_eq!(said, [expected("apt-get"), expected("dpkg")]);
    }

    #[test]
    fn who_does_not_end_is_named_in_the_error() {
        let error = wait_while(|| by("unattended-upgr"), Duration::ZERO, Duration::ZERO, drop).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("`unattended-upgr`, process 7 has held /var/lib/dpkg/lock-frontend"), "{text}");
        assert!(text.contains("run this again"), "{text}");
    }
}
