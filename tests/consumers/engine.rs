//! Docker's own reading of an engine's settings.

use crate::lab::Lab;
use crate::programs::{answering, said};
use std::path::Path;

/// Lets `dockerd --validate` read a `daemon.json`; nothing is started.
///
/// # Errors
/// If it does not accept the file.
pub fn verify(lab: &Lab, settings: &Path) -> anyhow::Result<()> {
    let call = lab.tool("dockerd").args(["--validate", "--config-file"]).arg(settings);
    let output = answering(call).run()?;
    anyhow::ensure!(output.code == 0, "dockerd does not accept {}:\n{}", settings.display(), said(&output));
    Ok(())
}
