//! Asking this machine: one `lsblk`, a few files of `/proc` and `/sys`, and the links below `/dev/disk`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::{AMBIVALENT, COLUMNS, Device, Inventory, InventoryError, Mount, Number, Seen, Sysfs, mounts};
use crate::process::{Invocation, ProcessError};

/// Why the machine's devices can't be told.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// lsblk or blkid did not answer.
    #[error("ask which block devices there are, and what lies on them")]
    Tool(#[from] ProcessError),
    /// A file of the kernel's can't be read.
    #[error("read {path}; without it nobody knows what is in use, so nothing is written")]
    Kernel {
        /// Which.
        path: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// An answer makes no sense.
    #[error(transparent)]
    Answer(#[from] InventoryError),
}

/// This machine's devices now. Links among `asked` are followed, wherever they are, and what lies on those devices is read
/// from them.
///
/// # Errors
/// [`LookError`] if anything that decides over a device can't be read.
pub fn look(asked: &[String]) -> Result<Inventory, LookError> {
    let call = Invocation::new("lsblk").args(["--json", "--bytes", "--all", "--output", COLUMNS]);
    let lsblk = call.if_missing("apt-get install -y util-linux").run()?.text();
    let mut links = BTreeMap::new();
    for folder in fs::read_dir("/dev/disk").into_iter().flatten().flatten() {
        for link in fs::read_dir(folder.path()).into_iter().flatten().flatten() {
            note_link(&link.path(), &mut links);
        }
    }
    for path in asked.iter().map(Path::new) {
        note_link(path, &mut links);
    }
    let mut sysfs = BTreeMap::new();
    for class in fs::read_dir("/sys/class/block").into_iter().flatten().flatten() {
        if let Some(name) = class.file_name().to_str() {
            sysfs.insert(name.to_owned(), sysfs_of(&class.path()));
        }
    }
    let swaps = kernel("/proc/swaps")?;
    let mut seen = Seen { lsblk, swaps, mountinfo: mountinfo()?, links, sysfs, probes: BTreeMap::new() };
    let first = Inventory::of(&seen)?;
    for path in asked {
        let (_, tops) = first.find(path).unzip();
        for device in tops.iter().flatten().flat_map(|top| top.tree()).filter(|device| device.size.0 > 0) {
            seen.probes.extend(probe(device)?.map(|mark| (device.path.clone(), mark)));
        }
    }
    Ok(Inventory::of(&seen)?)
}

/// What lies on a device without a table between, as blkid reads it now; none if nothing that it knows, or if it may not
/// read it, and then nobody here may write it.
fn probe(device: &Device) -> Result<Option<String>, LookError> {
    let call =
        Invocation::new("blkid").args(["--probe", "--output", "export"]).arg(&device.path).accept([0, 2, 8]);
    let output = call.if_missing("apt-get install -y util-linux").run()?;
    let text = output.text();
    Ok(match output.code {
        8 => Some(AMBIVALENT.to_owned()),
        _ => text.lines().find_map(|line| line.strip_prefix("TYPE=")).map(str::to_owned),
    })
}

/// Every mount now.
///
/// # Errors
/// [`LookError`] if the kernel does not say.
pub fn mounts_now() -> Result<Vec<Mount>, LookError> {
    Ok(mounts::parse(&mountinfo()?))
}

/// What the driver says now of the device with that number.
#[must_use]
pub fn identity_now(number: Number) -> Sysfs {
    sysfs_of(Path::new(&format!("/sys/dev/block/{number}")))
}

/// Our own mounts and, for a tool in a container or in a name space of its own, those of the system around it.
fn mountinfo() -> Result<String, LookError> {
    let around = fs::read("/proc/1/mountinfo").unwrap_or_default();
    Ok(kernel("/proc/self/mountinfo")? + "\n" + &String::from_utf8_lossy(&around))
}

fn kernel(path: &str) -> Result<String, LookError> {
    match fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        // A kernel without swap has no such file.
        Err(error) if path == "/proc/swaps" && error.kind() == std::io::ErrorKind::NotFound => {
            Ok(String::new())
        }
        Err(source) => Err(LookError::Kernel { path: path.to_owned(), source }),
    }
}

fn note_link(link: &Path, links: &mut BTreeMap<String, String>) {
    let (Ok(to), Ok(link)) = (link.canonicalize(), std::path::absolute(link)) else { return };
    if to != link {
        links.insert(link.to_string_lossy().into_owned(), to.to_string_lossy().into_owned());
    }
}

fn sysfs_of(folder: &Path) -> Sysfs {
    let text = |name: &str| {
        let text = fs::read_to_string(folder.join(name)).ok()?;
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    let names = |name: &str| {
        let entries = fs::read_dir(folder.join(name)).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    };
    Sysfs {
        holders: names("holders"),
        backing_file: text("loop/backing_file"),
        // Only an SD controller's cards have a folder of that shape.
        card: text("device/type").filter(|kind| kind == "SD" || kind == "MMC"),
        sequence: text("diskseq").and_then(|text| text.parse().ok()),
        serial: text("device/serial"),
        model: text("device/model").or_else(|| text("device/name")),
    }
}
