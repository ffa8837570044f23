//! The block of ours in /etc/fstab: shares of machines that people log in to, and devices under shares served here.
//!
//! In: entries and devices. Out: one managed block, a line a mount point (FIELD M1), and the units systemd makes of it.
//! Every network line has the four options that keep a boot from waiting for a server (FIELD M3). The mount point itself
//! is made by systemd.

use desired::resource::{Resource, Want};

use super::entry::Entry;
use super::server::Device;
use crate::escape::{fstab, systemd};
use crate::model::Node;
use crate::render::RenderError;

/// The block and its units; nothing where no line is wanted.
///
/// # Errors
/// If a path or option has no form in fstab, or a path no unit name.
pub fn block(node: &Node, entries: &[Entry], devices: &[Device]) -> Result<Vec<Resource>, RenderError> {
    if entries.is_empty() && devices.is_empty() {
        return Ok(Vec::new());
    }
    let unfit = |what: &str| RenderError::inexpressible(format!("/etc/fstab of {}, {what}", node.name));
    let mut lines = Vec::new();
    let mut units = Vec::new();
    for device in devices {
        let options = fstab::options(&device.options()).map_err(unfit(&device.share))?;
        lines.push((device.mount_point.clone(), device.line(&options).map_err(unfit(&device.share))?));
        units.push(systemd::path_unit(&device.mount_point, "mount").map_err(unfit(&device.share))?);
    }
    for entry in entries {
        let fields = [
            fstab::field(&entry.source),
            fstab::field(entry.mount_point.as_str()),
            fstab::field(entry.filesystem),
            fstab::options(&options(entry)),
        ];
        let fields = fields.into_iter().collect::<Result<Vec<_>, _>>().map_err(unfit(&entry.share))?;
        lines.push((entry.mount_point.clone(), format!("{} 0 0\n", fields.join(" "))));
        units.push(systemd::path_unit(&entry.mount_point, "automount").map_err(unfit(&entry.share))?);
    }
    lines.sort();
    let block = Resource::new(Want::ManagedBlock {
        path: super::path("/etc/fstab")?,
        name: "mounts".to_owned(),
        comment: "#".to_owned(),
        content: lines.into_iter().map(|(_, line)| line).collect(),
    });
    let mut all = after_what_it_needs(block, node, entries)?;
    let block_id = all[all.len() - 1].id.clone();
    // A block that changed does not restart mounts that are in use; they change when they are mounted next.
    all.extend(units.into_iter().map(|name| {
        Resource::new(Want::Unit { name, enabled: true, active: true, waits: false, restart_on: [].into() })
            .after(&block_id)
    }));
    Ok(all)
}

/// The block, after the packages with the mount helpers and the credentials it names.
fn after_what_it_needs(
    mut block: Resource,
    node: &Node,
    entries: &[Entry],
) -> Result<Vec<Resource>, RenderError> {
    for entry in entries {
        for earlier in super::earlier(node, entry)? {
            block = block.after(&earlier);
        }
    }
    Ok(vec![block])
}

/// All options of a network line: those of the file system, then systemd's.
fn options(entry: &Entry) -> Vec<String> {
    let mut options = entry.options.clone();
    options.extend(["_netdev", "nofail", "x-systemd.automount"].map(str::to_owned));
    options.push(format!("x-systemd.mount-timeout={}s", entry.mount_timeout_secs));
    if let Some(seconds) = entry.idle_timeout_secs {
        options.push(format!("x-systemd.idle-timeout={seconds}s"));
    }
    if entry.waits_for_mesh {
        options.push("x-systemd.requires=tailscaled.service".to_owned());
    }
    options
}
