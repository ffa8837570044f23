//! What a Raspberry Pi's firmware does with a card, as far as it shows in a virtual machine.
//!
//! In: a disk. Out: [`Start`]: the kernel's bytes and its command line, chosen by `config.txt` as a Raspberry Pi 5 chooses
//! (filters, `kernel=`, `cmdline=`; without them `kernel_2712.img`, else `kernel8.img`). Device trees and overlays are passed over:
//! QEMU's machine has its own.

use anyhow::{Context as _, ensure};
use host::disk::fat::Fat;
use host::disk::insight::Insight;
use host::disk::{Part, Whole};
use std::path::Path;

/// Sections of `config.txt` that a Raspberry Pi 5 reads.
const SECTIONS: [&str; 2] = ["all", "pi5"];
/// Kernels it looks for where none is named, in this order.
const KERNELS: [&str; 2] = ["kernel_2712.img", "kernel8.img"];

/// What is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The kernel.
    pub kernel: Vec<u8>,
    /// Its command line, without the newline.
    pub line: String,
}

impl Start {
    /// Reads it from a disk that nobody writes to.
    ///
    /// # Errors
    /// If the disk does not boot: a table, a boot partition, a kernel or a command line is missing or damaged.
    pub fn of(disk: &Path) -> anyhow::Result<Self> {
        let config = String::from_utf8(read(disk, "config.txt")?.unwrap_or_default())?;
        let chosen = chosen(&config);
        let mut names = chosen.kernel.iter().map(String::as_str).chain(KERNELS);
        let kernel = names.find_map(|name| read(disk, name).transpose()).transpose()?;
        let line = read(disk, &chosen.line)?.with_context(|| format!("the card has no {}", chosen.line))?;
        let line = String::from_utf8(line).context("the kernel's command line")?;
        let line = line.lines().next().unwrap_or_default().trim().to_owned();
        ensure!(line.contains("root="), "the card's command line names no root: {line}");
        Ok(Self { kernel: kernel.context("the card has no kernel")?, line })
    }
}

/// A file of a disk's boot partition.
///
/// # Errors
/// If the disk can't be understood.
pub fn read(disk: &Path, path: &str) -> anyhow::Result<Option<Vec<u8>>> {
    let disk = Whole::open(disk)?;
    let insight = Insight::of(&disk)?;
    let number = insight.boot.with_context(|| format!("the card does not boot: {:?}", insight.remarks))?;
    let boot = insight.partitions.iter().find(|one| one.number == number).context("it is in the list")?;
    let part = Part::new(&disk, boot.start, boot.size.0);
    let fat = Fat::open(&part)?.context("the boot partition is not FAT")?;
    Ok(fat.read(path)?)
}

/// What `config.txt` chooses.
#[derive(Debug, PartialEq, Eq)]
struct Chosen {
    kernel: Option<String>,
    line: String,
}

fn chosen(config: &str) -> Chosen {
    let mut chosen = Chosen { kernel: None, line: "cmdline.txt".to_owned() };
    let mut is_read = true;
    for line in config.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            is_read = SECTIONS.contains(&section);
        } else if let Some((key, value)) = line.split_once('=').filter(|_| is_read) {
            match key.trim() {
                "kernel" => chosen.kernel = Some(value.trim().to_owned()),
                "cmdline" => value.trim().clone_into(&mut chosen.line),
                _ => {}
            }
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_of_a_section_that_is_read_wins() {
        let config = "# kernel=none\nkernel=first.img\n[pi4]\nkernel=other.img\n[pi5]\nkernel = kernel8.img\n[all]\narm_64bit=1\n";
        let cmdline = "cmdline.txt".to_owned();
        assert_eq!(chosen(config), Chosen { kernel: Some("kernel8.img".to_owned()), line: cmdline.clone() });
        assert_eq!(chosen("[none]\nkernel=a\ncmdline=b\n"), Chosen { kernel: None, line: cmdline });
        assert_eq!(chosen("cmdline=own.txt\n").line, "own.txt");
    }
}
