//! util-linux' own reading of an fstab.

use crate::lab::Lab;
use crate::programs::{answering, said};
use std::path::Path;

/// What `findmnt` says about the machine rather than about the file.
const OF_THIS_MACHINE: [&str; 3] = [
    "unreachable on boot required target",
    "unreachable on boot required source",
    "seems unsupported by the current kernel",
];

/// Lets `findmnt --verify` read the file; parse errors, errors and warnings are faults, devices, servers and mount
/// points that are not on this machine are not.
///
/// # Errors
/// If a fault remains.
pub fn verify(lab: &Lab, fstab: &Path) -> anyhow::Result<()> {
    let call = lab.tool("findmnt").args(["--verify", "--tab-file"]).arg(fstab);
    let output = answering(call).run()?;
    let all = said(&output);
    let is_fault = |line: &&str| {
        let judged = line.contains("[E]") || line.contains("[W]") || line.contains("parse error at");
        judged && !OF_THIS_MACHINE.iter().any(|fact| line.contains(fact))
    };
    let faults: Vec<&str> = all.lines().filter(is_fault).collect();
    anyhow::ensure!(faults.is_empty(), "findmnt does not like {}:\n{all}", fstab.display());
    anyhow::ensure!(
        all.contains("parse error") || all.contains("Success"),
        "findmnt said nothing usable: {all}"
    );
    Ok(())
}
