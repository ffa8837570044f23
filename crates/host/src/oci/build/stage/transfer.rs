//! `COPY` and `ADD`: from sources in a context to the entries of a layer, BuildKit's way.

use std::path::{Path, PathBuf};

use desired::Mode;

use super::super::context::{self, Found, Miss};
use super::super::layer::{self, LayerPlan, Packing};
use super::super::tree::Node;
use super::Evaluation;
use crate::archive::tar::Entry;
use crate::oci::dockerfile::Transfer;

impl Evaluation<'_> {
    pub(super) fn push(&mut self, mut entries: Vec<Entry>) {
        // Folders above may be named by several sources.
        entries.sort_by(|one, other| one.path.cmp(&other.path));
        entries.dedup_by(|later, earlier| later.path == earlier.path && later == earlier);
        self.tree.apply(&entries);
        self.layers.push(LayerPlan::Entries(entries));
    }

    /// Brings the paths of archives that are layers as they are into the tree.
    pub(super) fn read_archives(&mut self) -> Result<(), Miss> {
        for path in std::mem::take(&mut self.unread) {
            let entries = layer::unpack(&path, Packing::Gzip, false)?;
            self.tree.apply(&entries);
        }
        Ok(())
    }

    fn context(&self, transfer: &Transfer) -> Result<PathBuf, Miss> {
        let Some(name) = &transfer.from else { return Ok(self.request.context.to_owned()) };
        self.request.named_contexts.get(name).cloned().ok_or_else(|| {
            let known: Vec<&str> = self.request.named_contexts.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            Miss::Wrong(format!(
                "--from={name} is no named context (there is: {known}); for images use --engine buildx"
            ))
        })
    }

    pub(super) fn transfer(&mut self, transfer: &Transfer, add: bool) -> Result<(), Miss> {
        let root = self.context(transfer)?;
        if root.join(".dockerignore").exists() {
            let why =
                ".dockerignore is not read by the embedded engine; take it away, or use --engine buildx";
            return Err(Miss::Wrong(why.to_owned()));
        }
        let mut found = Vec::new();
        for source in &transfer.sources {
            let source = self.expand(source)?;
            if add && (source.contains("://") || source.starts_with("git@")) {
                let why =
                    format!("{source} is remote; pin it as an artifact, so that it is verified, and COPY it");
                return Err(Miss::Wrong(why));
            }
            found.extend(context::find(&root, &source)?);
        }
        let written = self.expand(&transfer.target)?;
        let target = self.inside(&written)?;
        let marks = Marks {
            mode: transfer.chmod.as_deref().map(|text| octal(&self.expand(text)?)).transpose()?,
            owner: match &transfer.chown {
                Some(text) => Some(numeric_owner(&self.expand(text)?, "--chown")?),
                None => None,
            },
        };
        if add
            && let [only] = found.as_slice()
            && !only.folder
        {
            if let Some(packing) = layer::packing(&only.path)? {
                return self.archive(&only.path.clone(), packing, &target, marks);
            }
        } else if add && let Some(archive) = self.first_archive(&found)? {
            return Err(Miss::Wrong(format!("{archive} is an archive; add archives one at a time")));
        }
        self.read_archives()?;
        let slash = written.ends_with('/') || matches!(written.rsplit('/').next(), Some("." | ".."));
        let into = slash || self.tree.is_folder(&target);
        if found.len() > 1 && !into {
            return Err(Miss::Wrong(format!("several sources need a folder as target; write {written}/")));
        }
        let mut entries = Vec::new();
        for one in &found {
            self.place(one, &target, into, marks, &mut entries)?;
        }
        self.push(entries);
        Ok(())
    }

    fn first_archive(&self, found: &[Found]) -> Result<Option<String>, Miss> {
        for one in found.iter().filter(|one| !one.folder) {
            if layer::packing(&one.path)?.is_some() {
                return Ok(Some(one.name.clone()));
            }
        }
        Ok(None)
    }

    /// `ADD` of a local archive: the layer itself when it is a gzipped tar for `/`, else packed again below `target`.
    fn archive(&mut self, path: &Path, packing: Packing, target: &str, marks: Marks) -> Result<(), Miss> {
        if let Packing::Other(name) = packing {
            let why = format!(
                "the embedded engine does not unpack {name}; give a tar or tar.gz, or use --engine buildx"
            );
            return Err(Miss::Wrong(why));
        }
        if marks != Marks::default() {
            let why = "--chown and --chmod do not apply to an archive's files; leave them out";
            return Err(Miss::Wrong(why.to_owned()));
        }
        let path = layer::canonical(path)?;
        if packing == Packing::Gzip && target.is_empty() {
            self.unread.push(path.clone());
            self.layers.push(LayerPlan::Archive(path));
            return Ok(());
        }
        self.read_archives()?;
        let mut entries = layer::unpack(&path, packing, true)?;
        if !target.is_empty() {
            for entry in &mut entries {
                entry.path = format!("{target}/{}", entry.path);
            }
            let below = format!("{target}/x");
            entries.extend(self.tree.above(&below, (0, 0)));
        }
        self.push(entries);
        Ok(())
    }

    /// One source at its place, BuildKit's way: a folder gives its content, a file goes into a folder or takes the
    /// target's name; folders made on the way are 0755 and belong to whom the files belong.
    fn place(
        &self,
        found: &Found,
        target: &str,
        into: bool,
        marks: Marks,
        entries: &mut Vec<Entry>,
    ) -> Result<(), Miss> {
        let place = match (found.folder, into, target.is_empty()) {
            (true, ..) | (false, false, false) => target.to_owned(),
            (false, _, true) => found.name.clone(),
            (false, true, false) => format!("{target}/{}", found.name),
        };
        let there = self.tree.get(&place);
        if found.folder && there == Some(Node::Other) {
            return Err(Miss::Wrong(format!("/{place} is a file already, and a folder is copied there")));
        }
        if !found.folder && self.tree.is_folder(&place) {
            return Err(Miss::Wrong(format!("/{place} is a folder already, and a file is copied there")));
        }
        let mut own = Vec::new();
        context::entries(&found.path, &place, &mut own)?;
        for entry in &mut own {
            entry.owner = marks.owner.unwrap_or((0, 0));
            if let Some(mode) = marks.mode {
                entry.mode = mode;
            }
            // A folder that is there keeps its mode and owner; only what is below is copied.
            if let (true, Some(Node::Folder { mode, owner })) = (entry.path == place, there) {
                (entry.mode, entry.owner) = (mode, owner);
            }
        }
        entries.extend(self.tree.above(&place, marks.owner.unwrap_or((0, 0))));
        entries.append(&mut own);
        Ok(())
    }
}

/// `--chmod` and `--chown`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Marks {
    mode: Option<Mode>,
    owner: Option<(u32, u32)>,
}

fn octal(text: &str) -> Result<Mode, Miss> {
    u32::from_str_radix(text, 8)
        .ok()
        .and_then(|bits| Mode::from_bits(bits).ok())
        .ok_or_else(|| Miss::Wrong(format!("--chmod={text} is not an octal mode up to 0777")))
}

/// `user[:group]` in numbers; as in Docker the group is the user's number when it is left out.
pub(super) fn numeric_owner(text: &str, what: &str) -> Result<(u32, u32), Miss> {
    let (user, group) = text.split_once(':').unwrap_or((text, text));
    match (user.parse(), group.parse()) {
        (Ok(user), Ok(group)) => Ok((user, group)),
        _ => Err(Miss::Wrong(format!(
            "{what} {text} must be numbers here: an image from scratch has no /etc/passwd"
        ))),
    }
}
