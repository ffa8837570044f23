//! Loop devices: whether this machine lets us make one.

use super::Missing;
use host::process::Invocation;

/// Makes one over a file of ours, and takes it away again.
pub(super) fn try_one() -> Result<(), Missing> {
    let missing =
        |why: String| Missing::new(why, "run as root on a kernel with loop devices (modprobe loop)");
    let file = tempfile::NamedTempFile::new().map_err(|error| missing(error.to_string()))?;
    file.as_file().set_len(1 << 20).map_err(|error| missing(error.to_string()))?;
    let made = Invocation::new("losetup").args(["--find", "--show"]).arg(file.path()).run();
    let output = made.map_err(|error| missing(error.to_string()))?;
    let gone = Invocation::new("losetup").args(["--detach", output.text().trim()]).run();
    gone.map(drop).map_err(|error| missing(error.to_string()))
}
