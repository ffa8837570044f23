//! Two readers of shell scripts: the shell itself and shellcheck.

use crate::lab::Lab;
use crate::programs::{answering, said};
use host::process::Invocation;
use std::path::Path;

/// Lets `sh -n` parse the script and `shellcheck` judge it as POSIX sh; every remark of either is a fault.
///
/// # Errors
/// If one of them has a remark.
pub fn verify(lab: &Lab, script: &Path) -> anyhow::Result<()> {
    for call in [
        Invocation::new("sh").arg("-n").arg(script),
        lab.tool("shellcheck").args(["--shell=sh", "--severity=style", "--format=gcc"]).arg(script),
    ] {
        let output = answering(call.clone()).run()?;
        let all = said(&output);
        anyhow::ensure!(output.code == 0 && all.is_empty(), "{} does not hold:\n{all}", call.line());
    }
    Ok(())
}
