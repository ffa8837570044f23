//! `/proc/self/mountinfo` and `/proc/swaps`: which devices the running system uses, proc_pid_mountinfo(5) and swapon(8).

use serde::Serialize;

use super::Number;
use crate::mount::info::unescape;

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Mount {
    /// The device's number; file systems over several devices (btrfs) have one of their own.
    pub number: Number,
    /// Where.
    pub point: String,
    /// Its type.
    pub file_system: String,
    /// What is mounted, as it was asked for.
    pub source: String,
}

impl Mount {
    /// The devices that the source names; bcachefs joins several with colons.
    pub(super) fn sources(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.source.as_str()).chain(self.source.split(':'))
    }
}

/// Every mount, in the order of the lines. A line that can't be read is left out: lsblk's own column names one a device.
pub(super) fn parse(mountinfo: &str) -> Vec<Mount> {
    mountinfo.lines().filter_map(line).collect()
}

fn line(line: &str) -> Option<Mount> {
    let (front, back) = line.split_once(" - ")?;
    let mut front = front.split(' ').skip(2);
    let number = Number::parse(front.next()?)?;
    let point = unescape(front.nth(1)?);
    let mut back = back.split(' ');
    Some(Mount { number, point, file_system: unescape(back.next()?), source: unescape(back.next()?) })
}

/// The devices and files that are swapped to, from the lines below the heading.
pub(super) fn swaps(text: &str) -> Vec<String> {
    let first = |line: &str| line.split_whitespace().next().map(unescape);
    text.lines().skip(1).filter_map(first).collect()
}
