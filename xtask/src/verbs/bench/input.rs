//! Inputs that are the same on every machine: noise no compressor shortens, and text every one does.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

/// Fills `length` bytes with xorshift64 noise from `seed`.
pub(super) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Words in an order that `seed` decides; deflate makes about a third of it, as of program text and YAML.
pub(super) fn text(length: usize, seed: u64) -> Vec<u8> {
    const WORDS: [&str; 16] = [
        "apiVersion: v1\n",
        "metadata:\n  name: ",
        "node",
        "cluster",
        "mount",
        "label",
        "  - key: ",
        "value",
        "bundle",
        "image",
        "restart: always\n",
        "k3s",
        "longhorn",
        "address: 192.168.",
        "taint",
        "storage\n",
    ];
    let mut bytes = Vec::with_capacity(length + 32);
    for (index, byte) in noise(length, seed).into_iter().enumerate() {
        if bytes.len() >= length {
            break;
        }
        bytes.extend_from_slice(WORDS[usize::from(byte & 15)].as_bytes());
        if byte > 200 {
            bytes.extend_from_slice(format!("{index:x}{byte}").as_bytes());
        }
    }
    bytes.truncate(length);
    bytes
}

/// Writes a file, folders above it included.
pub(super) fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    }
    fs::write(path, bytes).with_context(|| format!("write {}", path.display()))
}
