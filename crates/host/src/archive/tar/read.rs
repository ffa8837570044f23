//! A tar stream that nobody vouches for, entry by entry.
//!
//! Headers are taken raw and long names are resolved here, so that no extension can rename, resize or link an
//! entry behind the checks.

use std::collections::BTreeSet;
use std::io::{self, Read};

use desired::Mode;
use tar::{Archive, EntryType};

use super::path_fault;
use crate::archive::ArchiveError;

/// Longest extended header that is read: a path of 4095 bytes and a link as long, with room.
const EXTENSION_MAX: u64 = 64 * 1024;

/// How much an archive may hold, and whether it may hold links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Entries of any kind.
    pub entries: u64,
    /// Bytes of one file.
    pub entry_bytes: u64,
    /// Bytes of all files together, against archives that unpack without end.
    pub total_bytes: u64,
    /// Symbolic links and owners other than root: image layers have them, bundles never.
    pub layer: bool,
}

impl Limits {
    /// For bundles: a thousand nodes' resources and some gigabytes of vendor files fit in.
    pub const BUNDLE: Self =
        Self { entries: 50_000, entry_bytes: 4 << 30, total_bytes: 16 << 30, layer: false };
    /// For archives that `ADD` puts into an image: whole systems.
    pub const LAYER: Self = Self { entries: 200_000, layer: true, ..Self::BUNDLE };
}

/// What a [`Member`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A regular file; read its bytes from the member.
    File,
    /// A folder.
    Folder,
    /// A symbolic link to this target; only with [`Limits::layer`].
    Link(String),
}

/// One accepted entry; a file's bytes are read from it, and may be left unread.
pub struct Member<'a> {
    /// Relative, clean, without a slash at the end.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// Permission bits.
    pub mode: Mode,
    /// Numeric user and group; `(0, 0)` unless [`Limits::layer`].
    pub owner: (u32, u32),
    /// Bytes of content.
    pub size: u64,
    content: &'a mut dyn Read,
}

impl Read for Member<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.content.read(buffer)
    }
}

impl std::fmt::Debug for Member<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Member")
            .field("path", &self.path)
            .field("kind", &self.kind)
            .field("mode", &self.mode)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// Walks the tar stream `source` to its very end and shows every accepted entry to `visit`.
///
/// # Errors
/// [`ArchiveError::Refused`] for an entry that climbs, is absolute, a link, device, sparse, setuid, given twice,
/// below a file, or beyond `limits`; [`ArchiveError::Damaged`] for a stream that is cut, corrupt or carries bytes
/// behind its end; whatever `visit` gives.
pub fn read<R: Read, E: From<ArchiveError>>(
    source: R,
    limits: &Limits,
    mut visit: impl FnMut(&mut Member<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut archive = Archive::new(source);
    let mut walk = Walk::new(*limits);
    let damaged = |walk: &Walk, source| ArchiveError::Damaged { after: walk.last.clone(), source };
    for entry in archive.entries().map_err(|error| damaged(&walk, error))?.raw(true) {
        let mut entry = entry.map_err(|error| damaged(&walk, error))?;
        let Some(accepted) = walk.accept(&mut entry)? else { continue };
        let mut member = Member {
            path: accepted.path,
            kind: accepted.kind,
            mode: accepted.mode,
            owner: accepted.owner,
            size: entry.size(),
            content: &mut entry,
        };
        visit(&mut member)?;
        walk.last = member.path;
        // What the visitor left is read here, so that a cut shows as damage of this very entry.
        io::copy(&mut entry, &mut io::sink()).map_err(|error| damaged(&walk, error))?;
    }
    expect_end(&mut archive.into_inner()).map_err(|error| damaged(&walk, error))?;
    Ok(walk.finish()?)
}

/// Only zeroes may follow the end of archive; reading them also makes a decompressor check its sum.
fn expect_end(source: &mut impl Read) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let count = source.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        if buffer[..count].iter().any(|byte| *byte != 0) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "there are bytes behind the end of the archive",
            ));
        }
    }
}

struct Accepted {
    path: String,
    kind: Kind,
    mode: Mode,
    owner: (u32, u32),
}

/// What has been seen so far.
struct Walk {
    limits: Limits,
    folders: BTreeSet<String>,
    others: BTreeSet<String>,
    /// Folders that paths below them imply.
    implied: BTreeSet<String>,
    count: u64,
    bytes: u64,
    last: String,
    /// Name and link target from an extended header, for the entry that follows.
    long: (Option<String>, Option<String>),
}

impl Walk {
    fn new(limits: Limits) -> Self {
        Self {
            limits,
            folders: BTreeSet::new(),
            others: BTreeSet::new(),
            implied: BTreeSet::new(),
            count: 0,
            bytes: 0,
            last: "(start)".to_owned(),
            long: (None, None),
        }
    }

    /// Checks one raw entry; none for extended headers, whose content is kept for the next.
    fn accept(&mut self, entry: &mut tar::Entry<'_, impl Read>) -> Result<Option<Accepted>, ArchiveError> {
        let raw_path = String::from_utf8_lossy(&entry.header().path_bytes()).into_owned();
        let refused = |why: String| Err(ArchiveError::refused(&raw_path, why));
        let entry_type = entry.header().entry_type();
        if matches!(entry_type, EntryType::XHeader | EntryType::GNULongName | EntryType::GNULongLink) {
            self.extension(entry, entry_type)?;
            return Ok(None);
        }
        let (name, link) = std::mem::take(&mut self.long);
        let path = match name {
            Some(name) => name,
            None => match std::str::from_utf8(&entry.header().path_bytes()) {
                Ok(path) => path.to_owned(),
                Err(_) => return refused("its path is not UTF-8".to_owned()),
            },
        };
        let kind = self.kind(entry, &path, link)?;
        let mut path = path;
        if kind == Kind::Folder && path.ends_with('/') {
            path.pop();
        }
        if self.limits.layer {
            let stripped = path.strip_prefix("./").unwrap_or(&path).to_owned();
            if kind == Kind::Folder && (stripped.is_empty() || stripped == ".") {
                return Ok(None);
            }
            path = stripped;
        }
        self.place(&path, &kind)?;
        self.measure(&path, entry.size())?;
        let (mode, owner) = self.permissions(entry, &path)?;
        Ok(Some(Accepted { path, kind, mode, owner }))
    }

    fn kind(
        &self,
        entry: &tar::Entry<'_, impl Read>,
        path: &str,
        link: Option<String>,
    ) -> Result<Kind, ArchiveError> {
        let refused = |why: &str| Err(ArchiveError::refused(path, why));
        match entry.header().entry_type() {
            EntryType::Regular => Ok(Kind::File),
            EntryType::Directory if entry.size() == 0 => Ok(Kind::Folder),
            EntryType::Directory => refused("it is a folder with content"),
            EntryType::Symlink if self.limits.layer => {
                let short = entry.header().link_name_bytes().map(|name| String::from_utf8(name.into_owned()));
                match (link, short) {
                    (Some(target), _) | (None, Some(Ok(target))) if !target.is_empty() => {
                        Ok(Kind::Link(target))
                    }
                    _ => refused("its link target is missing or not UTF-8"),
                }
            }
            EntryType::Symlink => refused("it is a symbolic link"),
            EntryType::Link => refused("it is a hard link"),
            EntryType::Char | EntryType::Block => refused("it is a device"),
            EntryType::Fifo => refused("it is a pipe"),
            EntryType::GNUSparse => refused("it is a sparse file"),
            EntryType::XGlobalHeader => refused("it is a global header, which could change every entry"),
            other => refused(&format!("it is of the unknown type {:#04x}", other.as_byte())),
        }
    }

    /// An extended header: only names may come from it, never sizes, owners or holes.
    fn extension(
        &mut self,
        entry: &mut tar::Entry<'_, impl Read>,
        entry_type: EntryType,
    ) -> Result<(), ArchiveError> {
        let name = String::from_utf8_lossy(&entry.header().path_bytes()).into_owned();
        let refused = |why: String| ArchiveError::refused(&name, why);
        if entry.size() > EXTENSION_MAX {
            return Err(refused(format!("it is an extended header of {} bytes", entry.size())));
        }
        let mut content = Vec::new();
        entry
            .read_to_end(&mut content)
            .map_err(|source| ArchiveError::Damaged { after: self.last.clone(), source })?;
        let text = |bytes: &[u8]| {
            String::from_utf8(bytes.to_vec())
                .map_err(|_| refused("it holds a name that is not UTF-8".to_owned()))
        };
        let whole = content.strip_suffix(b"\0").unwrap_or(&content);
        if entry_type == EntryType::GNULongName {
            self.long.0 = Some(text(whole)?);
            return Ok(());
        }
        if entry_type == EntryType::GNULongLink {
            self.long.1 = Some(text(whole)?);
            return Ok(());
        }
        for record in tar::PaxExtensions::new(&content) {
            let record = record.map_err(|error| refused(format!("its records are damaged: {error}")))?;
            match record.key_bytes() {
                b"path" => self.long.0 = Some(text(record.value_bytes())?),
                b"linkpath" => self.long.1 = Some(text(record.value_bytes())?),
                b"mtime" | b"atime" | b"ctime" | b"comment" => {}
                key => {
                    let key = String::from_utf8_lossy(key).escape_debug().to_string();
                    return Err(refused(format!("it carries the extension `{key}`")));
                }
            }
        }
        Ok(())
    }

    /// Path checks that need the other entries.
    fn place(&mut self, path: &str, kind: &Kind) -> Result<(), ArchiveError> {
        if let Some(why) = path_fault(path) {
            return Err(ArchiveError::refused(path, why));
        }
        for (slash, _) in path.match_indices('/') {
            if self.others.contains(&path[..slash]) {
                let why = format!("it lies below `{}`, which is not a folder", &path[..slash]);
                return Err(ArchiveError::refused(path, why));
            }
            self.implied.insert(path[..slash].to_owned());
        }
        if *kind != Kind::Folder && self.implied.contains(path) {
            return Err(ArchiveError::refused(path, "earlier entries lie below it, so it must be a folder"));
        }
        let seen = if *kind == Kind::Folder { &mut self.folders } else { &mut self.others };
        if !seen.insert(path.to_owned()) || (self.folders.contains(path) && self.others.contains(path)) {
            return Err(ArchiveError::refused(path, "the archive holds this path twice"));
        }
        Ok(())
    }

    fn measure(&mut self, path: &str, size: u64) -> Result<(), ArchiveError> {
        self.count += 1;
        self.bytes = self.bytes.saturating_add(size);
        let Limits { entries, entry_bytes, total_bytes, .. } = self.limits;
        let why = if self.count > entries {
            format!("the archive holds more than {entries} entries")
        } else if size > entry_bytes {
            format!("it has {size} bytes, more than the {entry_bytes} a file may have")
        } else if self.bytes > total_bytes {
            format!("the files up to here have more than the {total_bytes} bytes an archive may hold")
        } else {
            return Ok(());
        };
        Err(ArchiveError::refused(path, why))
    }

    fn permissions(
        &self,
        entry: &tar::Entry<'_, impl Read>,
        path: &str,
    ) -> Result<(Mode, (u32, u32)), ArchiveError> {
        let damaged = |source| ArchiveError::Damaged { after: self.last.clone(), source };
        let header = entry.header();
        let bits = header.mode().map_err(damaged)? & 0o7777;
        let Ok(mode) = Mode::from_bits(bits) else {
            return Err(ArchiveError::refused(
                path,
                format!("its mode {bits:04o} has setuid, setgid or sticky bits"),
            ));
        };
        let owner = (header.uid().map_err(damaged)?, header.gid().map_err(damaged)?);
        let (Ok(user), Ok(group)) = (u32::try_from(owner.0), u32::try_from(owner.1)) else {
            return Err(ArchiveError::refused(path, "its owner is beyond 32 bits"));
        };
        if !self.limits.layer && (user, group) != (0, 0) {
            return Err(ArchiveError::refused(path, format!("it belongs to {user}:{group}, not to root")));
        }
        Ok((mode, (user, group)))
    }

    fn finish(self) -> Result<(), ArchiveError> {
        if self.long == (None, None) {
            return Ok(());
        }
        let source =
            io::Error::new(io::ErrorKind::UnexpectedEof, "an extended header has no entry behind it");
        Err(ArchiveError::Damaged { after: self.last, source })
    }
}
