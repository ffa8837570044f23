//! Units of our own a share: `.mount` says how, `.automount` says when.
//!
//! In: entries. Out: two files a share and the state of the automount. The mount point itself is made by systemd.

use desired::resource::{Resource, Want};
use serde::Serialize;

use super::entry::Entry;
use super::unit_file;
use crate::escape::{fstab, systemd};
use crate::model::Node;
use crate::render::{RenderError, template};

/// What the two templates take.
#[derive(Serialize)]
struct Context<'a> {
    share: &'a str,
    source: &'a str,
    mount_point: &'a str,
    filesystem: &'a str,
    options: String,
    waits_for_mesh: bool,
    mount_timeout_secs: u32,
    idle_timeout_secs: Option<u32>,
}

/// The units of all entries.
///
/// # Errors
/// If a path has no unit name or a value no form in a unit file.
pub fn units(node: &Node, entries: &[Entry]) -> Result<Vec<Resource>, RenderError> {
    let mut all = Vec::new();
    for entry in entries {
        all.extend(units_of(node, entry)?);
    }
    Ok(all)
}

fn units_of(node: &Node, entry: &Entry) -> Result<[Resource; 3], RenderError> {
    let unfit = || RenderError::inexpressible(format!("the units of {} on {}", entry.share, node.name));
    // options stand at the same comma as in fstab, and `%` and blanks are the template's business
    fstab::options(&entry.options).map_err(unfit())?;
    let mut options = entry.options.clone();
    options.push("_netdev".to_owned());
    let context = Context {
        share: &entry.share,
        source: &entry.source,
        mount_point: entry.mount_point.as_str(),
        filesystem: entry.filesystem,
        options: options.join(","),
        waits_for_mesh: entry.waits_for_mesh,
        mount_timeout_secs: entry.mount_timeout_secs,
        idle_timeout_secs: entry.idle_timeout_secs,
    };
    let mount_name = systemd::path_unit(&entry.mount_point, "mount").map_err(unfit())?;
    let automount_name = systemd::path_unit(&entry.mount_point, "automount").map_err(unfit())?;
    let mut mount = unit_file(mount_name.as_str(), template::render("mounts/share.mount", &context)?)?;
    for earlier in super::earlier(node, entry)? {
        mount = mount.after(&earlier);
    }
    let automount =
        unit_file(automount_name.as_str(), template::render("mounts/share.automount", &context)?)?;
    let unit = Resource::new(Want::Unit {
        name: automount_name,
        enabled: true,
        active: true,
        waits: false,
        restart_on: [mount.id.clone(), automount.id.clone()].into(),
    });
    Ok([mount, automount, unit])
}
