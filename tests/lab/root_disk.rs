//! The disk that this machine runs from, for trials that must find it left alone. It is only ever read.

use super::Missing;
use host::process::Invocation;
use std::fs::File;
use std::path::PathBuf;

/// The whole disk below `/`.
pub(super) fn find() -> Result<PathBuf, Missing> {
    let missing =
        |why: String| Missing::new(why, "run as root on a machine whose / lies on a disk of its own");
    let ask = |program: &str, words: &[&str]| {
        let output = Invocation::new(program).args(words.iter().copied()).run();
        output.map(|output| output.text().trim().to_owned()).map_err(|error| missing(error.to_string()))
    };
    let source = ask("findmnt", &["--noheadings", "--nofsroot", "--output", "SOURCE", "/"])?;
    if !source.starts_with("/dev/") {
        return Err(missing(format!("/ is on {source}, which is no device")));
    }
    let below =
        ask("lsblk", &["--inverse", "--noheadings", "--paths", "--list", "--output", "NAME,TYPE", &source])?;
    let disk = below.lines().find_map(|line| line.strip_suffix("disk")).map(str::trim);
    disk.map(PathBuf::from).ok_or_else(|| missing(format!("no disk is below {source}")))
}

/// The same, if its bytes can be read.
pub(super) fn readable() -> Result<PathBuf, Missing> {
    let disk = find()?;
    let opened = File::open(&disk);
    opened.map_err(|error| {
        let why = format!("{} can't be read: {error}", disk.display());
        Missing::new(why, "run as root where a device may be opened")
    })?;
    Ok(disk)
}
