//! Programs of the other architecture: QEMU's user emulation, known to the kernel.
//!
//! In: nothing. Out: a registration with the flag that makes it work inside containers, found or made. A registration
//! that is there is left alone; one that we make stays, as it would after installing the package on a booted system.

use super::Missing;
use host::process::Invocation;
use std::path::Path;

#[cfg(target_arch = "aarch64")]
mod other {
    pub const QEMU: &str = "qemu-x86_64";
    pub const PLATFORM: &str = "linux/amd64";
}
#[cfg(not(target_arch = "aarch64"))]
mod other {
    pub const QEMU: &str = "qemu-aarch64";
    pub const PLATFORM: &str = "linux/arm64";
}

/// The emulator of the architecture this machine is not.
pub const QEMU: &str = other::QEMU;
/// That architecture as images name it.
pub const PLATFORM: &str = other::PLATFORM;

const TABLE: &str = "/proc/sys/fs/binfmt_misc";

/// Makes sure the kernel knows the emulator.
///
/// # Errors
/// If there is no table, we may not write to it, or what is registered does not work inside containers.
pub fn register() -> Result<(), Missing> {
    let table = Path::new(TABLE);
    if !table.join("register").exists() {
        let mount = Invocation::new("mount").args(["-t", "binfmt_misc", "binfmt_misc", TABLE]);
        mount.run().map_err(|error| {
            Missing::new(
                format!("the kernel's binfmt_misc is not mounted: {error}"),
                format!("sudo {}", mount.line()),
            )
        })?;
    }
    let entry = table.join(QEMU);
    if !entry.exists() {
        write_registration(&table.join("register"))?;
    }
    let entry = std::fs::read_to_string(&entry).unwrap_or_default();
    if is_usable(&entry) {
        return Ok(());
    }
    Err(Missing::new(
        format!("{QEMU} is registered without the flag F, so containers can't use it"),
        format!("echo -1 | sudo tee {TABLE}/{QEMU}, then run this again"),
    ))
}

fn write_registration(register: &Path) -> Result<(), Missing> {
    let source = format!("/usr/lib/binfmt.d/{QEMU}.conf");
    let fix = format!("sudo sh -c 'grep -v ^# {source} > {}'", register.display());
    let failed = |what: String| Missing::new(format!("register {QEMU}: {what}"), fix.clone());
    let text = std::fs::read_to_string(&source).map_err(|error| failed(format!("{source}: {error}")))?;
    let line = text
        .lines()
        .find(|line| line.starts_with(':'))
        .ok_or_else(|| failed(format!("{source} is empty")))?;
    std::fs::write(register, line).map_err(|error| failed(error.to_string()))
}

/// Whether a table entry is enabled and opens its interpreter at registration (flag F).
fn is_usable(entry: &str) -> bool {
    let flags = entry.lines().find_map(|line| line.strip_prefix("flags:")).unwrap_or_default();
    entry.starts_with("enabled") && flags.contains('F')
}

#[cfg(test)]
mod tests {
    use super::is_usable;

    #[test]
    fn only_a_fixed_enabled_entry_serves_containers() {
        // As the kernel prints it.
        let entry = "enabled\ninterpreter /usr/bin/qemu-aarch64\nflags: POF\noffset 0\nmagic 7f454c46\n";
        assert!(is_usable(entry));
        assert!(!is_usable(&entry.replace("POF", "PO")));
        assert!(!is_usable(&entry.replace("enabled", "disabled")));
    }
}
