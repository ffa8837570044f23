//! From what is desired and what was seen to one change; pure, and safe to show to anybody.
//!
//! In: a [`Want`] and its [`Observed`]. Out: a [`Change`]: what would be done and the fields that differ. Texts that
//! come from a node are escaped and cut, content appears as digests, and of secret files not even those.

use serde::{Deserialize, Serialize};

mod found;

use found::Found;

use crate::artifact::Pinned;
use crate::observed::{Answer, Entry, Observed};
use crate::resource::{Owner, ResourceId, Want};
use crate::types::{ByteSize, Digest};

/// What would be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It isn't there.
    Create,
    /// It is there, but different.
    Update,
    /// It is there and shall not be.
    Remove,
    /// Nothing.
    None,
    /// That depends on something that can't be seen now.
    Unknown,
    /// Nothing here: somebody else does it, or the node itself when it starts.
    Left,
}

impl Action {
    /// One character for a plan's line.
    #[must_use]
    pub const fn symbol(self) -> char {
        match self {
            Self::Create => '+',
            Self::Update => '~',
            Self::Remove => '-',
            Self::None => '=',
            Self::Unknown => '?',
            Self::Left => '>',
        }
    }
}

/// One field that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// Which.
    pub field: String,
    /// What was seen; none when there is nothing, or it must not be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What it shall be; none when it must not be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.from, &self.to) {
            (Some(from), Some(to)) => write!(formatter, "{} {from} → {to}", self.field),
            (None, Some(to)) => write!(formatter, "{} {to}", self.field),
            (Some(from), None) => write!(formatter, "{} {from} → (not shown)", self.field),
            (None, None) => write!(formatter, "{} (not shown)", self.field),
        }
    }
}

/// What one resource needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Which resource.
    pub id: ResourceId,
    /// What would be done.
    pub action: Action,
    /// The fields, for [`Action::Create`] and [`Action::Update`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// Why it is unknown, who it is left to, or why something equal is touched all the same (a restart).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Change {
    /// The unknown change of a resource, for this reason.
    #[must_use]
    pub fn unknown(id: ResourceId, why: &str) -> Self {
        Self { id, action: Action::Unknown, differences: Vec::new(), why: Some(clean(why)) }
    }
    /// Everything after the resource's name on a plan's line.
    #[must_use]
    pub fn summary(&self) -> String {
        let differences = self.differences.iter().map(ToString::to_string);
        differences.chain(self.why.clone()).collect::<Vec<_>>().join(", ")
    }
}

/// Compares what is desired with what was seen.
#[must_use]
pub fn compare(want: &Want, observed: &Observed) -> Change {
    let mut found = Found::default();
    match (want, observed) {
        (Want::Hostname { name }, Observed::Hostname { name: seen, now }) => {
            found.exists(seen.is_some());
            found.text("name", seen.as_deref(), name.as_str());
            found.text_answer("now", now, name.as_str());
        }
        (Want::Packages { names, .. }, Observed::Packages { installed: Answer::Known(installed) }) => {
            let missing: Vec<&str> = names.difference(installed).map(String::as_str).collect();
            found.exists(missing.len() < names.len() || names.is_empty());
            if !missing.is_empty() {
                found.differ("install", None, &missing.join(" "));
            }
        }
        (Want::KernelModule { .. }, Observed::KernelModule { at_boot, loaded }) => {
            found.exists(*at_boot || *loaded == Answer::Known(true));
            found.flag("at boot", *at_boot, true);
            found.answer("loaded", loaded, true);
        }
        (Want::Sysctl { value, .. }, Observed::Sysctl { at_boot, now }) => {
            found.exists(at_boot.is_some());
            found.text("at boot", at_boot.as_deref(), value);
            found.text_answer("now", now, value);
        }
        (Want::Directory { mode, owner, .. }, Observed::Directory { entry }) => match entry {
            Entry::Folder(access) => found.access(access, *mode, owner),
            other => found.replace(other, *mode, owner, None),
        },
        (Want::File { mode, owner, content, .. }, Observed::File { entry }) => {
            let size = ByteSize(content.len() as u64);
            found.file(entry, *mode, owner, &Digest::sha256_of(content.as_bytes()), Some(size));
        }
        (Want::SecretFile { mode, owner, .. }, Observed::SecretFile { entry, wanted }) => {
            found.secret_file(entry, *mode, owner, wanted);
        }
        (Want::Artifact { mode, pinned, .. }, Observed::Artifact { entry, taken_out }) => match pinned {
            Pinned::File { digest, size } => found.file(entry, *mode, &Owner::root(), digest, *size),
            Pinned::Downloads(_) => found.out_of_a_download(entry, *mode, pinned, taken_out),
        },
        (Want::ManagedBlock { content, .. }, Observed::ManagedBlock { block, waits }) => {
            found.block(block, content);
            if *waits {
                found.left(Observed::RESTART);
            }
        }
        (Want::ManagedLine { .. }, Observed::ManagedLine { line }) => found.line(line),
        (Want::Unit { .. }, Observed::Unit { .. }) => found.unit(want, observed),
        (Want::Run { command, .. }, Observed::Run { needed }) => found.run(command, needed),
        (Want::Chezmoi { .. }, Observed::Chezmoi { pending }) => found.home(pending),
        (Want::Mise { tools, .. }, Observed::Mise { installed }) => found.tools(tools, installed),
        (Want::Compose { .. }, Observed::Compose { services }) => found.services(services),
        (Want::Mesh { .. }, Observed::Mesh { state }) => found.mesh(want, state),
        (_, Observed::Packages { installed: Answer::Unknown { why } }) => found.unknown(why),
        (_, Observed::Packages { installed: Answer::Later { why } } | Observed::Elsewhere { why }) => {
            found.left(why);
        }
        _ => found.unknown("it was observed as another kind of resource"),
    }
    found.change(want.id())
}

/// Text for one line of a terminal: no control characters, at most 200 of the others.
pub(crate) fn clean(text: &str) -> String {
    const LONGEST: usize = 200;
    let escape = |c: char| {
        let odd = c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if odd { c.escape_unicode().to_string() } else { c.to_string() }
    };
    let mut line: String = text.chars().take(LONGEST).map(escape).collect();
    if text.chars().nth(LONGEST).is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests;
