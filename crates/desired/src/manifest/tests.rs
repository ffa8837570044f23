use super::*;
use crate::artifact::Pinned;
use crate::identity::Identity;
use crate::types::{ByteSize, Digest};

fn manifest() -> BundleManifest {
    let record = |bytes: &str, mode| FileRecord {
        size: ByteSize(bytes.len() as u64),
        mode,
        digest: Digest::sha256_of(bytes.as_bytes()),
    };
    let node: NodeName = "rpi-01".parse().unwrap();
    BundleManifest {
        format: FORMAT,
        cluster: "vnext".parse().unwrap(),
        arch: Arch::Arm64,
        tool_version: "0.1.0".to_owned(),
        files: BTreeMap::from([
            (BundlePath::program(), record("elf", Mode::EXECUTABLE)),
            (BundlePath::resources(&node), record("[]", Mode::PUBLIC)),
            ("artifacts/mise/mise".parse().unwrap(), record("mise", Mode::EXECUTABLE)),
        ]),
        identities: BTreeMap::from([(
            node.clone(),
            Identity { mac: "d8:3a:dd:00:11:22".parse().ok(), serial: None },
        )]),
        nodes: BTreeSet::from([node]),
        deferred: vec![Deferred {
            artifact: "k3s".parse().unwrap(),
            version: "v1.36.4+k3s1".to_owned(),
            file: "k3s-arm64".to_owned(),
            path: "artifacts/k3s/k3s-arm64".parse().unwrap(),
            mode: Mode::EXECUTABLE,
            digest: Some(Digest::sha256_of(b"k3s")),
            size: None,
            sources: vec![DeferredSource {
                url: "https://example.org/k3s".to_owned(),
                digest: None,
                member: None,
            }],
        }],
    }
}

#[test]
fn one_value_has_one_text() {
    let text = manifest().to_json();
    assert_eq!(BundleManifest::parse(&text).unwrap(), manifest());
    assert!(text.contains("\"format\": 1,\n  \"cluster\": \"vnext\",\n  \"arch\": \"arm64\""), "{text}");
}

#[test]
fn a_cut_or_edited_manifest_is_refused() {
    let text = manifest().to_json();
    for end in 0..text.len() {
        assert!(BundleManifest::parse(&text[..end]).is_err(), "cut at {end}");
    }
    for (from, to, why) in [
        ("\"format\": 1", "\"format\": 2", "format 2"),
        ("\"cluster\"", "\"colour\": 1, \"cluster\"", "unknown field `colour`"),
        ("\"arm64\"", "\"armhf\"", "unknown variant `armhf`"),
        ("\"0755\"", "\"4755\"", "0000-0777"),
        ("artifacts/mise/mise", "artifacts/../mise", "`..`"),
        ("artifacts/mise/mise", "/etc/passwd", "relative"),
        ("artifacts/mise/mise", "surprise", "has no place"),
        ("nodes/rpi-01/", "nodes/rpi-02/", "rpi-01 has no"),
        ("\"rpi-01\": {\n      \"mac", "\"rpi-09\": {\n      \"mac", "rpi-09 is described"),
        ("\"mac\": \"d8:", "\"mac\": \"zz:", "six pairs"),
        ("\"rpi-01\"\n", "\"rpi-01\", \"rpi-02\"\n", "rpi-02 has no"),
        ("\"path\": \"artifacts/k3s/", "\"path\": \"artifacts/mise/", "not its own"),
        ("  \"arch\"", "   \"arch\"", "not in the form"),
        ("  \"arch\"", "  \"arch\": \"amd64\",\n  \"arch\"", "duplicate field"),
    ] {
        assert!(text.contains(from), "{from}");
        let error = BundleManifest::parse(&text.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(why), "{from} → {to}: {error}");
    }
}

#[test]
fn a_deferred_artifact_can_always_be_verified() {
    let mut manifest = manifest();
    manifest.deferred[0].digest = None;
    assert!(manifest.check().unwrap_err().to_string().contains("could not be verified"));
    manifest.deferred[0].sources[0].digest = Some(Digest::sha256_of(b"tgz"));
    manifest.check().unwrap();
    manifest.deferred.push(manifest.deferred[0].clone());
    assert!(manifest.check().unwrap_err().to_string().contains("twice"));
    manifest.deferred.clear();
    manifest.files.remove("bootstrap");
    assert!(manifest.check().unwrap_err().to_string().contains("bootstrap is not listed"));
}

#[test]
fn resources_get_the_bytes_they_were_pinned_to() {
    let want = |artifact: &str, file: &str, bytes: &str| Want::Artifact {
        path: "/usr/local/bin/x".parse().unwrap(),
        mode: Mode::EXECUTABLE,
        artifact: artifact.parse().unwrap(),
        file: file.to_owned(),
        version: None,
        pinned: Pinned::File { digest: Digest::sha256_of(bytes.as_bytes()), size: None },
    };
    let mut manifest = manifest();
    assert_eq!(manifest.lacks(&want("mise", "mise", "mise")), None);
    assert_eq!(manifest.lacks(&want("k3s", "k3s-arm64", "k3s")), None);
    assert!(manifest.lacks(&want("k3s", "k3s-arm64", "evil")).unwrap().contains("another digest"));
    assert!(
        manifest.lacks(&want("k3s", "k3s", "k3s")).unwrap().contains("neither in the bundle nor deferred")
    );
    let out_of = |text: &str| {
        let mut want = want("k3s", "k3s-arm64", "");
        let Want::Artifact { pinned, .. } = &mut want else { unreachable!("made above") };
        *pinned = Pinned::Downloads([Digest::sha256_of(text.as_bytes())].into());
        want
    };
    let other =
        Some("artifacts/k3s/k3s-arm64 has another digest in the resources than in the manifest".to_owned());
    assert_eq!(manifest.lacks(&out_of("tgz")), other, "the file's own digest is known and must be used");
    manifest.deferred[0].digest = None;
    manifest.deferred[0].sources[0].digest = Some(Digest::sha256_of(b"tgz"));
    assert_eq!(manifest.lacks(&out_of("tgz")), None);
    assert_eq!(manifest.lacks(&out_of("evil")), other);
    assert_eq!(manifest.lacks(&want("k3s", "k3s-arm64", "k3s")), other);
}

#[test]
fn the_program_is_a_resource_like_any_other() {
    let manifest = manifest();
    let program = manifest.program().unwrap();
    assert_eq!(program.id.as_str(), "artifact:/usr/local/bin/bootstrap");
    assert_eq!(manifest.lacks(&program.want), None);
}

#[test]
fn every_difference_is_named() {
    let manifest = manifest();
    assert_eq!(manifest.faults(&manifest.files), []);
    let mut found = manifest.files.clone();
    found.get_mut("bootstrap").unwrap().digest = Digest::sha256_of(b"evil");
    found.get_mut("artifacts/mise/mise").unwrap().mode = Mode::PUBLIC;
    found.get_mut("nodes/rpi-01/resources.json").unwrap().size = ByteSize(9);
    found.insert("artifacts/x/y".parse().unwrap(), manifest.files["bootstrap"].clone());
    let text: Vec<String> = manifest.faults(&found).iter().map(ToString::to_string).collect();
    assert!(text[0].contains("artifacts/mise/mise has mode 0644 instead of 0755"), "{text:?}");
    assert!(text[1].starts_with("bootstrap has digest sha256:"), "{text:?}");
    assert!(text[2].contains("has 9 bytes instead of 2"), "{text:?}");
    assert_eq!(text[3], "artifacts/x/y is not in the manifest");
    assert_eq!(manifest.faults(&BTreeMap::new())[0].to_string(), "artifacts/mise/mise is missing");
}
