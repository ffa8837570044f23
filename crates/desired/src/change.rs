//! From what is desired and what was seen to one change; pure, and safe to show to anybody.
//!
//! In: a [`Want`] and its [`Observed`]. Out: a [`Change`]: what would be done and the fields that differ. Texts that
//! come from a node are escaped and cut, content appears as digests, and of secret files not even those.

use serde::{Deserialize, Serialize};

use crate::artifact::{Pinned, TakenOut};
use crate::block::whole_lines;
use crate::observed::{Access, Answer, Block, Entry, Observed};
use crate::resource::{Owner, ResourceId, Want};
use crate::types::{ByteSize, Digest, Mode};

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
        (Want::ManagedBlock { content, .. }, Observed::ManagedBlock { block }) => found.block(block, content),
        (Want::Unit { .. }, Observed::Unit { .. }) => found.unit(want, observed),
        (Want::Run { command, .. }, Observed::Run { needed }) => {
            found.absent = true;
            match needed {
                Answer::Known(true) => found.differ("run", None, &command.join(" ")),
                Answer::Known(false) => {}
                Answer::Unknown { why } => found.unknown(why),
                Answer::Later { why } => found.left(why),
            }
        }
        (_, Observed::Packages { installed: Answer::Unknown { why } }) => found.unknown(why),
        (_, Observed::Packages { installed: Answer::Later { why } } | Observed::Elsewhere { why }) => {
            found.left(why);
        }
        _ => found.unknown("it was observed as another kind of resource"),
    }
    found.change(want.id())
}

/// What the comparison has found so far.
#[derive(Default)]
struct Found {
    absent: bool,
    remove: bool,
    differences: Vec<Difference>,
    unknown: Option<String>,
    left: Option<String>,
}

impl Found {
    fn change(self, id: ResourceId) -> Change {
        let Self { absent, remove, differences, unknown, left } = self;
        let action = match (differences.is_empty(), &unknown, &left) {
            (false, ..) if remove => Action::Remove,
            (false, ..) if absent => Action::Create,
            (false, ..) => Action::Update,
            (true, Some(_), _) => Action::Unknown,
            (true, None, Some(_)) => Action::Left,
            (true, None, None) => Action::None,
        };
        // A difference that is certain makes the reason of a lesser doubt noise.
        let why = unknown.or(left).filter(|_| differences.is_empty()).map(|why| clean(&why));
        Change { id, action, differences, why }
    }
    fn exists(&mut self, exists: bool) {
        self.absent = !exists;
    }
    fn unknown(&mut self, why: &str) {
        self.unknown.get_or_insert_with(|| why.to_owned());
    }
    fn left(&mut self, why: &str) {
        self.left.get_or_insert_with(|| why.to_owned());
    }
    fn differ(&mut self, field: &str, from: Option<&str>, to: &str) {
        let from = from.map(clean);
        self.differences.push(Difference { field: field.to_owned(), from, to: Some(clean(to)) });
    }
    fn hidden(&mut self, field: &str) {
        self.differences.push(Difference { field: field.to_owned(), from: None, to: None });
    }
    fn text(&mut self, field: &str, seen: Option<&str>, want: &str) {
        if seen != Some(want) {
            self.differ(field, seen, want);
        }
    }
    fn flag(&mut self, field: &str, seen: bool, want: bool) {
        let word = |flag| if flag { "yes" } else { "no" };
        if seen != want {
            self.differ(field, Some(word(seen)), word(want));
        }
    }
    fn answer(&mut self, field: &str, seen: &Answer<bool>, want: bool) {
        match seen {
            Answer::Known(seen) => self.flag(field, *seen, want),
            Answer::Unknown { why } => self.unknown(why),
            Answer::Later { why } => self.left(why),
        }
    }
    fn text_answer(&mut self, field: &str, seen: &Answer<String>, want: &str) {
        match seen {
            Answer::Known(seen) => self.text(field, Some(seen), want),
            Answer::Unknown { why } => self.unknown(why),
            Answer::Later { why } => self.left(why),
        }
    }
    fn unit(&mut self, want: &Want, observed: &Observed) {
        let (
            Want::Unit { enabled, active, restart_on, .. },
            Observed::Unit { enabled: at_boot, masked, active: now, outdated },
        ) = (want, observed)
        else {
            return;
        };
        self.exists(*at_boot || *now == Answer::Known(true) || !(*enabled || *active));
        self.flag("masked", *masked && (*enabled || *active), false);
        self.flag("enabled", *at_boot, *enabled);
        // Enabled and not active: it runs when its time has come, and is neither started nor stopped here.
        if *active || !*enabled {
            self.answer("active", now, *active);
        }
        if let (true, Answer::Known(true), Some(cause)) =
            (*active, now, restart_on.intersection(outdated).next())
        {
            self.differ("restart, for", None, cause.as_str());
        }
    }
    fn access(&mut self, seen: &Access, mode: Mode, owner: &Owner) {
        if seen.bits != mode.bits() {
            self.differ("mode", Some(&format!("{:04o}", seen.bits)), &mode.to_string());
        }
        if (&seen.user, &seen.group) != (&owner.user, &owner.group) {
            let from = format!("{}:{}", seen.user, seen.group);
            self.differ("owner", Some(&from), &format!("{}:{}", owner.user, owner.group));
        }
    }
    /// Something is made where nothing or another kind of thing lies.
    fn replace(&mut self, seen: &Entry, mode: Mode, owner: &Owner, content: Option<&str>) {
        let there = match seen {
            Entry::Unknown { why } => return self.unknown(why),
            Entry::Absent => None,
            Entry::Folder(_) => Some("a folder"),
            Entry::File { .. } => Some("a file"),
            Entry::Other(what) => Some(what.as_str()),
        };
        self.absent = there.is_none();
        if let Some(what) = there {
            self.differ("there is", None, what);
        }
        self.differ("mode", None, &mode.to_string());
        if *owner != Owner::root() {
            self.differ("owner", None, &format!("{}:{}", owner.user, owner.group));
        }
        if let Some(content) = content {
            self.differ("content", None, content);
        }
    }
    fn file(&mut self, seen: &Entry, mode: Mode, owner: &Owner, want: &Digest, size: Option<ByteSize>) {
        let brief = |digest: &Digest, size: Option<ByteSize>| match size {
            Some(size) => format!("{size} {}", digest.short()),
            None => digest.short().to_owned(),
        };
        let Entry::File { access, size: length, digest } = seen else {
            return self.replace(seen, mode, owner, Some(&brief(want, size)));
        };
        self.access(access, mode, owner);
        match digest {
            _ if size.is_some_and(|size| size != *length) => {
                self.differ("content", Some(&length.to_string()), &brief(want, size));
            }
            Answer::Known(digest) if digest != want => {
                self.differ("content", Some(&brief(digest, Some(*length))), &brief(want, size));
            }
            Answer::Known(_) => {}
            Answer::Unknown { why } => self.unknown(why),
            Answer::Later { why } => self.left(why),
        }
    }
    /// A file whose own digest nobody knows but the node that took it out of a download.
    fn out_of_a_download(
        &mut self,
        seen: &Entry,
        mode: Mode,
        pinned: &Pinned,
        taken_out: &Answer<Option<TakenOut>>,
    ) {
        let Entry::File { access, digest, .. } = seen else {
            return self.replace(seen, mode, &Owner::root(), Some(&pinned.to_string()));
        };
        self.access(access, mode, &Owner::root());
        match (digest, taken_out, pinned) {
            (Answer::Unknown { why }, ..) | (_, Answer::Unknown { why }, _) => self.unknown(why),
            (Answer::Later { why }, ..) | (_, Answer::Later { why }, _) => self.left(why),
            (Answer::Known(file), Answer::Known(Some(note)), Pinned::Downloads(downloads))
                if note.vouches(file, downloads) => {}
            (Answer::Known(file), ..) => self.differ("content", Some(file.short()), &pinned.to_string()),
        }
    }
    fn secret_file(&mut self, seen: &Entry, mode: Mode, owner: &Owner, wanted: &Answer<Digest>) {
        let Entry::File { access, digest, .. } = seen else {
            self.replace(seen, mode, owner, None);
            if !self.differences.is_empty() {
                self.hidden("content");
            }
            return;
        };
        self.access(access, mode, owner);
        match (digest, wanted) {
            (Answer::Known(seen), Answer::Known(wanted)) if seen != wanted => self.hidden("content"),
            (Answer::Known(_), Answer::Known(_)) => {}
            (Answer::Unknown { why }, _) | (_, Answer::Unknown { why }) => self.unknown(why),
            (Answer::Later { why }, _) | (_, Answer::Later { why }) => self.left(why),
        }
    }
    /// A block without lines is one that shall not be there.
    fn block(&mut self, seen: &Block, content: &str) {
        let lines = |count: usize| if count == 1 { "1 line".to_owned() } else { format!("{count} lines") };
        let wanted = lines(content.lines().count());
        match seen {
            Block::Unknown { why } => self.unknown(why),
            Block::NoFile | Block::Missing if content.is_empty() => {}
            Block::NoFile => {
                self.exists(false);
                self.differ("block in a new file,", None, &wanted);
            }
            Block::Missing => {
                self.exists(false);
                self.differ("block", None, &wanted);
            }
            Block::Present { lines: count, .. } if content.is_empty() => {
                self.remove = true;
                self.differ("block", Some(&lines(*count)), "nothing");
            }
            Block::Present { digest, lines: count } => {
                let want = Digest::sha256_of(whole_lines(content).as_bytes());
                if *digest != want {
                    let from = format!("{} {}", lines(*count), digest.short());
                    self.differ("block", Some(&from), &format!("{wanted} {}", want.short()));
                }
            }
        }
    }
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
