use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use desired::resource::{Owner, Resource, Want};
use desired::{Arch, ByteSize, Digest, Mode, NodeName, Pinned};

use super::*;
use crate::archive::Options;
use crate::cache::CachedFile;
use crate::cargo_build::Program;
use crate::verified::Verified;

/// A small bundle's contents; the files they point at live in `folder`.
fn contents(folder: &Path) -> Contents {
    let put = |name: &str, bytes: &[u8]| -> (PathBuf, ByteSize, Digest) {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        (path, ByteSize(bytes.len() as u64), Digest::sha256_of(bytes))
    };
    let (path, size, digest) = put("program", &crate::elf::tests::program(183, 1));
    let program = Program { arch: Arch::Arm64, path, size, digest };
    let (path, size, digest) = put("mise", b"the mise program");
    let artifact = Want::Artifact {
        path: "/usr/local/bin/mise".parse().unwrap(),
        mode: Mode::EXECUTABLE,
        artifact: "mise".parse().unwrap(),
        file: "mise".to_owned(),
        version: None,
        pinned: Pinned::File { digest: digest.clone(), size: Some(size) },
    };
    let file = Want::File {
        path: "/etc/motd".parse().unwrap(),
        mode: Mode::PUBLIC,
        owner: Owner::root(),
        content: "grüß dich\n".to_owned(),
    };
    Contents {
        cluster: "vnext".parse().unwrap(),
        tool_version: "0.1.0".to_owned(),
        program,
        nodes: BTreeMap::from([(name("rpi-01"), vec![Resource::new(artifact), Resource::new(file)])]),
        identities: BTreeMap::new(),
        artifacts: vec![Included {
            artifact: "mise".parse().unwrap(),
            file: "mise".to_owned(),
            mode: Mode::EXECUTABLE,
            content: Verified::new(CachedFile { path, size: size.0, digest }),
        }],
        deferred: Vec::new(),
        signer: None,
    }
}

fn name(text: &str) -> NodeName {
    text.parse().unwrap()
}

fn written(folder: &Path) -> PathBuf {
    let path = folder.join("bundle.tar.gz");
    write(&contents(folder), &path, &Options::new(0), &|_| {}).unwrap();
    path
}

/// The bundle as a folder, unpacked by the real tar.
fn unpacked(folder: &Path) -> PathBuf {
    let archive = written(folder);
    let call = crate::process::Invocation::new("tar").arg("-xpzf").arg(archive).arg("-C").arg(folder);
    call.run().unwrap();
    folder.join("rootstock")
}

fn refusal(place: &Path) -> String {
    let error = verify(place, None).unwrap_err();
    assert!(error.is_verification_failure(), "{error}");
    error.to_string()
}

#[test]
fn what_was_written_verifies_as_archive_and_as_folder() {
    let folder = tempfile::tempdir().unwrap();
    let root = unpacked(folder.path());
    let archive = verify(&folder.path().join("bundle.tar.gz"), None).unwrap();
    assert_eq!(archive.nodes[&name("rpi-01")].len(), 2);
    assert_eq!(
        archive.nodes[&name("rpi-01")][0].id.as_str(),
        "file:/etc/motd",
        "in the order they come into being"
    );
    for place in [&root, folder.path()] {
        assert_eq!(verify(place, None).unwrap().digest, archive.digest);
    }
}

#[test]
fn threads_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let contents = contents(folder.path());
    let bytes = |threads| {
        let path = folder.path().join("out.tar.gz");
        let options = Options { threads: NonZeroUsize::new(threads).unwrap(), ..Options::new(0) };
        write(&contents, &path, &options, &|_| {}).unwrap();
        std::fs::read(path).unwrap()
    };
    assert_eq!(bytes(1), bytes(4));
}

#[test]
fn a_flipped_byte_anywhere_is_refused_or_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path());
    let (good, whole) = (std::fs::read(&path).unwrap(), verify(&path, None).unwrap());
    let mut harmless = 0;
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 0x5a;
        std::fs::write(&path, &bytes).unwrap();
        match verify(&path, None) {
            Err(_) => {}
            // Unused bits between two deflate blocks mean nothing to any reader.
            Ok(bundle) => {
                assert_eq!(bundle, whole, "byte {at}");
                harmless += 1;
            }
        }
    }
    assert!(harmless <= 8, "{harmless} of {} bytes", good.len());
    for end in 0..good.len() {
        std::fs::write(&path, &good[..end]).unwrap();
        assert!(verify(&path, None).is_err(), "cut at {end}");
    }
}

#[test]
fn a_changed_folder_is_refused_with_the_file_named() {
    type Damage = fn(&Path);
    let table: [(Damage, &str); 11] = [
        (
            |root| std::fs::write(root.join("artifacts/mise/mise"), "the evil program").unwrap(),
            "mise has digest",
        ),
        (
            |root| std::fs::write(root.join("artifacts/mise/mise"), "x").unwrap(),
            "mise has 1 bytes instead of 16",
        ),
        (
            |root| std::fs::remove_file(root.join("artifacts/mise/mise")).unwrap(),
            "artifacts/mise/mise is missing",
        ),
        (|root| std::fs::write(root.join("surprise"), "").unwrap(), "surprise is not in the manifest"),
        (|root| std::fs::create_dir(root.join("empty")).unwrap(), "empty is refused"),
        (|root| chmod(&root.join("bootstrap"), 0o644), "bootstrap has mode 0644 instead of 0755"),
        (|root| chmod(&root.join("bootstrap"), 0o4755), "setuid"),
        (
            |root| std::os::unix::fs::symlink("/etc/passwd", root.join("link")).unwrap(),
            "it is a symbolic link",
        ),
        (|root| std::fs::hard_link(root.join("bootstrap"), root.join("again")).unwrap(), "it is a hard link"),
        (
            |root| drop(std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap()),
            "it is a socket or device",
        ),
        (
            |root| {
                let path = root.join("manifest.json");
                let text = std::fs::read_to_string(&path).unwrap().replace("arm64", "amd64");
                std::fs::write(path, text).unwrap();
            },
            "not for amd64, as the manifest says, but for arm64",
        ),
    ];
    for (damage, why) in table {
        let folder = tempfile::tempdir().unwrap();
        let root = unpacked(folder.path());
        damage(&root);
        let error = refusal(&root);
        assert!(error.contains(why), "{why}: {error}");
    }
}

#[test]
fn what_the_file_system_of_a_stick_has_at_its_top_is_no_matter() {
    let folder = tempfile::tempdir().unwrap();
    let root = unpacked(folder.path());
    let own = root.join("lost+found");
    std::fs::create_dir(&own).unwrap();
    std::fs::write(own.join("#12"), "found by fsck").unwrap();
    verify(&root, None).unwrap();
    // Only there, and only as a folder.
    std::fs::rename(&own, root.join("nodes/lost+found")).unwrap();
    assert!(refusal(&root).contains("nodes/lost+found"), "{}", refusal(&root));
    std::fs::remove_dir_all(root.join("nodes/lost+found")).unwrap();
    std::fs::write(&own, "a file").unwrap();
    assert!(refusal(&root).contains("lost+found"), "{}", refusal(&root));
}

fn chmod(path: &Path, bits: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(bits)).unwrap();
}

#[test]
fn many_differences_are_counted_and_some_named() {
    let folder = tempfile::tempdir().unwrap();
    let root = unpacked(folder.path());
    for index in 0..15 {
        std::fs::write(root.join(format!("extra-{index:02}")), "").unwrap();
    }
    let error = refusal(&root);
    assert!(error.starts_with("15 files differ") && error.ends_with("and 5 more"), "{error}");
}

#[test]
fn nothing_is_not_a_bundle() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("x.txt");
    std::fs::write(&text, "hello, this is text").unwrap();
    for place in [folder.path(), &text] {
        let error = verify(place, None).unwrap_err();
        assert!(!error.is_verification_failure() && error.to_string().contains("holds no bundle"), "{error}");
    }
    assert!(verify(&folder.path().join("gone"), None).unwrap_err().to_string().starts_with("can't read"));
}

#[test]
fn the_desk_refuses_what_no_node_could_do() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.tar.gz");
    let refuse = |contents: &Contents| {
        let error = write(contents, &out, &Options::new(0), &|_| {}).unwrap_err();
        assert!(!out.exists());
        error.to_string()
    };
    let mut unpacked = contents(folder.path());
    unpacked.artifacts.clear();
    assert!(refuse(&unpacked).contains("artifacts/mise/mise is neither in the bundle nor deferred"));
    let mut twice = contents(folder.path());
    twice.artifacts.push(twice.artifacts[0].clone());
    assert!(refuse(&twice).contains("two files want this path"));
    let mut double = contents(folder.path());
    let resources = double.nodes.get_mut("rpi-01").unwrap();
    resources.push(resources[0].clone());
    assert!(refuse(&double).contains("have no order"));
    let mut shrunk = contents(folder.path());
    let mut content = shrunk.artifacts[0].content.clone().into_inner();
    content.size = 99;
    shrunk.artifacts[0].content = Verified::new(content);
    assert!(refuse(&shrunk).contains("changed while it was packed"));
}
