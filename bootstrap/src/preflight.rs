//! What must hold before the first change: whoever calls has the rights, and the machine can become this node.
//!
//! In: the root, the bundle's architecture and the resources. Out: warnings, or a refusal that names everything that is in
//! the way, with nothing written.

use std::time::Duration;

use anyhow::anyhow;
use desired::Arch;
use desired::preflight::{Check, Mark, Needs, judge};
use desired::resource::Resource;
use host::journal::History;
use host::preflight::{collect, wait_for_clock};
use host::root::Root;

use crate::exit::{Code, Failure};

/// How long a clock is waited for that shows a time long past: a time server needs seconds, a slow network a minute.
const CLOCK: Duration = Duration::from_secs(90);

/// The caller may change what he wants to; below a folder that is not `/` the file system itself says no.
pub fn rights(root: &Root) -> Result<(), Failure> {
    if root.is_live() && !root.is_writable_by_caller() {
        return Err(Failure::new(
            Code::Missing,
            anyhow!("this changes the whole system and needs root; run it again with sudo"),
        ));
    }
    Ok(())
}

/// Checks everything; gives the warnings, a sentence each.
pub fn run(
    root: &Root,
    arch: Arch,
    resources: &[Resource],
    history: &History,
) -> Result<Vec<String>, Failure> {
    if root.is_live() {
        // A refusal of the judgement below says it better than this wait could.
        let _ = wait_for_clock(CLOCK);
    }
    let needs = Needs::of(Some(arch), resources);
    let verdicts = judge(&needs, &collect(root, &needs, history));
    let of = |mark| {
        let those = verdicts.iter().filter(move |verdict| verdict.mark == mark);
        those.map(|verdict| verdict.sentence()).collect::<Vec<_>>()
    };
    let refusals = of(Mark::Refuse);
    if refusals.is_empty() {
        return Ok(of(Mark::Warning));
    }
    let error = anyhow!("nothing was changed, since this is in the way:\n  {}", refusals.join("\n  "));
    // A bundle for other machines lacks nothing that this one could be given.
    let is_wrong_bundle =
        verdicts.iter().any(|verdict| verdict.mark == Mark::Refuse && verdict.check == Check::Userland);
    Err(Failure::new(if is_wrong_bundle { Code::VerificationFailed } else { Code::Missing }, error))
}
