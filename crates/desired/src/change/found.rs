//! What one comparison finds, and the change that it comes to.
//!
//! In: what is wanted and what was seen, field by field. Out: a [`Change`]; a certain difference outweighs a doubt, and a
//! doubt what is left to others.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{Action, Change, Difference, clean};
use crate::artifact::{Pinned, TakenOut};
use crate::block::whole_lines;
use crate::observed::{Access, Answer, Block, Entry, Line, MeshState, Observed, ServiceState};
use crate::resource::{Owner, ResourceId, Want};
use crate::types::{ByteSize, Digest, Mode};

/// What the comparison has found so far.
#[derive(Default)]
pub(super) struct Found {
    absent: bool,
    remove: bool,
    differences: Vec<Difference>,
    unknown: Option<String>,
    left: Option<String>,
}

impl Found {
    pub(super) fn change(self, id: ResourceId) -> Change {
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
    pub(super) fn exists(&mut self, exists: bool) {
        self.absent = !exists;
    }
    pub(super) fn unknown(&mut self, why: &str) {
        self.unknown.get_or_insert_with(|| why.to_owned());
    }
    pub(super) fn left(&mut self, why: &str) {
        self.left.get_or_insert_with(|| why.to_owned());
    }
    pub(super) fn differ(&mut self, field: &str, from: Option<&str>, to: &str) {
        let from = from.map(clean);
        self.differences.push(Difference { field: field.to_owned(), from, to: Some(clean(to)) });
    }
    pub(super) fn hidden(&mut self, field: &str) {
        self.differences.push(Difference { field: field.to_owned(), from: None, to: None });
    }
    pub(super) fn text(&mut self, field: &str, seen: Option<&str>, want: &str) {
        if seen != Some(want) {
            self.differ(field, seen, want);
        }
    }
    pub(super) fn flag(&mut self, field: &str, seen: bool, want: bool) {
        let word = |flag| if flag { "yes" } else { "no" };
        if seen != want {
            self.differ(field, Some(word(seen)), word(want));
        }
    }
    pub(super) fn answer(&mut self, field: &str, seen: &Answer<bool>, want: bool) {
        match seen {
            Answer::Known(seen) => self.flag(field, *seen, want),
            Answer::Unknown { why } => self.unknown(why),
            Answer::Later { why } => self.left(why),
        }
    }
    pub(super) fn text_answer(&mut self, field: &str, seen: &Answer<String>, want: &str) {
        match seen {
            Answer::Known(seen) => self.text(field, Some(seen), want),
            Answer::Unknown { why } => self.unknown(why),
            Answer::Later { why } => self.left(why),
        }
    }
    pub(super) fn unit(&mut self, want: &Want, observed: &Observed) {
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
    pub(super) fn access(&mut self, seen: &Access, mode: Mode, owner: &Owner) {
        if seen.bits != mode.bits() {
            self.differ("mode", Some(&format!("{:04o}", seen.bits)), &mode.to_string());
        }
        if (&seen.user, &seen.group) != (&owner.user, &owner.group) {
            let from = format!("{}:{}", seen.user, seen.group);
            self.differ("owner", Some(&from), &format!("{}:{}", owner.user, owner.group));
        }
    }
    /// Something is made where nothing or another kind of thing lies.
    pub(super) fn replace(&mut self, seen: &Entry, mode: Mode, owner: &Owner, content: Option<&str>) {
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
    pub(super) fn file(
        &mut self,
        seen: &Entry,
        mode: Mode,
        owner: &Owner,
        want: &Digest,
        size: Option<ByteSize>,
    ) {
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
    pub(super) fn out_of_a_download(
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
    pub(super) fn secret_file(&mut self, seen: &Entry, mode: Mode, owner: &Owner, wanted: &Answer<Digest>) {
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
    /// Words that are there and not yet known to the running kernel wait for nobody here.
    pub(super) fn line(&mut self, seen: &Line) {
        match seen {
            Line::Needless => {}
            Line::Unknown { why } => self.unknown(why),
            Line::Read { missing, waiting } => {
                if !missing.is_empty() {
                    self.differ("words", None, &missing.join(" "));
                }
                match waiting {
                    Answer::Known(words) if words.is_empty() => {}
                    Answer::Known(_) => self.left(Observed::RESTART),
                    Answer::Unknown { why } | Answer::Later { why } => self.left(why),
                }
            }
        }
    }
    /// The files of a home that differ, by name: what is in them is that person's.
    pub(super) fn home(&mut self, pending: &Answer<Vec<String>>) {
        match pending {
            Answer::Known(paths) if paths.is_empty() => {}
            Answer::Known(paths) => self.differ("apply", None, &paths.join(" ")),
            Answer::Unknown { why } => self.unknown(why),
            Answer::Later { why } => self.left(why),
        }
    }
    pub(super) fn tools(&mut self, wanted: &BTreeMap<String, String>, installed: &Answer<BTreeSet<String>>) {
        let all = wanted.iter().map(|(name, version)| format!("{name}@{version}"));
        match installed {
            Answer::Known(installed) => {
                let missing: Vec<String> = all.filter(|tool| !installed.contains(tool)).collect();
                self.exists(missing.len() < wanted.len());
                if !missing.is_empty() {
                    self.differ("install", None, &missing.join(" "));
                }
            }
            Answer::Unknown { why } => self.unknown(why),
            Answer::Later { why } => self.left(why),
        }
    }
    /// The services of a project that are not as its file says, each by name.
    pub(super) fn services(&mut self, seen: &Answer<BTreeMap<String, ServiceState>>) {
        let services = match seen {
            Answer::Known(services) => services,
            Answer::Unknown { why } => return self.unknown(why),
            Answer::Later { why } => return self.left(why),
        };
        self.exists(services.values().any(|state| *state != ServiceState::Missing));
        for (name, state) in services {
            match state {
                ServiceState::Up => {}
                ServiceState::Missing => self.differ(name, None, "up"),
                ServiceState::Outdated => self.differ(name, Some("another configuration"), "its own"),
                ServiceState::Down(why) => self.differ(name, Some(why), "up"),
            }
        }
    }
    /// Settings of a node that is no member yet come with its joining.
    pub(super) fn mesh(&mut self, want: &Want, seen: &Answer<MeshState>) {
        let Want::Mesh { login_url, address, accept_dns, .. } = want else { return };
        let state = match seen {
            Answer::Known(state) => state,
            Answer::Unknown { why } => return self.unknown(why),
            Answer::Later { why } => return self.left(why),
        };
        self.exists(state.is_member());
        if !state.is_member() {
            let now = Some(state.state.as_str()).filter(|state| !state.is_empty());
            return self.differ("member", now, &format!("with {address}"));
        }
        if state.login_url != *login_url {
            let vendor = "the vendor's";
            let (now, wanted) = (state.login_url.as_deref(), login_url.as_deref());
            self.differ("coordinator", Some(now.unwrap_or(vendor)), wanted.unwrap_or(vendor));
        }
        if !state.addresses.contains(&IpAddr::V4(*address)) {
            let now: Vec<String> = state.addresses.iter().map(ToString::to_string).collect();
            self.differ("address", Some(&now.join(" ")), &address.to_string());
        }
        self.flag("accepts DNS", state.accepts_dns, *accept_dns);
    }
    /// A command stands for what its probe looks for.
    pub(super) fn run(&mut self, command: &[String], needed: &Answer<bool>) {
        self.exists(false);
        match needed {
            Answer::Known(true) => self.differ("run", None, &command.join(" ")),
            Answer::Known(false) => {}
            Answer::Unknown { why } => self.unknown(why),
            Answer::Later { why } => self.left(why),
        }
    }
    /// A block without lines is one that shall not be there.
    pub(super) fn block(&mut self, seen: &Block, content: &str) {
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
