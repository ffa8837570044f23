//! Facts about swap, room and the disk below k3s's data.

use std::collections::BTreeMap;
use std::io;

use desired::observed::Answer;
use desired::preflight::Needs;
use desired::preflight::facts::{Space, Swap};

use super::{kernel_text, mapped};
use crate::journal::FOLDER;
use crate::root::Root;

/// Where generators lie, systemd.generator(7).
const GENERATORS: [&str; 3] = [
    "/etc/systemd/system-generators",
    "/usr/local/lib/systemd/system-generators",
    "/usr/lib/systemd/system-generators",
];

pub(super) fn swap(root: &Root) -> Answer<Swap> {
    let read = |path: &str| root.read_text(path).ok().flatten().unwrap_or_default();
    let word = |line: &str, at: usize| line.split_whitespace().nth(at).map(str::to_owned);
    let mut generators: Vec<String> = GENERATORS.iter().flat_map(|folder| root.list(folder)).collect();
    generators.retain(|name| name.contains("swap") || name.contains("zram"));
    if matches!(root.see("/sbin/dphys-swapfile"), Ok(Some(_))) {
        generators.push("dphys-swapfile".to_owned());
    }
    let fstab = read("/etc/fstab");
    let lines = fstab.lines().filter(|line| !line.trim_start().starts_with('#'));
    Answer::Known(Swap {
        active: read("/proc/swaps").lines().skip(1).filter_map(|line| word(line, 0)).collect(),
        generators,
        fstab: lines.filter(|line| word(line, 2).as_deref() == Some("swap")).count(),
    })
}

/// What is to be written, summed up by file system. A file of the wanted size is taken to be there already; one that will
/// be replaced is also copied to the journal.
pub(super) fn space(root: &Root, needs: &Needs) -> Answer<Vec<Space>> {
    let mut by_device: BTreeMap<u64, Space> = BTreeMap::new();
    let mut add = |path: &str, size: u64| -> io::Result<()> {
        let (folder, device, available) = nearest(root, path)?;
        let space = by_device.entry(device).or_insert(Space { folder, available, wanted: 0 });
        space.wanted = space.wanted.saturating_add(size);
        Ok(())
    };
    for write in &needs.writes {
        let present = match root.see(write.path.as_str()) {
            Ok(Some(seen)) => u64::try_from(seen.stat.st_size).unwrap_or(0),
            _ => 0,
        };
        if present == write.size {
            continue;
        }
        let written =
            add(write.path.as_str(), write.size).and_then(|()| add(&format!("{FOLDER}/saved"), present));
        if let Err(error) = written {
            return Answer::unknown(format!("the room for {} can't be measured: {error}", write.path));
        }
    }
    Answer::Known(by_device.into_values().collect())
}

/// The innermost folder on the way to `path` that is there, its file system and the room on it.
fn nearest(root: &Root, path: &str) -> io::Result<(String, u64, u64)> {
    let mut folder = path;
    loop {
        folder = folder.rsplit_once('/').map_or("", |(parent, _)| parent);
        let shown = if folder.is_empty() { "/" } else { folder };
        if let Some((device, available)) = root.room(shown)? {
            return Ok((shown.to_owned(), device, available));
        }
        if folder.is_empty() {
            return Err(io::Error::other("the root is no folder"));
        }
    }
}

/// The device of the innermost mount that `folder` lies in, by the kernel's name for it.
pub(super) fn device(root: &Root, folder: &str) -> Answer<String> {
    mapped(kernel_text(root, "/proc/self/mountinfo"), |text| {
        let holds = |point: &str| point == "/" || folder == point || folder.starts_with(&format!("{point}/"));
        let lines = text.lines().filter_map(|line| {
            let fields: Vec<&str> = line.split(' ').collect();
            Some(((*fields.get(4)?).to_owned(), (*fields.get(2)?).to_owned()))
        });
        // Of equal ones the last lies on top.
        let Some((_, number)) = lines.filter(|(point, _)| holds(point)).max_by_key(|(point, _)| point.len())
        else {
            return Answer::unknown("no mount holds it");
        };
        let link = root.see(&format!("/sys/dev/block/{number}")).ok().flatten();
        match link.and_then(|seen| seen.target()) {
            Some(target) => Answer::Known(target.rsplit('/').next().unwrap_or(&target).to_owned()),
            None => Answer::unknown(format!("device {number} is no disk, as in a container")),
        }
    })
}
