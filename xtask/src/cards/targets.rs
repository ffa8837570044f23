//! Where cards are written: `NODE=DEVICE` and `NODE=FILE`, what the profiles keep from being written, and the guard's word.
//!
//! In: words of the command line, every cluster's model. Out: [`Target`]s, each cleared, or every refusal of all of them.
//! Where one is refused nothing is written to any: a mistake in one word is likely one in its neighbour too.

use crate::exit::{Code, Failure};
use blueprint::model::Model;
use desired::{ByteSize, NodeName};
use host::disk::guard::{ClearedDevice, Protected, Refusal, Request, ShareDisk, clear_all};
use host::disk::inventory::{Inventory, look};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A word of the command line, split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The node.
    pub node: NodeName,
    /// Where its card goes.
    pub place: Place,
}

/// Where a card goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A block device, by path or link.
    Device(String),
    /// A file that plays one.
    File(PathBuf),
}

/// What may be overwritten.
#[derive(Debug)]
pub enum Target {
    /// A device that the guard cleared.
    Device(Box<ClearedDevice>),
    /// A file that plays one, by its node.
    File(NodeName, PathBuf),
}

/// One refusal, for the table and for JSON.
#[derive(Debug, Serialize)]
pub struct Refused {
    /// The node.
    pub node: String,
    /// The device or file.
    pub target: String,
    /// Every reason, with what was seen.
    pub reasons: Vec<Reason>,
}

/// One reason against a target.
#[derive(Debug, Serialize)]
pub struct Reason {
    /// What and why.
    pub why: String,
    /// What to do.
    pub cure: String,
}

/// Splits the words; each node once.
///
/// # Errors
/// Code 2 with a sentence.
pub fn parse(devices: &[String], files: &[String]) -> Result<Vec<Wanted>, Failure> {
    let usage = |sentence: String| Failure::new(Code::Usage, sentence);
    let split = |word: &str, is_file: bool| {
        let (node, place) = word
            .split_once('=')
            .filter(|(node, place)| !node.is_empty() && !place.is_empty())
            .ok_or_else(|| usage(format!("`{word}` is no NODE=DEVICE, as rpi-03=/dev/disk/by-id/usb-…")))?;
        let node = node.parse::<NodeName>().map_err(|error| usage(error.to_string()))?;
        let place = if is_file { Place::File(place.into()) } else { Place::Device(place.to_owned()) };
        if matches!(&place, Place::Device(path) if !path.starts_with('/')) {
            return Err(usage(format!(
                "`{word}`: write the whole path of the device; a file is named with --target-file"
            )));
        }
        Ok(Wanted { node, place })
    };
    let devices = devices.iter().map(|word| split(word, false));
    let wanted: Vec<Wanted> =
        devices.chain(files.iter().map(|word| split(word, true))).collect::<Result<_, _>>()?;
    if wanted.is_empty() {
        return Err(usage(
            "which card for which node? write NODE=DEVICE; lsblk -o +MODEL,SERIAL shows devices".to_owned(),
        ));
    }
    for (at, one) in wanted.iter().enumerate() {
        if wanted[..at].iter().any(|earlier| earlier.node == one.node) {
            return Err(usage(format!("{} is named twice: two machines can't be one node", one.node)));
        }
    }
    Ok(wanted)
}

/// What the clusters keep: a disk that is protected on one node is protected from all.
#[must_use]
pub fn protected(models: &[&Model]) -> Protected {
    let mut protected = Protected::default();
    for model in models {
        for node in model.nodes.values() {
            protected.disks.extend(node.protected_disks.iter().cloned());
        }
        for share in model.shares.values() {
            let mut places: Vec<String> = share.clients.values().cloned().collect();
            places.push(share.path.to_string());
            places.sort();
            places.dedup();
            let device = share.device.as_ref().map(ToString::to_string);
            protected.shares.insert(format!("{}/{}", model.name, share.name), ShareDisk { device, places });
        }
    }
    protected
}

/// The flags of the guard.
#[derive(Debug, Clone, Copy)]
pub struct Flags {
    /// `--dangerously-allow-fixed-disk`.
    pub allow_fixed: bool,
    /// `--allow-large`.
    pub allow_large: bool,
}

/// The guard's word on all of them; `need` is how much room the base takes.
///
/// # Errors
/// The outer one if this machine's devices can't be told, the inner one holds every refusal.
pub fn clear(
    wanted: &[Wanted],
    protected: &Protected,
    flags: Flags,
    need: Option<ByteSize>,
) -> Result<Result<Vec<Target>, Vec<Refused>>, Failure> {
    let devices: Vec<(&NodeName, &String)> = wanted
        .iter()
        .filter_map(|one| match &one.place {
            Place::Device(path) => Some((&one.node, path)),
            Place::File(_) => None,
        })
        .collect();
    let asked: Vec<String> = devices.iter().map(|(_, path)| (*path).clone()).collect();
    let has_files = devices.len() < wanted.len();
    let inventory = match look(&asked) {
        Ok(inventory) => inventory,
        // A machine without block devices of its own can still write files.
        Err(_) if devices.is_empty() => Inventory::default(),
        Err(error) => return Err(Failure::with(Code::Missing)(error)),
    };
    let request = |(node, device): &(&NodeName, &String)| Request {
        node: node.to_string(),
        device: (*device).clone(),
        need,
        allow_fixed: flags.allow_fixed,
        allow_large: flags.allow_large,
    };
    let requests: Vec<Request> = devices.iter().map(request).collect();
    let (mut targets, mut refused) = (Vec::new(), Vec::new());
    for (request, cleared) in requests.iter().zip(clear_all(&inventory, protected, &requests)) {
        match cleared {
            Ok(device) => targets.push(Target::Device(Box::new(device))),
            Err(refusals) => refused.push(Refused {
                node: request.node.clone(),
                target: request.device.clone(),
                reasons: refusals.iter().map(reason).collect(),
            }),
        }
    }
    if has_files {
        files(wanted, &inventory, need, &mut targets, &mut refused);
    }
    // As they were typed.
    let place = |node: &str| wanted.iter().position(|one| one.node.as_str() == node);
    targets.sort_by_key(|target| match target {
        Target::Device(cleared) => place(cleared.node()),
        Target::File(node, _) => place(node.as_str()),
    });
    Ok(if refused.is_empty() { Ok(targets) } else { Err(refused) })
}

fn reason(refusal: &Refusal) -> Reason {
    Reason { why: refusal.to_string(), cure: refusal.cure() }
}

/// Files that play devices: they are there, are files, are nobody's loop device, and are not the same.
fn files(
    wanted: &[Wanted],
    inventory: &Inventory,
    need: Option<ByteSize>,
    targets: &mut Vec<Target>,
    refused: &mut Vec<Refused>,
) {
    let mut taken: BTreeMap<PathBuf, &NodeName> = BTreeMap::new();
    for one in wanted {
        let Place::File(path) = &one.place else { continue };
        let mut reasons = file_reasons(path, inventory, need);
        if let Ok(real) = path.canonicalize()
            && let Some(other) = taken.insert(real, &one.node)
        {
            let why = format!("it is {other}'s too");
            reasons.push(Reason { why, cure: "name one file a node".to_owned() });
        }
        if reasons.is_empty() {
            targets.push(Target::File(one.node.clone(), path.clone()));
        } else {
            refused.push(Refused { node: one.node.to_string(), target: path.display().to_string(), reasons });
        }
    }
}

fn file_reasons(path: &Path, inventory: &Inventory, need: Option<ByteSize>) -> Vec<Reason> {
    let because = |why: String, cure: &str| vec![Reason { why, cure: cure.to_owned() }];
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => {
            return because(format!("it can't be looked at: {error}"), "make it first: truncate -s 16G FILE");
        }
    };
    if !metadata.is_file() {
        return because("it is no file".to_owned(), "name a device as NODE=DEVICE");
    }
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let is_behind = |file: &String| real == Path::new(file);
    if let Some(user) = inventory.all().find(|device| device.backing_file.as_ref().is_some_and(is_behind)) {
        return because(format!("{} is made of it", user.path), "losetup -d that, or name another file");
    }
    match need.filter(|need| need.0 > metadata.len()) {
        Some(need) => because(
            format!("it has {}, and the base needs {need}", ByteSize(metadata.len())),
            "make it longer: truncate -s 16G FILE",
        ),
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn words_are_split_and_each_node_stands_once() {
        let wanted =
            parse(&words(&["rpi-01=/dev/disk/by-id/usb-a=b"]), &words(&["rpi-02=card.img"])).unwrap();
        assert_eq!(wanted[0].place, Place::Device("/dev/disk/by-id/usb-a=b".to_owned()));
        assert_eq!(wanted[1].place, Place::File("card.img".into()));
        for (devices, files, why) in [
            (&["rpi-01"][..], &[][..], "no NODE=DEVICE"),
            (&["rpi-01="], &[], "no NODE=DEVICE"),
            (&["=/dev/sda"], &[], "no NODE=DEVICE"),
            (&["RPI_1=/dev/sda"], &[], "RPI_1"),
            (&["rpi-01=sda"], &[], "the whole path"),
            (&["rpi-01=/dev/sda"], &["rpi-01=x"], "rpi-01 is named twice"),
            (&[], &[], "which card for which node"),
        ] {
            let failure = parse(&words(devices), &words(files)).unwrap_err();
            assert_eq!(failure.code, Code::Usage);
            assert!(failure.error.to_string().contains(why), "{}", failure.error);
        }
    }

    #[test]
    fn files_that_can_not_play_a_device_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("card.img");
        std::fs::write(&file, [0; 1000]).unwrap();
        let ask = |places: &[&Path], need| {
            let of = |(at, path): (usize, &&Path)| Wanted {
                node: format!("n{at}").parse().unwrap(),
                place: Place::File(path.to_path_buf()),
            };
            let wanted: Vec<Wanted> = places.iter().enumerate().map(of).collect();
            let (mut targets, mut refused) = (Vec::new(), Vec::new());
            files(&wanted, &Inventory::default(), need, &mut targets, &mut refused);
            let why = refused.into_iter().flat_map(|one| one.reasons).map(|reason| reason.why);
            (targets.len(), why.collect::<Vec<_>>())
        };
        assert_eq!(ask(&[&file], Some(ByteSize(1000))), (1, Vec::new()));
        assert!(ask(&[&file], Some(ByteSize(1001))).1[0].contains("the base needs"));
        assert!(ask(&[&folder.path().join("none")], None).1[0].contains("can't be looked at"));
        assert!(
            ask(&[folder.path(), Path::new("/dev/null")], None).1.iter().all(|why| why == "it is no file")
        );
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(ask(&[&file, &link], None), (1, vec!["it is n0's too".to_owned()]));
    }
}
