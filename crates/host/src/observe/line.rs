//! Our words on the kernel's command line: in the file it is read from, and in the running kernel.

use std::collections::BTreeSet;

use desired::AbsPath;
use desired::kernel_line::{lacking, missing};
use desired::observed::{Answer, Line, Observed};
use desired::resource::{KernelFact, Resource, ResourceId, Want};
use rustix::fs::FileType;

use crate::root::Root;

/// The line the running kernel was started with, what firmware added included.
const RUNNING: &str = "/proc/cmdline";
/// What version 2 of control groups can do; a row of `/proc/cgroups` tells nothing since 6.12 (FIELD K1).
const CONTROLLERS: &str = "/sys/fs/cgroup/cgroup.controllers";

pub(super) fn observe(root: &Root, path: &AbsPath, words: &[String], unless: Option<KernelFact>) -> Line {
    let unknown = |why: String| Line::Unknown { why };
    let running = running(root, words);
    if running_is_without(&running, words) && unless.is_some_and(|fact| holds(root, fact)) {
        return Line::Needless;
    }
    // Words are put into a file, never through a link: nobody could tell whose file that is.
    match root.see(path.as_str()) {
        Ok(Some(seen)) if seen.kind() != FileType::RegularFile => {
            return unknown("it is no regular file, so nobody knows whose it is".to_owned());
        }
        _ => {}
    }
    match root.read(path.as_str()) {
        Ok(None) => unknown("it is not there; is the boot partition mounted at its place?".to_owned()),
        Err(error) => unknown(format!("it can't be read: {error}")),
        Ok(Some(file)) => match missing(&file, words) {
            Ok(missing) => Line::Read { missing, waiting: running },
            Err(fault) => unknown(fault.to_string()),
        },
    }
}

/// Which words the running kernel was started without.
fn running(root: &Root, words: &[String]) -> Answer<Vec<String>> {
    match root.read_text(RUNNING) {
        Ok(Some(line)) => Answer::Known(lacking(&line, words)),
        _ => Answer::later(Observed::RESTART),
    }
}

/// Whether the kernel runs without our words, so that what it can do it can do by itself.
fn running_is_without(running: &Answer<Vec<String>>, words: &[String]) -> bool {
    matches!(running, Answer::Known(lacking) if lacking.len() == words.len())
}

fn holds(root: &Root, fact: KernelFact) -> bool {
    match fact {
        KernelFact::MemoryCgroup => {
            let controllers = root.read_text(CONTROLLERS).ok().flatten().unwrap_or_default();
            controllers.split_whitespace().any(|controller| controller == "memory")
        }
    }
}

/// The lines whose words the running kernel lacks: what comes after them has to wait for the machine's next start.
pub(crate) fn awaited(root: &Root, resources: &[Resource]) -> BTreeSet<ResourceId> {
    let waits = |resource: &&Resource| match &resource.want {
        Want::ManagedLine { words, unless, .. } => {
            let lacks = matches!(running(root, words), Answer::Known(lacking) if !lacking.is_empty());
            lacks && !unless.is_some_and(|fact| holds(root, fact))
        }
        _ => false,
    };
    resources.iter().filter(waits).map(|resource| resource.id.clone()).collect()
}
