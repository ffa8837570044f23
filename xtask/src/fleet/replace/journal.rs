//! How far a replacement has come, so that the next run goes on there.
//!
//! In: steps as they end. Out: a file of JSON lines beside the outputs, each on the disk before the next step begins; gone
//! once the node is back. What was there before the node's object went, and nobody else wrote down, is in its first line.

use crate::exit::{Code, Failure};
use anyhow::Context as _;
use desired::{ClusterName, NodeName};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The steps in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// It was looked at, shown and agreed to.
    Agreed,
    /// New pods are kept away.
    Cordoned,
    /// Its pods are elsewhere.
    Drained,
    /// The machine is as it was before it joined.
    Left,
    /// The cluster has no such node.
    Deleted,
    /// The cluster has no password for its name.
    Forgotten,
    /// The machine joined again and is Ready.
    Joined,
    /// Its labels and taints are back.
    Labelled,
    /// It takes pods again.
    Uncordoned,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    step: Step,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    own_labels: Vec<String>,
}

/// The file of one node's replacement.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    done: Vec<Step>,
    /// Labels that are not of the profile, as they were when it began.
    pub own_labels: Vec<String>,
}

impl Journal {
    /// Opens what an earlier run left, or a new one; a last line that was cut off counts as not written.
    pub fn open(out: &Path, cluster: &ClusterName, node: &NodeName) -> Result<Self, Failure> {
        let path = out.join(".fleet").join(format!("replace-{cluster}-{node}.jsonl"));
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => {
                let error = anyhow::Error::new(error).context(format!("read {}", path.display()));
                return Err(Failure { code: Code::Unexpected, error });
            }
        };
        let (mut done, mut own_labels) = (Vec::new(), Vec::new());
        for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            let line: Line = serde_json::from_str(line)
                .with_context(|| format!("read {}; delete it to begin anew", path.display()))?;
            done.push(line.step);
            own_labels.extend(line.own_labels);
        }
        Ok(Self { path, done, own_labels })
    }

    /// Whether an earlier run has done this.
    pub fn has(&self, step: Step) -> bool {
        self.done.contains(&step)
    }

    /// Notes the end of a step, on the disk before anything else happens.
    pub fn note(&mut self, step: Step) -> Result<(), Failure> {
        let labels = if step == Step::Agreed { self.own_labels.clone() } else { Vec::new() };
        let mut text = serde_json::to_string(&Line { step, own_labels: labels }).context("note a step")?;
        text.push('\n');
        let append = || -> std::io::Result<()> {
            if let Some(folder) = self.path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let mut file = File::options().create(true).append(true).open(&self.path)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        };
        append().with_context(|| format!("write {}", self.path.display()))?;
        self.done.push(step);
        Ok(())
    }

    /// Forgets it: the node is back.
    pub fn finish(self) -> Result<(), Failure> {
        Ok(std::fs::remove_file(&self.path).with_context(|| format!("remove {}", self.path.display()))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_run_knows_what_is_done_and_a_cut_line_is_not() {
        let out = tempfile::tempdir().unwrap();
        let open = || Journal::open(out.path(), &"lab".parse().unwrap(), &"w1".parse().unwrap()).unwrap();
        let mut journal = open();
        assert!(!journal.has(Step::Agreed));
        journal.own_labels = vec!["mine=yes".to_owned()];
        journal.note(Step::Agreed).unwrap();
        journal.note(Step::Cordoned).unwrap();
        let mut file = File::options().append(true).open(&journal.path).unwrap();
        file.write_all(b"{\"step\":\"drai").unwrap();
        let again = open();
        assert!(again.has(Step::Cordoned) && !again.has(Step::Drained));
        assert_eq!(again.own_labels, ["mine=yes"]);
        again.finish().unwrap();
        assert!(!open().has(Step::Agreed));
    }
}
