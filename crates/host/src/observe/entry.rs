//! What lies at a path: folder or file, with owner, mode and digest.

use std::collections::BTreeMap;
use std::io::Read as _;

use desired::observed::{Access, Answer, Entry};
use desired::types::{DigestAlgorithm, Hasher};
use desired::{AbsPath, ByteSize, Digest};
use rustix::fs::FileType;

use crate::root::{Root, Seen};

/// The node's own names of users and groups, passwd(5) and group(5); root has its name everywhere.
pub(super) struct Names {
    users: BTreeMap<u32, String>,
    groups: BTreeMap<u32, String>,
}

impl Names {
    pub(super) fn read(root: &Root) -> Self {
        let table = |path| {
            let text = root.read_text(path).ok().flatten().unwrap_or_default();
            let mut names = BTreeMap::from([(0, "root".to_owned())]);
            for line in text.lines() {
                let mut fields = line.split(':');
                if let (Some(name), _, Some(Ok(id))) =
                    (fields.next(), fields.next(), fields.next().map(str::parse::<u32>))
                {
                    // The first line of a number wins, as it does for the C library.
                    names.entry(id).or_insert_with(|| name.to_owned());
                }
            }
            names
        };
        Self { users: table("/etc/passwd"), groups: table("/etc/group") }
    }
    fn access(&self, seen: &Seen) -> Access {
        let name = |names: &BTreeMap<u32, String>, id: u32| {
            names.get(&id).cloned().unwrap_or_else(|| id.to_string())
        };
        Access {
            bits: seen.stat.st_mode & 0o7777,
            user: name(&self.users, seen.stat.st_uid),
            group: name(&self.groups, seen.stat.st_gid),
        }
    }
}

/// Looks at `path`. A file whose size is not `size` isn't digested: it differs anyway, and it may be long.
pub(super) fn see(root: &Root, names: &Names, path: &AbsPath, size: Option<u64>) -> Entry {
    let seen = match root.see(path.as_str()) {
        Ok(Some(seen)) => seen,
        Ok(None) => return Entry::Absent,
        Err(error) => return Entry::Unknown { why: format!("it can't be looked at: {error}") },
    };
    match seen.kind() {
        FileType::Directory => Entry::Folder(names.access(&seen)),
        FileType::RegularFile => {
            let length = u64::try_from(seen.stat.st_size).unwrap_or(0);
            let digest = if size.is_some_and(|size| size != length) {
                Answer::unknown("its size differs already")
            } else {
                digest(&seen)
                    .map_or_else(|error| Answer::unknown(format!("it can't be read: {error}")), Answer::Known)
            };
            Entry::File { access: names.access(&seen), size: ByteSize(length), digest }
        }
        FileType::Symlink => Entry::Other("a symbolic link".to_owned()),
        FileType::CharacterDevice | FileType::BlockDevice => Entry::Other("a device".to_owned()),
        FileType::Fifo => Entry::Other("a pipe".to_owned()),
        FileType::Socket => Entry::Other("a socket".to_owned()),
        FileType::Unknown => Entry::Other("something unknown".to_owned()),
    }
}

fn digest(seen: &Seen) -> std::io::Result<Digest> {
    let (mut file, mut hasher) = (seen.open()?, Hasher::new(DigestAlgorithm::Sha256));
    let mut buffer = vec![0; 128 * 1024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(count) => hasher.update(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
