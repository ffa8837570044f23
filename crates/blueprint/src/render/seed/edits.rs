//! Changes to files that the base brought: the kernel's command line and the firmware's settings.
//!
//! In: what the node's resources want of these files, and what the first boot needs. Out: the file as it shall be, all else
//! kept to the byte, so that the join finds nothing left to do and the board needs no further reboot.

use std::collections::BTreeMap;

use desired::block::{BlockFault, Markers};
use desired::kernel_line::{self, LineFault};
use desired::resource::{Resource, Want};

use crate::model::{Board, Card, Node};

/// Words by which the first boot of the older way begins; spelt so, the image itself follows a moved folder (FIELD P11).
const FIRST_RUN: [&str; 3] = [
    "systemd.run=/boot/firstrun.sh",
    "systemd.run_success_action=reboot",
    "systemd.unit=kernel-command-line.target",
];
const COUNTRY: &str = "cfg80211.ieee80211_regdom=";

/// Why a file of the base can't be changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The command line.
    #[error("{path} of the base is no command line that can be kept")]
    Line {
        /// On the boot partition.
        path: String,
        /// Why.
        source: LineFault,
    },
    /// The settings.
    #[error("{path} of the base has blocks of ours that are damaged")]
    Block {
        /// On the boot partition.
        path: String,
        /// Why.
        source: BlockFault,
    },
}

/// What is changed, by path on the boot partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edits {
    /// Words of the kernel's line, in order; of those whose key is here every other value goes.
    lines: BTreeMap<String, Vec<String>>,
    /// Blocks: their name, how comments begin, their content.
    blocks: BTreeMap<String, Vec<(String, String, String)>>,
}

impl Edits {
    /// What `node` with these resources needs.
    pub(super) fn of(node: &Node, card: &Card, resources: &[Resource], is_first_run: bool) -> Self {
        let mut edits = Self::default();
        for resource in resources {
            match &resource.want {
                Want::ManagedLine { path, words, .. } => {
                    if let Some(path) = on_boot(path.as_str()) {
                        edits.lines.entry(path).or_default().extend(words.iter().cloned());
                    }
                }
                Want::ManagedBlock { path, name, comment, content } => {
                    if let Some(path) = on_boot(path.as_str()) {
                        let block = (name.clone(), comment.clone(), content.clone());
                        edits.blocks.entry(path).or_default().push(block);
                    }
                }
                _ => {}
            }
        }
        if matches!(node.board, Some(Board::Rpi4 | Board::Rpi5)) {
            let path = edits.lines.keys().next().cloned().unwrap_or_else(|| "cmdline.txt".to_owned());
            let mut words: Vec<String> =
                card.wifi.iter().map(|wifi| format!("{COUNTRY}{}", wifi.country)).collect();
            words.extend(is_first_run.then_some(FIRST_RUN).into_iter().flatten().map(str::to_owned));
            if !words.is_empty() {
                edits.lines.entry(path).or_default().extend(words);
            }
        }
        edits
    }

    /// The files that are changed; each must be there.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        let lines = self.lines.keys().map(String::as_str);
        lines.chain(self.blocks.keys().filter(|path| !self.lines.contains_key(*path)).map(String::as_str))
    }

    /// The words put on the line at `path`.
    #[must_use]
    pub fn words(&self, path: &str) -> &[String] {
        self.lines.get(path).map_or(&[], Vec::as_slice)
    }

    /// The file at `path` with its changes.
    ///
    /// # Errors
    /// [`EditError`] if it is not what it should be; a person has to repair the base.
    pub fn apply(&self, path: &str, file: &[u8]) -> Result<Vec<u8>, EditError> {
        let mut file = file.to_vec();
        if let Some(words) = self.lines.get(path) {
            let fault = |source| EditError::Line { path: path.to_owned(), source };
            // Merged at the end and not behind `rootwait`: what a first boot cuts off must be the last (FIELD K4).
            let (last, first): (Vec<String>, Vec<String>) =
                words.iter().cloned().partition(|word| is_first_run(word));
            file = kernel_line::remove(&file, &others(&file, words)).map_err(fault)?;
            file = kernel_line::merge(&file, &first).map_err(fault)?;
            file = appended(file, &last);
            kernel_line::missing(&file, words).map_err(fault)?;
        }
        for (name, comment, content) in self.blocks.get(path).into_iter().flatten() {
            let fault = |source| EditError::Block { path: path.to_owned(), source };
            file = Markers::new(comment, name).splice(&file, content).map_err(fault)?;
        }
        Ok(file)
    }
}

fn is_first_run(word: &str) -> bool {
    word.starts_with("systemd.")
}

/// Words that an earlier seed put there and ours replace.
fn others(file: &[u8], words: &[String]) -> Vec<String> {
    let line = String::from_utf8_lossy(file);
    let keys = [COUNTRY, "systemd.run=", "systemd.run_success_action=", "systemd.unit="];
    let ours: Vec<&str> =
        keys.into_iter().filter(|key| words.iter().any(|word| word.starts_with(key))).collect();
    let first = line.lines().next().unwrap_or_default();
    let is_old = |word: &&str| {
        let is_theirs = is_first_run(word) || !words.iter().any(|one| one == word);
        is_theirs && ours.iter().any(|key| word.starts_with(key))
    };
    let old = first.split(' ').filter(is_old);
    old.map(str::to_owned).collect()
}

/// The first line with `words` at its end.
fn appended(mut file: Vec<u8>, words: &[String]) -> Vec<u8> {
    let end = file.iter().position(|byte| *byte == b'\n').unwrap_or(file.len());
    let end = file[..end].trim_ascii_end().len();
    let text: String = words.iter().map(|word| format!(" {word}")).collect();
    file.splice(end..end, text.into_bytes());
    file
}

/// The path on the boot partition of a path on the node, if it lies there.
fn on_boot(path: &str) -> Option<String> {
    let path = path.strip_prefix("/boot/")?;
    Some(path.strip_prefix("firmware/").unwrap_or(path).to_owned())
}
