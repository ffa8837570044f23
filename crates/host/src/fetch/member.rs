//! One file out of a `.tar.gz`, in Rust alone.

use std::fs::File;
use std::io::{Read, Write as _};
use std::path::Path;

use desired::Digest;
use desired::types::DigestAlgorithm;

use super::failed::Failed;
use super::{FailureKind, SourceFailure};
use crate::cache::refused;
use crate::digest::Hasher;

/// No program that a node joins with is larger; a bomb stops here.
const LARGEST: u64 = 2 << 30;

/// Writes the member to `to`; gives its SHA-256 and size. The failure's place is left to the caller.
pub(super) fn extract(archive: &Path, member: &str, to: &Path) -> Result<(Digest, u64), Failed> {
    let wrong = |why: String| Failed::from(SourceFailure::new("", FailureKind::Wrong, why));
    let broken = |error: std::io::Error| wrong(format!("is no readable .tar.gz ({error})"));
    let file = File::open(archive).map_err(refused("open", archive))?;
    let mut tar = tar::Archive::new(flate2::read::MultiGzDecoder::new(file));
    let mut others = Vec::new();
    for entry in tar.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let path = entry.path_bytes();
        let path = String::from_utf8_lossy(&path);
        let path = path.strip_prefix("./").unwrap_or(&path);
        if path != member {
            others.push(path.to_owned());
            continue;
        }
        if !entry.header().entry_type().is_file() {
            return Err(wrong(format!("`{member}` in it is not a plain file")));
        }
        if entry.size() > LARGEST {
            return Err(wrong(format!("`{member}` in it claims {} bytes", entry.size())));
        }
        let mut output = File::create(to).map_err(refused("make", to))?;
        let (mut hasher, mut size) = (Hasher::new(DigestAlgorithm::Sha256), 0);
        let mut buffer = vec![0; 128 * 1024];
        loop {
            let count = entry.read(&mut buffer).map_err(broken)?;
            if count == 0 {
                return Ok((hasher.finish(), size));
            }
            hasher.update(&buffer[..count]);
            size += count as u64;
            output.write_all(&buffer[..count]).map_err(refused("write", to))?;
        }
    }
    others.truncate(6);
    let why = format!("holds no `{member}`; it holds {}", others.join(", "));
    Err(SourceFailure::new("", FailureKind::Absent, why).into())
}
