//! What lies at a path: folder or file, with owner, mode and digest.

use std::fs::File;
use std::io::Read as _;

use desired::observed::{Answer, Entry};
use desired::types::DigestAlgorithm;
use desired::{AbsPath, ByteSize, Digest};
use rustix::fs::FileType;

use crate::bundle::at_hand::{AtHand, is_same};
use crate::digest::Hasher;
use crate::root::{Accounts, Root, Seen};

/// Looks at `path`. A file whose size is not `size` isn't digested: it differs anyway, and it may be long.
pub(super) fn see(root: &Root, accounts: &Accounts, path: &AbsPath, size: Option<u64>) -> Entry {
    see_wanted(root, accounts, path, size, None)
}

/// The same, of which `wanted` is expected: where its bytes are at hand, they are compared first.
pub(super) fn see_wanted(
    root: &Root,
    accounts: &Accounts,
    path: &AbsPath,
    size: Option<u64>,
    wanted: Option<(&Digest, &AtHand)>,
) -> Entry {
    let seen = match root.see(path.as_str()) {
        Ok(Some(seen)) => seen,
        Ok(None) => return Entry::Absent,
        Err(error) => return Entry::Unknown { why: format!("it can't be looked at: {error}") },
    };
    match seen.kind() {
        FileType::Directory => Entry::Folder(accounts.access(&seen.stat)),
        FileType::RegularFile => {
            let length = u64::try_from(seen.stat.st_size).unwrap_or(0);
            let digest = if size.is_some_and(|size| size != length) {
                Answer::unknown("its size differs already")
            } else {
                let known = wanted.and_then(|(digest, at_hand)| same_as(&seen, digest, at_hand));
                known
                    .map_or_else(|| digest(&seen), Ok)
                    .map_or_else(|error| Answer::unknown(format!("it can't be read: {error}")), Answer::Known)
            };
            Entry::File { access: accounts.access(&seen.stat), size: ByteSize(length), digest }
        }
        FileType::Symlink => Entry::Other("a symbolic link".to_owned()),
        FileType::CharacterDevice | FileType::BlockDevice => Entry::Other("a device".to_owned()),
        FileType::Fifo => Entry::Other("a pipe".to_owned()),
        FileType::Socket => Entry::Other("a socket".to_owned()),
        FileType::Unknown => Entry::Other("something unknown".to_owned()),
    }
}

/// The wanted digest, if the file holds the very bytes that had it a moment ago. Anything else is for the digest to tell.
fn same_as(seen: &Seen, wanted: &Digest, at_hand: &AtHand) -> Option<Digest> {
    let known = File::open(at_hand.file(wanted)?).ok()?;
    is_same(seen.open().ok()?, known).ok()?.then(|| wanted.clone())
}

fn digest(seen: &Seen) -> std::io::Result<Digest> {
    let (mut file, mut hasher) = (seen.open()?, Hasher::new(DigestAlgorithm::Sha256));
    // Larger ones are mapped and unmapped for every small file.
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(count) => hasher.update(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
