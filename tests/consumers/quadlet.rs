//! Podman's own reading of Quadlet's units.

use crate::lab::Lab;
use crate::programs::{answering, said, scratch};
use anyhow::Context as _;
use std::path::Path;

/// The units of systemd that Podman's generator makes of a folder, by name; a word of its about a line is a fault.
///
/// # Errors
/// With its own message.
pub fn units(lab: &Lab, folder: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let call = lab.tool("quadlet").arg("-dryrun").env("QUADLET_UNIT_DIRS", folder);
    let output = answering(call).run()?;
    let remark =
        |line: &&str| line.starts_with("quadlet-generator") && !line.contains("Loading source unit file");
    let remarks: Vec<&str> = output.stderr_tail.lines().filter(remark).collect();
    anyhow::ensure!(output.code == 0 && remarks.is_empty(), "Quadlet does not like this:\n{}", said(&output));
    let text = output.text();
    let mut units = Vec::new();
    for part in text.split("---").collect::<Vec<_>>()[1..].chunks(2) {
        let [name, content] = part else { anyhow::bail!("no unit in {part:?}") };
        units.push(((*name).to_owned(), (*content).to_owned()));
    }
    anyhow::ensure!(!units.is_empty(), "no unit comes of {}", folder.display());
    Ok(units)
}

/// The same, written to a folder of their own.
///
/// # Errors
/// As [`units`].
pub fn generated(lab: &Lab, folder: &Path) -> anyhow::Result<tempfile::TempDir> {
    let out = scratch()?;
    for (name, content) in units(lab, folder)? {
        let path = out.path().join(name);
        std::fs::write(&path, content).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(out)
}
