//! systemd's own reading of unit files.

use crate::lab::Lab;
use crate::programs::{answering, said};
use anyhow::Context as _;
use std::path::{Path, PathBuf};

/// Lets `systemd-analyze verify` read every unit in `folder`, with its drop-ins, as if the folder were in the unit path.
///
/// Its exit code is 0 even for lines it ignores (FIELD M5), so any line it prints is a fault. `elsewhere` names programs
/// that exist on the node only; that they are not on this machine is no fault.
///
/// # Errors
/// If it printed a line, or there is no unit in the folder.
pub fn verify(lab: &Lab, folder: &Path, elsewhere: &[&str]) -> anyhow::Result<()> {
    let units = units(folder)?;
    anyhow::ensure!(!units.is_empty(), "no unit in {}", folder.display());
    // The colon at the end keeps systemd's own folders, for targets and for units that drop-ins extend.
    let path = format!("{}:", folder.display());
    let call =
        lab.tool("systemd-analyze").args(["verify", "--man=no"]).args(units).env("SYSTEMD_UNIT_PATH", path);
    let output = answering(call).run()?;
    let is_elsewhere = |line: &str| {
        elsewhere.iter().any(|program| line.contains(&format!("Command {program} is not executable")))
    };
    let all = said(&output);
    let faults: Vec<&str> =
        all.lines().filter(|line| !line.trim().is_empty() && !is_elsewhere(line)).collect();
    anyhow::ensure!(
        faults.is_empty(),
        "systemd does not like units in {}:\n{}",
        folder.display(),
        faults.join("\n")
    );
    Ok(())
}

/// The unit files of a folder, sorted; drop-in folders are read with the unit they extend.
fn units(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    const KINDS: [&str; 8] = ["automount", "mount", "path", "service", "slice", "socket", "target", "timer"];
    let entries = std::fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    let mut units = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let kind = path.extension().and_then(|kind| kind.to_str());
        if path.is_file() && kind.is_some_and(|kind| KINDS.contains(&kind)) {
            units.push(path);
        }
    }
    units.sort();
    Ok(units)
}
