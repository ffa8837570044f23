//! Images for nodes without the internet, as the one archive that k3s takes in at its start.
//!
//! In: the compiler of this toolchain. Out: `k3s-airgap-images-ARCH.tar.zst` with two images of one small program of ours:
//! the one that holds pods open, under the name k3s asks for, and one for pods to run. Made without any engine, the
//! same bytes each time.

use super::{Missing, folder};
use desired::{Arch, Digest, Mode};
use host::archive::tar;
use host::process::Invocation;
use serde_json::json;
use std::path::{Path, PathBuf};

/// The image pods of trials run; it answers on port 8080 with the pod's name.
pub const POD_IMAGE: &str = "rootstock.test/pod:1";
/// The image by which k3s holds pods open unless it is told another.
const PAUSE_IMAGE: &str = "docker.io/rancher/mirrored-pause:3.6";

/// Makes the archive in `into` and gives its path.
///
/// # Errors
/// If the program can't be compiled or the archive can't be written.
pub fn make(into: &Path, arch: Arch) -> Result<PathBuf, Missing> {
    let program = folder(into)?.join(format!("pod-{arch}"));
    let target = arch.rust_target();
    let source = crate::repository().join("tests/lab/node/pod.rs");
    let call = Invocation::new("rustc").args(["--edition", "2024", "--target", target]);
    let call = call.args(["-C", "linker=rust-lld", "-C", "opt-level=s", "-C", "strip=symbols", "-o"]);
    call.arg(&program).arg(source).folder(crate::repository()).run().map_err(|error| {
        Missing::new(format!("compile the program of pods: {error}"), format!("rustup target add {target}"))
    })?;
    let failed = |error: std::io::Error| Missing::new(format!("pack images: {error}"), "free space");
    let program = std::fs::read(&program).map_err(failed)?;
    let path = into.join(format!("k3s-airgap-images-{arch}.tar.zst"));
    let archive = archive(program, arch).map_err(failed)?;
    std::fs::write(&path, uncompressed_zstd(&archive)).map_err(failed)?;
    Ok(path)
}

/// Both images in the form of `docker save`.
fn archive(program: Vec<u8>, arch: Arch) -> std::io::Result<Vec<u8>> {
    let layer = packed(&[tar::Entry::bytes("pod", Mode::EXECUTABLE, program)])?;
    let mut entries = Vec::new();
    let mut images = Vec::new();
    for (name, arguments) in [(PAUSE_IMAGE, vec!["pause"]), (POD_IMAGE, vec![])] {
        let configuration = json!({
            "architecture": arch.as_str(), "os": "linux",
            "config": { "Entrypoint": ["/pod"], "Cmd": arguments },
            "rootfs": { "type": "layers", "diff_ids": [Digest::sha256_of(&layer).to_string()] },
        });
        let configuration = configuration.to_string().into_bytes();
        let file = format!("{}.json", Digest::sha256_of(&configuration).hex());
        images.push(json!({ "Config": file, "RepoTags": [name], "Layers": ["layer.tar"] }));
        entries.push(tar::Entry::bytes(&file, Mode::PUBLIC, configuration));
    }
    entries.push(tar::Entry::bytes("layer.tar", Mode::PUBLIC, layer));
    entries.push(tar::Entry::bytes("manifest.json", Mode::PUBLIC, json!(images).to_string().into_bytes()));
    packed(&entries)
}

fn packed(entries: &[tar::Entry]) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    tar::write(&mut bytes, entries, 0, &|_| {}).map_err(std::io::Error::other)?;
    Ok(bytes)
}

/// A frame of raw blocks (RFC 8878, 3.1.1): k3s tells by the name that it is zstd, and nothing here has to be small.
fn uncompressed_zstd(bytes: &[u8]) -> Vec<u8> {
    const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
    /// One segment, the size of the content in eight bytes.
    const DESCRIPTOR: u8 = 0b1110_0000;
    const BLOCK: usize = 128 * 1024;
    let mut frame = MAGIC.to_vec();
    frame.push(DESCRIPTOR);
    frame.extend((bytes.len() as u64).to_le_bytes());
    let count = bytes.len().div_ceil(BLOCK);
    for (number, block) in bytes.chunks(BLOCK).enumerate() {
        let is_last = number + 1 == count;
        // Bit 0: the last one; bits 1 and 2: zero, raw; then the size.
        let header = u32::try_from(block.len()).unwrap_or_default() << 3 | u32::from(is_last);
        frame.extend(&header.to_le_bytes()[..3]);
        frame.extend(block);
    }
    frame
}
