//! What an image is: its partitions and what they hold, which of them boots, for which machine, and what its first boot obeys.
//!
//! In: a disk. Out: an [`Insight`]. It is all told from the image itself, never from its name: most settings that are
//! silently not applied were written in a format the image does not read (FIELD P1).

use desired::ByteSize;
use desired::card::FirstBoot;
use serde::Serialize;
use std::fmt::Display;

use super::ext4::Ext4;
use super::fat::Fat;
use super::table::{Partition, Scheme, Table};
use super::{DiskError, Part, ReadAt, Used};
use crate::elf;

/// Partition types that promise FAT: UEFI's by GUID, and those of an MBR.
const FAT_TYPES: [&str; 8] =
    ["c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "ef", "01", "04", "06", "0b", "0c", "0e"];
/// What keeps cloud-init from running (its `ds-identify` and its generator look for it).
const SWITCH: &str = "/etc/cloud/cloud-init.disabled";
/// Programs that every system with systemd and dpkg has, to tell the machine they are for.
const PROGRAMS: [&str; 2] = ["/usr/bin/dpkg", "/usr/lib/systemd/systemd"];

/// What a partition holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Content {
    /// Its number, from 1.
    pub number: u32,
    /// Where it starts, in bytes.
    pub start: u64,
    /// Its length.
    pub size: ByteSize,
    /// `FAT32`, `ext4`; none where it is unknown here.
    pub file_system: Option<String>,
    /// The volume's name.
    pub label: String,
    /// How many bytes are in use; all of them where that can't be told.
    pub used: ByteSize,
}

/// What an image is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Insight {
    /// `MBR` or `GPT`, and the disk's identity.
    pub table: String,
    /// Bytes in a sector of the table.
    pub sector: u32,
    /// Its length.
    pub size: ByteSize,
    /// Its partitions.
    pub partitions: Vec<Content>,
    /// The number of the one that boots.
    pub boot: Option<u32>,
    /// The system's own name of itself.
    pub system: Option<String>,
    /// The machine its programs are for, in Debian's words.
    pub arch: Option<String>,
    /// What its first boot obeys; none if nothing that is known here.
    pub first_boot: Option<FirstBoot>,
    /// What is damaged, odd or ambiguous, as sentences.
    pub remarks: Vec<String>,
}

impl Insight {
    /// Looks at a disk.
    ///
    /// # Errors
    /// [`DiskError`] if it has no partition table that can be used. What is wrong with a partition is a remark.
    pub fn of<R: ReadAt + ?Sized>(disk: &R) -> Result<Self, DiskError> {
        Ok(Self::with(disk, &Table::read(disk)?))
    }

    /// Looks at a disk whose table was read.
    pub(super) fn with<R: ReadAt + ?Sized>(disk: &R, table: &Table) -> Self {
        let scheme = match &table.scheme {
            Scheme::Mbr { id } => format!("MBR {id:08x}"),
            Scheme::Gpt { id, .. } => format!("GPT {id}"),
        };
        let mut insight = Self {
            table: scheme,
            sector: table.sector,
            size: ByteSize(disk.size()),
            partitions: Vec::new(),
            boot: None,
            system: None,
            arch: None,
            first_boot: None,
            remarks: table.damages.clone(),
        };
        let mut boots = Vec::new();
        for partition in &table.partitions {
            let part = Part::new(disk, partition.start, partition.size);
            let (content, is_boot) = insight.look(partition, &part);
            insight.partitions.push(content);
            boots.extend(is_boot.then_some(partition));
        }
        match boots.as_slice() {
            [boot] => insight.boot = Some(boot.number),
            [] => insight
                .remarks
                .push("no partition boots: none is FAT with a kernel's or a firmware's files".to_owned()),
            many => {
                let numbers: Vec<String> = many.iter().map(|boot| boot.number.to_string()).collect();
                insight.remarks.push(format!("partitions {} could all boot", numbers.join(" and ")));
            }
        }
        insight.find_first_boot(disk, table);
        insight
    }

    /// What a partition holds, and whether it boots.
    fn look<R: ReadAt + ?Sized>(&mut self, partition: &Partition, part: &R) -> (Content, bool) {
        let number = partition.number;
        let content = |file_system: Option<String>, label: String, used: u64| Content {
            number,
            start: partition.start,
            size: ByteSize(partition.size),
            file_system,
            label,
            used: ByteSize(used),
        };
        let mut said = |what: &dyn Display| self.remarks.push(format!("partition {number}: {what}"));
        match Fat::open(part) {
            Ok(Some(fat)) => {
                // The type alone starts nothing: an empty partition of UEFI's is none that boots.
                let is_boot = is_firmware(&fat).unwrap_or_else(|error| {
                    said(&error);
                    false
                });
                return (content(Some(fat.kind.to_string()), fat.label.clone(), fat.used().bytes()), is_boot);
            }
            Ok(None) if FAT_TYPES.contains(&partition.kind.as_str()) => {
                said(&"its type says FAT, and it holds none");
            }
            Ok(None) => {}
            Err(error) => said(&error),
        }
        match Ext4::open(part) {
            Ok(Some(ext4)) => {
                let used = ext4.used().unwrap_or_else(|error| {
                    said(&error);
                    Used::whole(partition.size)
                });
                self.look_at_system(&ext4, number);
                return (content(Some("ext4".to_owned()), ext4.label().to_owned(), used.bytes()), false);
            }
            Ok(None) => {}
            Err(error) => said(&error),
        }
        (content(None, String::new(), partition.size), false)
    }

    /// What the root's own files say.
    fn look_at_system<R: ReadAt + ?Sized>(&mut self, root: &Ext4<'_, R>, number: u32) {
        let mut said = Vec::new();
        let mut text = |path: &str| match root.read(path) {
            Ok(bytes) => bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) => {
                said.push(format!("partition {number}: {path}: {error}"));
                None
            }
        };
        if let Some(release) = text("/etc/os-release") {
            let line = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
            self.system = line.map(|name| name.trim_matches('"').to_owned());
        }
        // Raspberry Pi OS calls itself Debian; this file is its own.
        if let Some(issue) = text("/etc/rpi-issue") {
            self.system = issue.lines().next().map(str::to_owned).or_else(|| self.system.take());
        }
        let program = PROGRAMS.iter().find_map(|path| root.read_start(path, 64).ok().flatten());
        if let Some(name) = program.and_then(|start| elf::name_of(&start)) {
            self.arch = Some(name);
        }
        self.remarks.extend(said);
    }

    fn find_first_boot<R: ReadAt + ?Sized>(&mut self, disk: &R, table: &Table) {
        for Partition { number, start, size, .. } in &table.partitions {
            let part = Part::new(disk, *start, *size);
            let Ok(Some(root)) = Ext4::open(&part) else { continue };
            let has = |path: &str| root.exists(path).unwrap_or(false);
            let is_off = has(SWITCH);
            if is_off && has("/usr/bin/cloud-init") {
                self.remarks.push(format!("partition {number}: {SWITCH} switches cloud-init off"));
            }
            if has("/usr/bin/cloud-init") && !is_off {
                self.first_boot = Some(FirstBoot::CloudInit);
            } else if has("/usr/lib/raspberrypi-sys-mods/imager_custom") {
                self.first_boot = Some(FirstBoot::FirstRun);
            }
        }
    }
}

/// Whether a volume holds what a Raspberry Pi's firmware, or UEFI, looks for.
fn is_firmware<R: ReadAt + ?Sized>(fat: &Fat<'_, R>) -> Result<bool, DiskError> {
    let entries = fat.list("")?.unwrap_or_default();
    Ok(["config.txt", "cmdline.txt", "EFI"]
        .iter()
        .any(|name| entries.iter().any(|entry| entry.name.eq_ignore_ascii_case(name))))
}
