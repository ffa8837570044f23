//! What will be overwritten, shown, and agreed to by typing what stands on the thing itself (FIELD F1).
//!
//! In: cleared targets. Out: agreement, or a refusal with code 7. On a terminal the person types each device's serial number
//! or model; without one, `--yes-i-mean` must name each by what means it and nothing else. A file that plays a device was
//! named as such, which is agreement enough.

use crate::cards::targets::{Refused, Target};
use crate::exit::{Code, Failure};
use crate::table::aligned;
use host::disk::inventory::Device;
use host::report::Report;
use serde_json::{Value, json};
use std::io::{BufRead as _, IsTerminal as _, Write as _};

/// The table of what will be overwritten.
#[must_use]
pub fn shown(targets: &[Target]) -> String {
    let text = |part: &Option<String>| part.clone().unwrap_or_else(|| "-".to_owned());
    let row = |target: &Target| match target {
        Target::Device(cleared) => {
            let device = cleared.device();
            let model =
                [&device.vendor, &device.model].into_iter().flatten().cloned().collect::<Vec<_>>().join(" ");
            [
                cleared.node().to_owned(),
                device.path.clone(),
                if model.is_empty() {
                    device.backing_file.clone().unwrap_or_else(|| "-".to_owned())
                } else {
                    model
                },
                text(&device.serial),
                device.size.to_string(),
                device.content(),
            ]
        }
        Target::File(node, path) => {
            let size = std::fs::metadata(path).map(|metadata| desired::ByteSize(metadata.len()).to_string());
            let size = size.unwrap_or_else(|_| "-".to_owned());
            [
                node.to_string(),
                path.display().to_string(),
                "a file".to_owned(),
                "-".to_owned(),
                size,
                String::new(),
            ]
        }
    };
    let rows: Vec<[String; 6]> = targets.iter().map(row).collect();
    aligned(["node", "device", "model", "serial", "size", "what is on it now"], &rows)
}

/// The same as data.
#[must_use]
pub fn json(targets: &[Target]) -> Vec<Value> {
    let one = |target: &Target| match target {
        Target::Device(cleared) => json!({ "node": cleared.node(), "device": cleared.device() }),
        Target::File(node, path) => json!({ "node": node, "file": path }),
    };
    targets.iter().map(one).collect()
}

/// Every refusal, with what to do.
#[must_use]
pub fn refusals(refused: &[Refused]) -> String {
    let mut text = "nothing was written to any device:\n".to_owned();
    for one in refused {
        text += &format!("  {}={}\n", one.node, one.target);
        for reason in &one.reasons {
            text += &format!("    {}\n      {}\n", reason.why, reason.cure);
        }
    }
    text.trim_end().to_owned()
}

/// What a person types for a device: any of these.
fn answers(device: &Device) -> Vec<&str> {
    let known: Vec<&str> =
        [&device.serial, &device.model].into_iter().filter_map(|text| text.as_deref()).collect();
    let mut all = known.clone();
    all.extend(device.lasting_names());
    if all.is_empty() {
        all.push(&device.path);
    }
    all
}

/// What to type, in words.
fn asked_for(device: &Device) -> String {
    match (&device.serial, &device.model) {
        (Some(_), Some(_)) => "its serial number or model".to_owned(),
        (Some(_), None) => "its serial number".to_owned(),
        (None, Some(_)) => "its model".to_owned(),
        (None, None) => format!("`{}`, as it tells nothing else of itself", answers(device)[0]),
    }
}

/// Asks for each device in turn, or holds `meant` against them where nobody can be asked.
///
/// # Errors
/// Code 7 for whatever was not agreed to.
pub fn agree(targets: &[Target], meant: &[String], report: &Report) -> Result<(), Failure> {
    let devices = targets.iter().filter_map(|target| match target {
        Target::Device(cleared) => Some((cleared.node(), cleared.device())),
        Target::File(..) => None,
    });
    let stdin = std::io::stdin();
    for (node, device) in devices {
        if is_meant(device, meant) {
            continue;
        }
        if !meant.is_empty() || !stdin.is_terminal() {
            return Err(Failure::new(Code::Refused, not_meant(node, device)));
        }
        let known = answers(device);
        let mut answer = String::new();
        report.suspend(|| {
            let path = &device.path;
            let what = asked_for(device);
            let question = format!("{path} becomes {node}, and all on it is lost. To agree, type {what}: ");
            // A terminal that takes no question gives no answer either.
            let _ = write!(anstream::stderr().lock(), "{question}");
            let _ = stdin.lock().read_line(&mut answer);
        });
        if !known.contains(&answer.trim()) {
            let sentence = format!("that is not {}: nothing was written to any device", device.path);
            return Err(Failure::new(Code::Refused, sentence));
        }
    }
    Ok(())
}

/// `--yes-i-mean` takes the name under by-id, with or without its folder; for a loop device, its file.
fn is_meant(device: &Device, meant: &[String]) -> bool {
    let bare = |name: &String| name.strip_prefix("/dev/disk/by-id/").unwrap_or(name).to_owned();
    meant.iter().map(bare).any(|name| device.lasting_names().contains(&name.as_str()))
}

fn not_meant(node: &str, device: &Device) -> String {
    let path = &device.path;
    let cure = match device.lasting_names().first() {
        Some(name) => format!("add --yes-i-mean {name}"),
        None => {
            "it has no name under /dev/disk/by-id, so run it on a terminal and type what it asks".to_owned()
        }
    };
    format!("nobody agreed that {path} becomes {node}, and nothing was written to any device: {cure}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use host::disk::inventory::{Inventory, Seen, Sysfs};
    use std::collections::BTreeMap;

    fn device(links: &[(&str, &str)], backing_file: Option<&str>) -> Device {
        let lsblk = r#"{"blockdevices": [{"kname":"sdb","maj:min":"8:16","type":"disk","size":4096000,"ro":false,"rm":true,
            "model":"Ultra","serial":"4C53"}]}"#;
        let links = links.iter().map(|(link, to)| ((*link).to_owned(), (*to).to_owned())).collect();
        let sysfs = Sysfs { backing_file: backing_file.map(str::to_owned), ..Sysfs::default() };
        let sysfs = BTreeMap::from([("sdb".to_owned(), sysfs)]);
        let seen = Seen { lsblk: lsblk.to_owned(), links, sysfs, ..Seen::default() };
        Inventory::of(&seen).unwrap().devices.remove(0)
    }

    #[test]
    fn only_the_exact_lasting_name_is_meant() {
        let stick =
            device(&[("/dev/disk/by-id/usb-SanDisk_4C53-0:0", "/dev/sdb"), ("/dev/mine", "/dev/sdb")], None);
        let meant = |name: &str| is_meant(&stick, &[name.to_owned()]);
        assert!(meant("usb-SanDisk_4C53-0:0") && meant("/dev/disk/by-id/usb-SanDisk_4C53-0:0"));
        for other in ["", "usb-SanDisk_4C53", "/dev/sdb", "sdb", "/dev/mine", "Ultra", "4C53"] {
            assert!(!meant(other), "{other}");
        }
        assert!(not_meant("rpi-01", &stick).contains("--yes-i-mean usb-SanDisk_4C53-0:0"));
        let nameless = device(&[], None);
        assert!(not_meant("rpi-01", &nameless).contains("run it on a terminal"));
        assert!(is_meant(&device(&[], Some("/tmp/card.img")), &["/tmp/card.img".to_owned()]));
    }

    #[test]
    fn what_is_typed_stands_on_the_thing_itself() {
        let stick = device(&[("/dev/disk/by-id/usb-SanDisk_4C53-0:0", "/dev/sdb")], None);
        assert_eq!(answers(&stick), ["4C53", "Ultra", "usb-SanDisk_4C53-0:0"]);
        assert_eq!(asked_for(&stick), "its serial number or model");
        let mut nameless = device(&[], Some("/tmp/card.img"));
        (nameless.serial, nameless.model) = (None, None);
        assert_eq!(answers(&nameless), ["/tmp/card.img"]);
        assert!(asked_for(&nameless).contains("`/tmp/card.img`"));
    }
}
